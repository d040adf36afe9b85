"""Back-pressure: who submits waits while too many tasks are queued."""

from __future__ import annotations

import threading
from collections.abc import Callable

from wetlands.errors import QueueFullError
from wetlands.runtime.loop import Loop

#: Seconds between looks at whether the pool has closed meanwhile.
_LOOK = 0.5


class Gate:
    """Counts the tasks that no worker has been given yet. Safe to use from any thread.

    A task that waits for another try is not counted: it was let in before, and may not be kept out.
    """

    def __init__(self, limit: int, loop: Loop, check_open: Callable[[], None]) -> None:
        self._limit = limit
        self._loop = loop
        self._check_open = check_open
        self._changed = threading.Condition()
        self._queued = 0

    def enter(self, queue: Callable[[], None], *, block: bool) -> None:
        """Queue a task when there is room for it.

        Raises:
            QueueFullError: There is none, and ``block`` is false.
            PoolClosedError, PoolBrokenError: The pool ended while the caller waited.
        """
        with self._changed:
            # In the middle of a pass nobody would make room; a finalizer's task is let in.
            while self._queued >= self._limit and not self._loop.in_pass():
                if not block:
                    raise QueueFullError(
                        f"{self._queued} tasks are queued, and max_queued is {self._limit}: wait "
                        "for some to begin, or submit without block=False."
                    )
                self._loop.attend()
                self._changed.wait(_LOOK)
                self._check_open()
            # In this order: an interruption in between lets one more in, and never keeps one out.
            queue()
            self._queued += 1

    def leave(self) -> None:
        """Take note that a task was given to a worker, or ended before; does not wait."""
        with self._changed:
            self._queued -= 1
            self._changed.notify()
