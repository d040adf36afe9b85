"""Everything at once, from many threads, by dice: every task ends once, as it may, and the pool is
whole in the end.

``WETLANDS_STORM_SEED=...`` throws the dice of a run that failed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import threading
import time
from typing import Any

import pytest

from tests.chaos.storm import Storm
from tests.integration.conftest import WORK, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import PoolBrokenError, PoolClosedError
from wetlands.task import Task, TaskStatus

WORKERS = 8


def seconds_for(env: Environment, count: int) -> float:
    """Return the least of three times that some tasks take."""
    times = []
    for _ in range(3):
        begin = time.monotonic()
        tasks = env.map_tasks(WORK, "echo", range(count))
        assert [task.wait_for(60).result for task in tasks] == list(range(count))
        times.append(time.monotonic() - begin)
    return min(times)


@pytest.mark.parametrize("seconds", [3, pytest.param(180, marks=pytest.mark.long)])
def test_in_a_storm_every_task_ends_once_as_it_may(
    launch: Launch, seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # of listeners that raise, above all
    seed = int(os.environ.get("WETLANDS_STORM_SEED") or random.SystemRandom().randrange(10**6))
    env = launch(
        max_workers=WORKERS,
        worker_timeout=2.0,
        # Without, those that are stopped are silent, which is another way to find out.
        frozen_timeout=random.Random(f"{seed}-launch").choice([0.5, None]),
        startup_timeout=10.0,  # some are frozen while they start
        max_memory_per_worker=150 * 2**20,
        max_tasks_per_worker=500,
        max_queued=100,
    )
    before = seconds_for(env, 500)
    storm = Storm(env, seed, WORKERS)
    try:
        storm.run(seconds, submitters=16)
        storm.check()
        env.resize(WORKERS)
        wait_until(lambda: env.worker_count == WORKERS, timeout=60)
        assert len(storm.acts) > 100
        assert seconds_for(env, 500) < 3 * before + 0.5, "slower than before the storm"
    except BaseException:
        print(storm.story())  # shown when the test fails
        raise


def test_a_storm_that_ends_with_exit_leaves_no_task_behind(launch: Launch) -> None:
    for seed in range(3):
        env = launch(max_workers=3)
        dice = random.Random(seed)
        tasks: list[Task[Any]] = []

        def submit(env: Environment = env, tasks: list[Task[Any]] = tasks) -> None:
            try:
                while True:
                    tasks.append(env.submit(WORK, "silent_for", (0.001,)))
            except (PoolClosedError, PoolBrokenError):
                pass

        threads = [threading.Thread(target=submit) for _ in range(3)]
        for thread in threads:
            thread.start()
        enough = 30 + dice.randrange(100)
        wait_until(lambda tasks=tasks, enough=enough: len(tasks) > enough)
        victim = next((t.worker for t in tasks if t.status is TaskStatus.RUNNING), None)
        if victim is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
        env.exit(grace=0.1)
        for thread in threads:
            thread.join(10)
        for task in tasks:
            assert task.wait_for(1).status.is_finished()
