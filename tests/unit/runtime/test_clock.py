"""Time in which the process did not run does not count."""

from __future__ import annotations

import pytest

from wetlands.runtime import clock as module
from wetlands.runtime.clock import LATE, MARGIN, Clock


class Now:
    def __init__(self) -> None:
        self.moment = 100.0

    def monotonic(self) -> float:
        return self.moment


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    now = Now()
    monkeypatch.setattr(module, "time", now)
    return now


def test_it_is_monotonic_time_as_long_as_all_is_well(now: Now) -> None:
    clock = Clock()
    clock.note(100.0)
    clock.note(float("inf"))
    now.moment += LATE
    clock.note(100.0)  # late, as under load
    assert clock.now() == now.moment
    assert clock.real(5.0) == 5.0


def test_what_was_due_during_an_interruption_is_due_a_moment_after_it(now: Now) -> None:
    clock = Clock()
    now.moment = 160.0
    clock.note(101.0)  # it was due at 101
    assert clock.now() == 101.0 - MARGIN
    assert clock.real(101.0) == now.moment + MARGIN
