"""The end of tasks: several together, when a pass is over, as it wakes those who wait."""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from wetlands.core.commands import ResolveTask
from wetlands.runtime.ending import Ending, Endings, Loader
from wetlands.runtime.entry import Entry
from wetlands.runtime.host import Host
from wetlands.runtime.link import WorkerLink
from wetlands.task import Task
from wetlands.task_event import TaskStatus, TaskWorker

if TYPE_CHECKING:
    from wetlands.runtime.driver import Driver

# Without the constructor of the named tuple, which is written in Python.
_over = tuple.__new__
#: How many tasks end together, before others get their turn.
TOGETHER = 8


class Over(NamedTuple):
    """A task that is about to end, and how, or the command that says so."""

    task: Task[Any]
    ending: Ending | None
    command: ResolveTask | None
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
        over = (entry.task, None, command, entry.timeout, worker, seconds)
        self._finish(entry, _over(Over, over))

    def complete(self, entry: Entry, worker: WorkerLink, frame: bytes, seconds: float) -> None:
        """Do so for a task that returned a value of one frame."""
        took = seconds if seconds < math.inf else 0.0
        load = Loader(self._endings, (frame,), entry.task._name, worker.id)
        ending: Ending = (TaskStatus.COMPLETED, load, None)
        self._finish(entry, _over(Over, (entry.task, ending, None, 0.0, worker.public, took)))

    def _finish(self, entry: Entry, over: Over) -> None:
        del self._driver.entries[entry.task.number]
        if self._driver.gate is not None:
            self._driver.leave_gate(entry)
        entry.payload = ()  # before anybody hears of the end, and submits what needs its space
        if self._over is None or len(self._over) == TOGETHER:
            self._over = deque((over,))
            self._loop.at_end_of_pass(self._driver, partial(self._tell, self._over))
        else:
            self._over.append(over)

    def _tell(self, over: deque[Over]) -> None:
        if over is self._over:
            self._over = None
        try:
            while over:
                task, ending, command, timeout, worker, seconds = over.popleft()
                if command is not None:  # only now: many may end at once, and texts take time
                    ending = self._endings.of(command, task, timeout)
                assert ending is not None
                task._finish(*ending, worker, seconds)
        finally:
            if over:  # something was raised, which is no reason to keep others waiting
                self._loop.at_end_of_pass(self._driver, partial(self._tell, over))
