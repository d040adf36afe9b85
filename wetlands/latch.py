"""An event that stays whole when a signal handler raises in who waits for it.

`threading.Event` has one lock for all. Ctrl-C can leave it locked for good, between taking it and
entering the block that would give it back, and then whoever sets the event waits forever: here
that is the thread that serves all pools. A latch has a lock for each who waits, and setting it
waits for nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque


class Latch:
    """Is set once, and waited for. Safe to use from any thread and in signal handlers."""

    __slots__ = ("_set", "_waiters")

    def __init__(self) -> None:
        self._set = False
        self._waiters: deque[threading.Lock] = deque()

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    def set(self) -> None:
        """Wake all who wait, now and later."""
        self._set = True
        while self._waiters:
            with contextlib.suppress(IndexError):  # another thread sets it as well
                self._waiters.popleft().release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, ``timeout`` seconds at most; say whether it is."""
        if self._set:
            return True
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            if not self._set:  # it may have been, before the waiter was there to be found
                limit = -1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX)
                waiter.acquire(timeout=limit)
        finally:
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
        return self._set
