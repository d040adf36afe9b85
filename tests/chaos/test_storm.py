"""Everything at once, from several threads, by dice: every task ends once, as it may, and the pool
is whole in the end."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.integration.conftest import WORK, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import PoolBrokenError, PoolClosedError, TaskTimeoutError, WorkerLostError
from wetlands.task import Task, TaskEventType, TaskStatus

ENDS = {
    TaskStatus.COMPLETED: TaskEventType.COMPLETION,
    TaskStatus.FAILED: TaskEventType.FAILURE,
    TaskStatus.CANCELED: TaskEventType.CANCELATION,
}


class Storm:
    """Threads that submit, cancel and kill until the time is over."""

    def __init__(self, env: Environment, seed: int) -> None:
        self.env = env
        self.seed = seed
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.submitted: list[tuple[Task[Any], str, Any, list[Any]]] = []

    def submit(self, number: int) -> None:
        dice = random.Random(f"{self.seed}-submit-{number}")
        count = 0
        while not self.over.is_set():
            count += 1
            value = (number, count)
            name, args, options = dice.choice(
                [
                    ("echo", (value,), {}),
                    ("echo", (value,), {}),
                    ("report", (3,), {}),
                    ("fail", (str(value),), {}),
                    ("wait_until_asked", (), {"timeout": 0.05}),
                    ("silent_for", (dice.random() / 20,), {}),
                    ("cancel_unasked", (), {}),
                    ("die", (dice.choice(["exit 0", "SIGSEGV"]),), {}),
                ]
            )
            events: list[Any] = []
            task = self.env.submit(WORK, name, args, start=False, **options)
            task.listen(events.append)
            with self.lock:
                self.submitted.append((task, name, args, events))
            task.start()
            if dice.random() < 0.3:
                task.cancel(dice.choice([None, None, 0, 0.05]))
            if dice.random() < 0.5:
                task.wait_for(30)

    def cancel(self) -> None:
        dice = random.Random(f"{self.seed}-cancel")
        while not self.over.wait(dice.random() / 100):
            with self.lock:
                task = dice.choice(self.submitted)[0] if self.submitted else None
            if task is not None:
                task.cancel(dice.choice([None, 0.02]))

    def kill(self) -> None:
        dice = random.Random(f"{self.seed}-kill")
        while not self.over.wait(0.05 + dice.random() / 5):
            with self.lock:
                running = [t for t, *_ in self.submitted[-50:] if t.status is TaskStatus.RUNNING]
            worker = dice.choice(running).worker if running else None
            if worker is not None and self._is_ours(worker.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, dice.choice([signal.SIGKILL, signal.SIGTERM]))

    def run(self, seconds: float) -> None:
        targets: list[Any] = [self.cancel, self.kill]
        targets += [lambda number=number: self.submit(number) for number in range(4)]
        threads = [threading.Thread(target=target) for target in targets]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end, timeout=seconds + 10)
        self.over.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)

    def _is_ours(self, pid: int) -> bool:
        links = list(self.env._pool._driver._workers.values())  # type: ignore[union-attr]
        return any(link.process is not None and link.process.pid == pid for link in links)


@pytest.mark.parametrize("seconds", [3, pytest.param(180, marks=pytest.mark.long)])
def test_in_a_storm_every_task_ends_once_as_it_may(launch: Launch, seconds: int) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # shown when the test fails
    env = launch(max_workers=3)
    storm = Storm(env, seed)
    storm.run(seconds)
    totals: Counter[str] = Counter()
    for task, name, args, events in storm.submitted:
        assert task.wait_for(30).status.is_finished()
        totals[task.status.name] += 1
        _check(task, name, args)
        kinds = [event.type for event in events]
        assert kinds.count(ENDS[task.status]) == 1, (seed, name, kinds)
        assert kinds[-1] is ENDS[task.status], (seed, name, kinds)
        assert not set(kinds[:-1]) & set(ENDS.values()), (seed, name, kinds)
    assert sum(totals.values()) == len(storm.submitted) > 20
    wait_until(lambda: env.worker_count == 3, timeout=30)
    tasks = env.map_tasks(WORK, "echo", range(100))
    assert [task.wait_for(10).result for task in tasks] == list(range(100))


def _check(task: Task[Any], name: str, args: Any) -> None:
    if task.status is TaskStatus.COMPLETED:
        expected = {"echo": args[0] if args else None, "report": 3, "silent_for": "spoke"}
        assert task.result == expected[name], (name, task)
    elif not isinstance(task.exception, (WorkerLostError, TaskTimeoutError, type(None))):
        assert (name, task.error) == ("fail", f"ValueError: {args[0]}"), task.error


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
