"""`submit(timeout=)`: a limit of a task's own run time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ConfigurationError, TaskTimeoutError
from wetlands.task import TaskStatus


def test_a_task_in_time_knows_nothing_of_its_limit(env: Environment) -> None:
    assert env.submit(WORK, "echo", (1,), timeout=5).wait_for(5).result == 1


def test_a_task_that_runs_out_of_time_fails_and_is_asked_to_stop(
    env: Environment, gate: Gate
) -> None:
    task = env.submit(WORK, "hold_politely", (gate.path,), timeout=0.1).wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert isinstance(task.exception, TaskTimeoutError)
    assert isinstance(task.exception, TimeoutError)
    for word in ("timed out", "0.1 s", "'host'", task.id):
        assert word in (task.error or "")
    # The worker, which stopped in time, was kept: the fixture `env` checks that.


def test_a_worker_that_goes_on_is_replaced(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=1)
    before = env.execute(WORK, "pid")
    task = env.submit(WORK, "hold", (gate.path,), timeout=0.1)
    assert task.wait_for(5).status is TaskStatus.FAILED
    assert env.execute(WORK, "pid") != before
    wait_until(lambda: env.worker_count == 1)


def test_time_in_the_queue_does_not_count(env: Environment, gate: Gate) -> None:
    for name in ("a", "b"):
        env.submit(WORK, "hold", (gate.path, name))
    gate.wait_started("a", "b")
    queued = env.submit(WORK, "echo", (1,), timeout=0.05)
    late = env.submit(WORK, "echo", (2,), start=False, timeout=0.05)
    with pytest.raises(TimeoutError):
        queued.wait_for(0.2)
    gate.release("a", "b")
    assert queued.wait_for(5).result == 1
    assert late.start().wait_for(5).result == 2


def test_a_script_may_have_a_limit(launch: Launch, gate: Gate, tmp_path: Any) -> None:
    script = tmp_path / "slow.py"
    script.write_text("import time\nwhile True: time.sleep(0.01)\n")
    env = launch()
    task = env.submit_script(script, timeout=0.1).wait_for(5)
    assert isinstance(task.exception, TaskTimeoutError)
    assert env.execute(WORK, "echo", (1,)) == 1


@pytest.mark.parametrize("limit", ["1", 0, -1, float("nan"), True, [1]])
def test_an_impossible_limit_is_refused(env: Environment, limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout must be"):
        env.submit(WORK, "echo", (1,), timeout=limit)
