"""The end of tasks: several together, when a pass is over, as it wakes those who wait."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from wetlands.core.commands import ResolveTask
from wetlands.core.events import Outcome
from wetlands.runtime.ending import Endings
from wetlands.runtime.entry import Entry
from wetlands.runtime.host import Host
from wetlands.runtime.link import WorkerLink
from wetlands.task import Task
from wetlands.task_event import TaskWorker

if TYPE_CHECKING:
    from wetlands.runtime.driver import Driver

#: A task, the frame, and how many seconds it took.
Returned = tuple[Task[Any], bytes, float]
#: How many tasks end together, before others get their turn.
TOGETHER = 8


class Over(NamedTuple):
    """A task that is about to end, and the command that says how."""

    task: Task[Any]
    command: ResolveTask
    timeout: float
    worker: TaskWorker | None
    seconds: float


class Finishing:
    """Ends the tasks of one pool. For the holder of the loop's role."""

    def __init__(self, driver: Driver, host: Host, endings: Endings) -> None:
        self._driver = driver
        self._loop = host.loop
        self._endings = endings
        self._over: deque[Over] | None = None  #: tasks that end at the end of this pass

    def finish(
        self,
        entry: Entry,
        command: ResolveTask,
        worker: TaskWorker | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Have a task end as a command says, when this pass is over.

        Args:
            entry: The task.
            command: How it ends.
            worker: Who ran it, if that was not told.
            seconds: How long it took.
        """
        del self._driver.entries[entry.task.number]
        if self._driver.gate is not None:
            self._driver.leave_gate(entry)
        entry.payload = ()  # before anybody hears of the end, and submits what needs its space
        over = Over(entry.task, command, entry.terms.timeout, worker, seconds)
        if self._over is None or len(self._over) == TOGETHER:
            self._over = deque((over,))
            self._loop.at_end_of_pass(self._driver, partial(self._tell, self._over))
        else:
            self._over.append(over)

    def complete(self, worker: WorkerLink, returned: deque[Returned]) -> None:
        """Have tasks end that have returned a value of one frame, when this pass is over."""
        self._loop.at_end_of_pass(self._driver, partial(self._hand_out, worker.public, returned))

    def _hand_out(self, worker: TaskWorker | None, returned: deque[Returned]) -> None:
        load, now = self._endings.load, time.monotonic()
        try:
            while returned:
                task, frame, seconds = returned.popleft()
                task._complete(load, frame, worker, seconds, now)
        finally:
            if returned:  # as below
                again = partial(self._hand_out, worker, returned)
                self._loop.at_end_of_pass(self._driver, again)

    def _tell(self, over: deque[Over]) -> None:
        if over is self._over:
            self._over = None
        try:
            while over:
                task, command, timeout, worker, seconds = over.popleft()
                value: Any = command.detail
                alone = isinstance(value, tuple) and len(value) == 1 and worker is None
                if alone and command.outcome is Outcome.COMPLETED:
                    task._complete(self._endings.load, value[0], None, 0.0, time.monotonic())
                    continue
                # Only now: many may end at once, and texts take time.
                task._finish(*self._endings.of(command, task, timeout), worker, seconds)
        finally:
            if over:  # something was raised, which is no reason to keep others waiting
                self._loop.at_end_of_pass(self._driver, partial(self._tell, over))
