"""The numbers of the policy: pauses grow, and not for ever."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetlands.core.policy import PoolConfig


def test_no_death_needs_no_pause():
    assert PoolConfig().backoff(0) == 0.0


def test_the_pause_doubles_with_every_death_in_a_row():
    config = PoolConfig(backoff_base=0.5, backoff_cap=100.0)
    assert [config.backoff(n) for n in range(1, 6)] == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_the_pause_is_capped():
    config = PoolConfig(backoff_base=1.0, backoff_cap=5.0)
    assert [config.backoff(n) for n in (3, 4, 5, 1_000_000)] == [4.0, 5.0, 5.0, 5.0]


@given(failures=st.integers(0, 10_000), base=st.floats(0.0, 1e6), cap=st.floats(0.0, 1e6))
def test_the_pause_is_finite_and_never_shrinks(failures, base, cap):
    config = PoolConfig(backoff_base=base, backoff_cap=cap)
    pause = config.backoff(failures)
    assert 0.0 <= pause <= config.backoff(failures + 1) <= cap


def test_silence_is_no_crime_unless_the_user_says_so():
    assert PoolConfig().worker_timeout == math.inf


def test_every_other_patience_ends():
    config = dataclasses.asdict(PoolConfig())
    del config["worker_timeout"]
    assert all(math.isfinite(number) for number in config.values())


def test_a_configuration_does_not_change_under_a_running_pool():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PoolConfig().size = 2
