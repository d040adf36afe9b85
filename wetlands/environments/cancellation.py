"""`Cancellation`: how one thread ends a creation that another is in the middle of."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from wetlands.environments.flock import FileLock
from wetlands.errors import CreationCanceledError

_SHORTEST, _LONGEST = 0.01, 0.2  # seconds between two looks at a lock that others hold


class Cancellation:
    """Ends what it was given to, as soon as that is possible without leaving anything behind.

    Safe to use from any thread, and for any number of creations at once; it is used up by
    `cancel`.
    """

    def __init__(self) -> None:
        self._canceled = threading.Event()
        # A signal handler may cancel in the middle of anything that its own thread does here.
        self._guard = threading.RLock()
        self._calls: list[Callable[[], object]] = []

    @property
    def canceled(self) -> bool:
        """Whether `cancel` was called."""
        return self._canceled.is_set()

    def cancel(self) -> None:
        """End what this was given to: it raises `CreationCanceledError`. Returns at once."""
        with self._guard:
            self._canceled.set()
            for call in tuple(self._calls):
                call()

    def check(self) -> None:
        """Raise `CreationCanceledError` if `cancel` was called."""
        if self.canceled:
            raise CreationCanceledError("canceled, as was asked for; nothing is left behind")

    @contextlib.contextmanager
    def calling(self, call: Callable[[], object]) -> Iterator[None]:
        """Have a function called by `cancel`, in its thread, while the block runs."""
        with self._guard:
            self.check()
            self._calls.append(call)
        try:
            yield
        finally:
            with self._guard:
                self._calls.remove(call)

    def acquire(self, lock: FileLock, *, shared: bool = False) -> None:
        """Wait for a lock; see `FileLock.acquire`.

        Raises:
            CreationCanceledError: `cancel` was called meanwhile.
        """
        pause = _SHORTEST
        while not lock.acquire(shared=shared, block=False):
            self._canceled.wait(pause)
            self.check()
            pause = min(_LONGEST, pause * 1.5)
