"""The delivery thread: the only background thread that runs code of the user.

Listeners, done-callbacks and log handlers run here, one at a time, in the order in which things
happened. They may wait, submit, cancel and raise: nothing that a pool needs to make progress ever
waits for this thread.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable

from wetlands.latch import Latch

logger = logging.getLogger(__name__)


class Delivery:
    """Runs callables on a thread of its own. Safe to use from any thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="wetlands-delivery", daemon=True)
        self._over = Latch()  #: it has come to its end, or is not to be waited for
        self._let_go = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Run ``function`` after everything that was handed over before."""
        self._queue.put(function)

    def is_current(self) -> bool:
        """Whether the caller runs on the delivery thread."""
        return threading.current_thread() is self._thread

    def flush(self, timeout: float) -> None:
        """Wait until what was handed over so far has run, ``timeout`` seconds at most."""
        if not self.is_current():
            done = threading.Event()
            self.call(done.set)
            done.wait(timeout)

    def let_go(self) -> None:
        """Have nobody wait for the end of the thread: it is the caller, who waits for others."""
        self._let_go = True
        self._over.set()

    def stop(self, timeout: float) -> None:
        """End the thread when it has delivered what it has; wait ``timeout`` seconds for that."""
        self._queue.put(None)
        if self.is_current():
            return
        if self._over.wait(timeout) and not self._let_go:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._deliver()
        finally:
            self._over.set()

    def _deliver(self) -> None:
        while True:
            function = self._queue.get()
            if function is None:
                return
            try:
                function()
            except BaseException:  # sys.exit() in a callback must not end all deliveries
                with contextlib.suppress(Exception):  # the callback may be a log handler
                    logger.exception("A callback raised")
            del function  # or it would keep its task alive until the next one comes
