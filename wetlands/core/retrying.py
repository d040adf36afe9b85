"""Tasks that get another try: how many they have had, and what waits for the next one.

A pause is waited out here, in the queue: no worker is held by a task that waits.
"""

from __future__ import annotations

import heapq
import itertools
import math

from wetlands.core.events import Outcome, WorkerId
from wetlands.core.policy import RetryPlan
from wetlands.core.slot import Task

#: Failures that took the worker with them.
LOSSES = frozenset({Outcome.LOST, Outcome.SILENT, Outcome.OUT_OF_MEMORY})
#: Failures that a worker lives on after, or could have.
ERRORS = frozenset({Outcome.FAILED, Outcome.TIMED_OUT})


class Retrying:
    """What one task has had of its plan."""

    __slots__ = ("dice", "errors", "home", "losses", "plan", "verdict")

    def __init__(self, plan: RetryPlan, dice: float) -> None:
        self.plan = plan
        self.dice = dice
        self.errors = 0
        self.losses = 0
        self.home: WorkerId | None = None  #: where a bound task must run the next time
        #: How the last run ended, while somebody thinks about whether to try again.
        self.verdict: tuple[Outcome, WorkerId | None, object] | None = None

    def count(self, outcome: Outcome) -> bool:
        """Take note of a run that ended; say whether there may be another one."""
        if outcome in LOSSES:
            self.losses += 1
            return self.losses <= self.plan.on_lost
        if outcome in ERRORS:
            self.errors += 1
            return self.errors <= self.plan.on_error
        return False

    def forgives_an_error(self) -> bool:
        """Say whether there would be another run if this one failed now."""
        return self.errors < self.plan.on_error

    def pause(self) -> float:
        """Return the seconds before the next run."""
        return self.plan.pause(self.errors + self.losses, self.dice)


class Waiting:
    """Tasks that wait out a pause, or for somebody to decide about them (then without an end).

    O(log n) each; a task that is taken out leaves its place in the heap behind, and those are
    swept when they outnumber the tasks.

    Attributes:
        tasks: Those that wait, with when that is over; to be read.
    """

    def __init__(self) -> None:
        self.tasks: dict[int, tuple[float, Task]] = {}
        self._heap: list[tuple[float, int, int]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self.tasks)

    def __contains__(self, task: int) -> bool:
        return task in self.tasks

    def add(self, task: Task, due: float) -> None:
        """Have the task wait until ``due``; it may wait already."""
        self.tasks[task.id] = (due, task)
        if due < math.inf:
            heapq.heappush(self._heap, (due, next(self._order), task.id))
        self._sweep()

    def remove(self, task: int) -> None:
        """Take a task out before its time."""
        del self.tasks[task]
        self._sweep()

    def pop(self, now: float) -> Task | None:
        """Take out a task whose pause is over, the one that is due first; None if there is none."""
        while self._heap and self._heap[0][0] <= now:
            due, _, task = heapq.heappop(self._heap)
            if self.tasks.get(task, (math.inf, None))[0] == due:
                found = self.tasks.pop(task)[1]
                self._sweep()
                return found
        return None

    def pop_any(self) -> Task | None:
        """Take out a task, due or not: the one that has waited longest; None if there is none."""
        if not self.tasks:
            return None
        found = self.tasks.pop(next(iter(self.tasks)))[1]
        self._sweep()
        return found

    def next(self) -> float:
        """Return the moment of the first entry; it may be early, never late."""
        return self._heap[0][0] if self._heap else math.inf

    def clear(self) -> None:
        """Forget everything."""
        self.tasks.clear()
        self._heap.clear()

    def _sweep(self) -> None:
        if len(self._heap) <= 2 * len(self.tasks) + 8:
            return
        self._heap = [
            entry
            for entry in self._heap
            if self.tasks.get(entry[2], (math.inf, None))[0] == entry[0]
        ]
        heapq.heapify(self._heap)
