"""A storm: threads that submit, cancel, kill, resize and restart by dice, and what must be true of
every task afterwards.

The same seed throws the same dice in every thread; what the operating system makes of it differs.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.integration.conftest import WORK
from tests.support.waiting import wait_until
from wetlands import Environment, RetryPolicy
from wetlands.errors import OutOfMemoryError, PoisonTaskError, TaskTimeoutError, WorkerLostError
from wetlands.task import Task, TaskEventType, TaskStatus

ENDS = {
    TaskStatus.COMPLETED: TaskEventType.COMPLETION,
    TaskStatus.FAILED: TaskEventType.FAILURE,
    TaskStatus.CANCELED: TaskEventType.CANCELATION,
}
AGAIN = RetryPolicy(on_error=1, on_lost=2, delay=0.01)
#: What the storm itself can do to any task.
HAZARDS = (WorkerLostError, TaskTimeoutError)


@dataclass
class Act:
    """A task of the storm."""

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    may_complete: bool = True
    task: Task[Any] | None = None
    events: list[Any] = field(default_factory=list)


def throw(dice: random.Random, value: Any) -> Act:
    """Choose what a task does."""
    moment = dice.random() / 20
    ordinary = [
        Act("echo", (value,), result=value),
        Act("echo", (value,), {"retries": AGAIN}, result=value),
        Act("report", (3,), result=3),
        Act("silent_for", (moment,), result="spoke"),
        Act("flood", (500,), result=500),
    ]
    rude = [
        Act("fail", (str(value),), may_complete=False),
        Act("fail", (str(value),), {"retries": AGAIN}, may_complete=False),
        Act("wait_until_asked", (), {"timeout": 0.05}, may_complete=False),
        Act("cancel_unasked", (), may_complete=False),
        Act("close_streams", (), result="closed"),
    ]
    deadly = [
        Act("die", (dice.choice(["exit 0", "SIGSEGV", "SIGABRT"]),), may_complete=False),
        Act("die", ("SIGKILL",), {"retries": AGAIN}, may_complete=False),
        Act("stop_yourself", (), may_complete=False),
        Act("hold_gil", (5.0,), {"timeout": 0.05}, may_complete=False),
        Act("hog", (250, 5.0), may_complete=False),
    ]
    return dice.choice(dice.choices([ordinary, rude, deadly], [80, 17, 3])[0])


class Storm:
    """Threads that do all of this until the time is over."""

    def __init__(self, env: Environment, seed: int, size: int) -> None:
        self.env = env
        self.seed = seed
        self.size = size
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.acts: list[Act] = []
        self.broken: list[BaseException] = []
        self.told: deque[str] = deque(maxlen=300)

    def tell(self, text: str) -> None:
        self.told.append(f"{time.monotonic():.3f} {threading.current_thread().name}: {text}")

    def story(self) -> str:
        """Return what to do about a failure."""
        head = f"WETLANDS_STORM_SEED={self.seed} throws the same dice; the last that was done:"
        return "\n".join([head, *self.told])

    # -- what the threads do ----------------------------------------------------------------------

    def submit(self, number: int) -> None:
        dice = random.Random(f"{self.seed}-submit-{number}")
        count = 0
        while not self.over.is_set():
            count += 1
            act = throw(dice, (number, count))
            task = self.env.submit(WORK, act.name, act.args, start=False, **act.options)
            act.task = task
            task.listen(lambda event: 1 / 0)
            task.listen(act.events.append)
            with self.lock:
                self.acts.append(act)
            task.start()
            self.tell(f"submitted {task.number} {act.name} {act.options}")
            if dice.random() < 0.2:
                task.cancel(dice.choice([None, None, 0, 0.05]))
            if dice.random() < 0.5:
                task.wait_for(60)

    def cancel(self) -> None:
        dice = random.Random(f"{self.seed}-cancel")
        while not self.over.wait(dice.random() / 50):
            with self.lock:
                act = dice.choice(self.acts) if self.acts else None
            if act is not None and act.task is not None:
                act.task.cancel(dice.choice([None, 0.02]))

    def kill(self) -> None:
        dice = random.Random(f"{self.seed}-kill")
        while not self.over.wait(0.05 + dice.random() / 4):
            links = list(self.env._pool._driver._workers.values())  # type: ignore[union-attr]
            pids = [link.process.pid for link in links if link.process is not None]
            if pids:
                how = dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
                victim = dice.choice(pids)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, how)
                self.tell(f"{how.name} for {victim}")

    def change(self) -> None:
        dice = random.Random(f"{self.seed}-change")
        while not self.over.wait(0.2 + dice.random() / 2):
            size = dice.randrange(self.size // 2, self.size + 1)
            self.tell(f"{size} workers")
            self.env.resize(size)
            if dice.random() < 0.2:
                self.tell("restart")
                self.env.restart()

    def run(self, seconds: float, submitters: int) -> None:
        """Rage for some time; return when all threads have ended."""
        targets: list[Any] = [self.cancel, self.kill, self.change]
        targets += [lambda number=number: self.submit(number) for number in range(submitters)]
        threads = [threading.Thread(target=self._guard, args=(target,)) for target in targets]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end or self.broken, timeout=seconds + 10)
        self.over.set()
        for thread in threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in threads), "somebody hangs"
        assert self.broken == []

    def _guard(self, target: Any) -> None:
        try:
            target()
        except BaseException as error:
            self.broken.append(error)

    # -- what must be true ------------------------------------------------------------------------

    def check(self) -> None:
        """Check that each task has ended once, with its own result or a true reason."""
        for act in self.acts:
            task = act.task
            assert task is not None
            assert task.wait_for(60).status.is_finished()
            wait_until(lambda act=act, task=task: _last(act) is ENDS[task.status])
            kinds = [event.type for event in act.events]
            assert sum(kind in ENDS.values() for kind in kinds) == 1, (act, kinds)
            self._check_outcome(act, task)
        assert len({act.task.id for act in self.acts if act.task}) == len(self.acts)

    def _check_outcome(self, act: Act, task: Task[Any]) -> None:
        if task.status is TaskStatus.COMPLETED:
            assert act.may_complete, act
            assert task.result == act.result, act
        elif task.status is TaskStatus.FAILED and not isinstance(task.exception, HAZARDS):
            assert act.name == "fail", (act, task.error)
            assert task.error == f"ValueError: {act.args[0]}"
        if isinstance(task.exception, PoisonTaskError):
            assert len(task.attempts) >= 3
        if isinstance(task.exception, OutOfMemoryError):
            assert act.name == "hog", act
        if act.options.get("retries") is None:
            assert len(task.attempts) <= 1


def _last(act: Act) -> Any:
    return act.events[-1].type if act.events else None
