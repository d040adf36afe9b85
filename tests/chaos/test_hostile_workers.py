"""Workers in the hands of somebody else, who has their token: what they say and note is repeated,
made up and garbled. That costs tasks of theirs, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import random
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from tests.integration.conftest import WORK, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ExecutionException
from wetlands.task import Task

ROOT = Path(__file__).parents[2]
WORKERS = 2


def turn_hostile(root: str, seed: int) -> None:
    import sys

    sys.path.insert(0, root)
    from tests.chaos.hostile import Liar

    Liar(seed).take_over()


def some_of_each(env: Environment, dice: random.Random) -> list[Task[object]]:
    tasks = [env.submit(WORK, "echo", (number,)) for number in range(dice.randrange(200))]
    tasks += [env.submit(WORK, "report", (3,)) for _ in range(20)]
    tasks += [env.submit(WORK, "fail", ("no",), retries=1) for _ in range(5)]
    tasks += [env.submit(WORK, "say_and_return", ({1},)) for _ in range(5)]
    tasks[dice.randrange(len(tasks))].cancel()
    return tasks


@pytest.mark.parametrize("count", [2, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize("trust", ["data", "full"])
def test_workers_that_lie_cost_their_own_tasks(
    launch: Launch, no_pauses: None, caplog: pytest.LogCaptureFixture, trust: str, count: int
) -> None:
    caplog.set_level(logging.CRITICAL)
    honest = launch(name="honest", max_workers=1)
    env = launch(max_workers=WORKERS, trust=trust, worker_timeout=3.0)
    for seed in range(count):
        dice = random.Random(seed)
        for number in range(WORKERS):
            env.submit(turn_hostile, args=(str(ROOT), WORKERS * seed + number)).wait_for(10)
        tasks = some_of_each(env, dice)
        others = [honest.submit(WORK, "echo", (number,)) for number in range(50)]
        with contextlib.suppress(ExecutionException, CancelledError):  # the worker's doing
            list(env.map(WORK, "echo", range(dice.randrange(500)), timeout=20))
        assert [task.wait_for(20).result for task in others] == list(range(50))
        assert all(task.wait_for(20).status.is_finished() for task in tasks), seed
        env.restart()
        assert env.execute(WORK, "echo", (seed,)) == seed
        wait_until(lambda: env.worker_count == WORKERS)
    assert "bug in wetlands" not in caplog.text
