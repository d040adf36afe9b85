"""Back-pressure: who submits waits while too many tasks are queued."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable

from wetlands.errors import QueueFullError
from wetlands.runtime.loop import Loop

#: Seconds between looks at whether the pool has closed meanwhile.
_LOOK = 0.5


class Gate:
    """Counts the tasks that no worker has been given yet. Safe to use from any thread.

    A task that waits for another try is not counted: it was let in before, and may not be kept out.

    No `threading.Condition`: Ctrl-C can leave one locked, and whoever serves all pools would then
    wait for it in `leave`. A lock that is entered in C is taken whole or not at all.
    """

    def __init__(self, limit: int, loop: Loop, check_open: Callable[[], None]) -> None:
        self._limit = limit
        self._loop = loop
        self._check_open = check_open
        self._lock = threading.RLock()
        self._waiters: deque[threading.Lock] = deque()
        self._queued = 0

    def enter(self, queue: Callable[[], None], *, block: bool) -> None:
        """Queue a task when there is room for it.

        Raises:
            QueueFullError: There is none, and ``block`` is false.
            PoolClosedError, PoolBrokenError: The pool ended while the caller waited.
        """
        while not self._let_in(queue):
            if not block:
                raise QueueFullError(
                    f"{self._queued} tasks are queued, and max_queued is {self._limit}: wait "
                    "for some to begin, or submit without block=False."
                )
            self._wait()
            self._check_open()

    def leave(self) -> None:
        """Take note that a task was given to a worker, or ended before; does not wait."""
        with self._lock:
            self._queued -= 1
            if self._waiters:
                self._waiters.popleft().release()

    def _let_in(self, queue: Callable[[], None]) -> bool:
        with self._lock:
            # In the middle of a pass nobody would make room; a finalizer's task is let in.
            if self._queued >= self._limit and not self._loop.in_pass():
                return False
            # In this order: an interruption in between lets one more in, and never keeps one out.
            queue()
            self._queued += 1
            return True

    def _wait(self) -> None:
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            self._loop.attend()
            if self._queued >= self._limit:  # there may be room since before we could be found
                waiter.acquire(timeout=_LOOK)
        finally:
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
