"""An event that stays whole when a signal handler raises in who waits for it.

`threading.Event` has one lock for all. Ctrl-C can leave it locked for good, between taking it and
entering the block that would give it back, and then whoever sets the event waits forever: here
that is whoever serves all pools. A latch has a lock for each who waits, and setting it waits for
nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Protocol


class Waiter(Protocol):
    """Who waits in a way of his own, not in `Latch.wait`."""

    def release(self) -> None:
        """Wake him; must not wait, and may be called once too often."""


class Latch:
    """Is set once, and waited for. Safe to use from any thread and in signal handlers."""

    # What nobody has waited for is one object, which every task has: the garbage collector looks
    # at all of them again and again.
    _set = False
    _waiters: Sequence[Waiter] = ()

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    def set(self) -> None:
        """Wake all who wait, now and later."""
        self._set = True
        waiters = self._waiters
        while isinstance(waiters, list) and waiters:
            try:
                waiter = waiters.pop(0)
            except IndexError:  # another thread sets it as well
                return
            waiter.release()

    def add(self, waiter: Waiter) -> None:
        """Have somebody woken; who then must ask whether it was set before."""
        # In one step, so that of two threads which come first none is forgotten.
        vars(self).setdefault("_waiters", []).append(waiter)

    def discard(self, waiter: Waiter) -> None:
        """Forget somebody who does not wait any more."""
        waiters = self._waiters
        if waiter in waiters and isinstance(waiters, list):
            with contextlib.suppress(ValueError):  # whoever sets it has taken him out just now
                waiters.remove(waiter)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, ``timeout`` seconds at most; say whether it is."""
        if self._set:
            return True
        waiter = threading.Lock()
        waiter.acquire()
        self.add(waiter)
        try:
            if not self._set:  # it may have been, before the waiter was there to be found
                limit = -1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX)
                waiter.acquire(timeout=limit)
        finally:
            self.discard(waiter)
        return self._set
