"""The numbers of the policy: pauses grow, and not for ever."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetlands.core.policy import PoolConfig, RetryPlan


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


@given(timeout=st.floats(0.001, 1e6), period=st.floats(0.01, 100.0))
def test_looks_fit_into_the_time_after_which_a_worker_is_frozen(timeout, period):
    config = PoolConfig(frozen_timeout=timeout, look_period=period)
    assert config.look_after <= period
    assert config.look_after * config.frozen_looks == pytest.approx(timeout)
    assert config.frozen_looks == 1 or config.look_after >= period / 2


def test_nobody_looks_unless_the_user_says_so():
    assert PoolConfig().look_after == math.inf


def test_every_other_patience_ends():
    config = dataclasses.asdict(PoolConfig())
    for wish in ("worker_timeout", "frozen_timeout", "idle_timeout", "max_tasks", "max_memory"):
        assert config.pop(wish) == math.inf
    assert all(math.isfinite(number) for number in config.values())


def test_a_configuration_does_not_change_under_a_running_pool():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PoolConfig().size = 2


# -- pauses between the runs of a task -------------------------------------------------------------


def test_the_pause_of_a_task_grows_by_its_factor_up_to_its_limit():
    plan = RetryPlan(delay=0.5, backoff=3.0, max_delay=10.0)
    assert [plan.pause(n, 0.5) for n in range(1, 5)] == [0.5, 1.5, 4.5, 10.0]
    assert RetryPlan().pause(7, 0.9) == 0.0


PLANS = st.builds(
    RetryPlan,
    delay=st.floats(0.0, 1e4),
    backoff=st.floats(1.0, 1000.0),
    max_delay=st.floats(0.0, 1e6),
    jitter=st.floats(0.0, 1.0),
)


@given(plan=PLANS, failures=st.integers(1, 100_000), dice=st.floats(0.0, 1.0, exclude_max=True))
def test_a_pause_is_a_number_within_its_limits(plan, failures, dice):
    assert 0.0 <= plan.pause(failures, dice) <= plan.max_delay


def test_jitter_spreads_tasks_that_failed_together_evenly():
    plan = RetryPlan(delay=1.0, jitter=0.5)
    for failures in (1, 2, 3):
        pauses = sorted(plan.pause(failures, n / 100) for n in range(100))
        assert 0.5 <= pauses[0] < 0.52
        assert 1.48 < pauses[-1] <= 1.5
        gaps = [after - before for before, after in pairwise(pauses)]
        assert max(gaps) < 0.011


def test_the_pauses_of_one_task_differ_with_one_throw_of_the_dice():
    plan = RetryPlan(delay=1.0, jitter=1.0)
    assert len({round(plan.pause(failures, 0.3), 3) for failures in range(1, 20)}) == 19
