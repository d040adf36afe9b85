"""The story of a creation reaches programs, logs and people, and hurts nobody."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest

from wetlands.environments.progress import STAGES, ProvisioningEvent, Reporter, Stage


def test_events_carry_the_stage_and_how_far_it_is() -> None:
    events: list[ProvisioningEvent] = []
    with Reporter("x", events.append) as reporter:
        reporter.stage(Stage.LOCKING, "resolving")
        reporter.line("Resolved 3 packages\n")
        reporter.line("  ")
        reporter.stage(Stage.READY, "ready")
    assert [(event.stage, event.message) for event in events] == [
        (Stage.LOCKING, "resolving"),
        (Stage.LOCKING, "Resolved 3 packages"),
        (Stage.READY, "ready"),
    ]
    assert events[-1].current == events[-1].maximum == len(STAGES) - 1
    assert str(events[0].stage) == "locking"


def test_a_callback_that_raises_is_logged_and_hurts_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: ProvisioningEvent) -> None:
        raise ValueError("mine")

    with Reporter("x", fail) as reporter:
        reporter.stage(Stage.READY, "ready")
    assert "on_progress raised" in caplog.text
    assert "ValueError: mine" in caplog.text


def test_log_records_say_which_environment_and_stage(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wetlands.environments")
    with Reporter("x") as reporter:
        reporter.stage(Stage.CREATING, "making")
        reporter.line("detail")
    info, debug = caplog.records
    assert (info.levelno, info.environment, info.stage) == (logging.INFO, "x", "creating")  # type: ignore[attr-defined]
    assert (debug.levelno, debug.name) == (logging.DEBUG, "wetlands.environments")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def story(*, bar: bool) -> None:
    with Reporter("tool", bar=bar) as reporter:
        reporter.stage(Stage.LOCKING, "resolving")
        reporter.stage(Stage.READY, "ready")


def test_a_bar_is_drawn_on_a_terminal_and_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    before = threading.enumerate()
    story(bar=True)
    assert "tool" in sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert threading.enumerate() == before


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_no_bar_is_drawn_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, stream: object
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    story(bar=True)
    assert stream is None or stream.getvalue() == ""  # type: ignore[attr-defined]


def test_the_bar_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    story(bar=False)
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_a_reused_environment_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Reporter("tool", bar=True) as reporter:
        reporter.stage(Stage.READY, "ready")
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]
