"""What a driver tells its core about workers besides their tasks: memory, and values they keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from wetlands.core.events import Event, WorkerMeasured, WorkerPinned
from wetlands.core.policy import PoolConfig
from wetlands.runtime.link import WorkerLink

#: Seconds between two looks at the memory of a worker at work, where that is limited.
PERIOD = 0.05


class Upkeep:
    """Measures workers, and counts what they keep. For the holder of the loop's role.

    Args:
        config: The limits.
        handle: Takes events for the core.
        call_later: Calls something after some seconds, in a pass.
    """

    def __init__(
        self,
        config: PoolConfig,
        handle: Callable[[Event], None],
        call_later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self.limited = config.max_memory < math.inf
        self._max_memory = config.max_memory
        self._handle = handle
        self._call_later = call_later
        self._watching = False

    def watch(self, workers: Callable[[], Iterable[WorkerLink]]) -> None:
        """Look at the memory of busy workers every now and then, for as long as there are any."""
        if not self._watching:
            self._watching = True
            self._call_later(PERIOD, lambda: self._look(workers))

    def measure(self, worker: WorkerLink) -> None:
        """Tell what a worker takes that is done with its task."""
        if worker.process is not None:
            self._handle(WorkerMeasured(worker.id, float(worker.process.memory())))

    def keep(self, worker: WorkerLink) -> None:
        """Take note of a value that a worker keeps."""
        worker.kept += 1
        if worker.kept == 1:
            self._handle(WorkerPinned(worker.id, pinned=True))

    def drop(self, worker: WorkerLink) -> None:
        """Take note of one that it need not keep any more."""
        worker.kept -= 1
        if worker.kept == 0:
            self._handle(WorkerPinned(worker.id, pinned=False))

    def _look(self, workers: Callable[[], Iterable[WorkerLink]]) -> None:
        self._watching = False
        busy = [w for w in workers() if w.busy_with is not None and w.process is not None]
        for worker in busy:
            assert worker.process is not None
            memory = float(worker.process.memory())
            if memory > self._max_memory:
                self._handle(WorkerMeasured(worker.id, memory))
        if busy:
            self.watch(workers)
