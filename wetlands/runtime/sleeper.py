"""Where a thread sleeps until there are news, somebody wakes it, or its time has come."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

if sys.platform == "win32":
    import zmq

#: The longest sleep in milliseconds; waking up once too often does no harm.
_LONGEST = 3_600_000


class Sleeper:
    """Descriptors that have news, and a pair of sockets to be woken by.

    One thread at a time may sleep, within a ``with`` block. At its beginning the thread counts as
    asleep: it looks for work after that, and after each sleep, so that whoever makes some later
    finds somebody to wake.

    Attributes:
        until: When the sleep ends at the latest; infinity for who is not, or not yet, asleep.
    """

    def __init__(self, *descriptors: int) -> None:
        self.until = math.inf
        self._asleep = False
        self._turn = 0  #: how often he has looked for work, or is about to
        self._called = 0  #: in which of these turns somebody has woken him
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._own = self._read.fileno()
        self._watch_pair = _poll(self._own)
        self._watch_all = _poll(self._own, *[one for one in descriptors if one >= 0])

    def __enter__(self) -> Sleeper:
        self._turn += 1
        self._asleep = True
        return self

    def __exit__(self, *error: object) -> None:
        self._asleep = False
        self.until = math.inf

    def sleep(self, until: float, aside: float | None = None) -> list[int]:
        """Sleep until ``until`` at most, in monotonic seconds; return which descriptors have news.

        Args:
            until: The moment, or infinity.
            aside: Sleep beside the descriptors, and no longer than this, in seconds.
        """
        self.until = until
        left = until if until == math.inf else until - time.monotonic()
        if aside is not None:
            left = min(left, aside)
        watch = self._watch_all if aside is None else self._watch_pair
        news = []
        for descriptor, _ in watch(_milliseconds(left)):
            if descriptor != self._own:
                news.append(descriptor)
            else:
                with contextlib.suppress(BlockingIOError):  # meant for who slept here before
                    self._read.recv(4096)
        self._turn += 1
        return news

    def wake(self) -> None:
        """Wake who sleeps; for any thread, signal handlers and finalizers."""
        turn = self._turn
        if self._asleep and self._called != turn:
            # The flag is the sleeper's alone: were it lowered here, an exception of a signal
            # handler between the two lines would leave it asleep for good.
            with contextlib.suppress(OSError):  # plenty of wake-ups are under way, or all is over
                self._write.send(b"\0")
            # Who wakes him again before he has got up need not. Last, so that it is true; and by
            # the number of the turn, as he may lie down again right now.
            self._called = turn

    release = wake  #: so that a latch can wake it

    def close(self) -> None:
        """Close the descriptors; nobody sleeps any more."""
        self._read.close()
        self._write.close()


def _poll(*descriptors: int) -> Callable[[int], list[tuple[int, int]]]:
    """Return what waits so many milliseconds until descriptors can be read, and says which can."""
    if sys.platform == "win32":
        return partial(zmq.zmq_poll, [(descriptor, zmq.POLLIN) for descriptor in descriptors])
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return poll.poll


def _milliseconds(seconds: float) -> int:
    return _LONGEST if seconds == math.inf else max(0, min(_LONGEST, math.ceil(seconds * 1000)))
