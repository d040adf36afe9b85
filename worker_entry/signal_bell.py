"""What ends the sleep of the main thread when a signal arrives, so that handlers of users run.

A handler in Python runs when the main thread is back in the interpreter. One that comes in the
instant before the thread sleeps, or that the kernel gives to another thread, wakes nobody: it would
be handled with the next message. But the interpreter can also write a byte for each signal
(`signal.set_wakeup_fd`), and a descriptor that has it ends the sleep, or lets it not even begin.

There is one such descriptor for a process, and tasks may take it for themselves (asyncio does, and
leaves none behind), or close what they do not know. So it is ours for the length of each sleep, and
what was there before is put back when the sleep is over.

It is a pipe: to load the module that makes sockets takes a fifth of the time of a worker's imports.
Windows, where only sockets can be waited for, has no signals that would come to a worker.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from worker_entry import zeromq
from worker_entry.streams import identity

#: What ends a sleep.
MESSAGE, BYTE, NOTHING = "message", "byte", "nothing"


class SignalBell:
    """Sleeps until there is a message, or a byte of the host's; for the main thread.

    Args:
        zmq_socket: Where messages arrive.
        bell: Where the host rings, if it has put a message elsewhere; -1 if it can't.

    Attributes:
        ends: What is read from and what is written to; empty if no descriptor can be had.
    """

    def __init__(self, zmq_socket: Any, bell: int = -1) -> None:
        self._socket = zmq_socket
        self._bell = bell
        self._bell_identity = identity(bell) if bell >= 0 else None
        self.ends: tuple[int, ...] = ()
        self._number = -1  #: of the end that is written to
        self._identities: tuple[Any, ...] = ()
        self._make()

    def hears(self) -> bool:
        """Whether the host can end the sleep by a byte: tasks may have closed what has it."""
        return self._bell_identity is not None and identity(self._bell) == self._bell_identity

    def sleep(self, limit: int = -1) -> str:
        """Sleep until there is something; handlers of signals run meanwhile, and may raise.

        Args:
            limit: The milliseconds after which to stop waiting; -1: none.

        Returns:
            What ended it: `MESSAGE`, `BYTE`, or `NOTHING` if that was the limit.
        """
        hears = self.hears()
        while True:
            if not self._is_whole():
                self._make()
            watched = self._watched
            if hears:
                watched = [*watched, (self._bell, zeromq.POLLIN)]
            theirs = _ring(self._number)
            try:
                ready = [found for found, _ in zeromq.poll(watched, limit)]
            finally:
                _ring(theirs)
            if self.hears() != hears:
                return BYTE  # the host has to be told that it would ring in vain
            if self._bell in ready:
                _drain(self._bell)
            if self.ends and self.ends[0] in ready and self._is_whole():
                _drain(self.ends[0])  # otherwise there is a new pair for the next turn
            if self._socket in ready:
                return MESSAGE
            if self._bell in ready:
                return BYTE
            if not ready and limit >= 0:
                return NOTHING

    def _is_whole(self) -> bool:
        """Whether the ends are still ours, and neither closed nor somebody else's by now."""
        return self._number >= 0 and tuple(map(identity, self.ends)) == self._identities

    def _make(self) -> None:
        for end, ours in zip(self.ends, self._identities):
            if identity(end) == ours:  # else the number is somebody else's
                os.close(end)
        self.ends, self._identities, self._number = (), (), -1
        self._watched: list[tuple[Any, int]] = [(self._socket, zeromq.POLLIN)]
        if os.name == "nt":
            return
        try:
            ends = os.pipe()
        except OSError:  # tasks have taken all descriptors
            return
        # Together: what a handler raises must not part them from what they are closed by.
        self.ends, self._identities = ends, tuple(map(identity, ends))
        for end in ends:
            os.set_blocking(end, False)
        self._watched.append((ends[0], zeromq.POLLIN))
        self._number = ends[1]  # last: only now it is whole


def _drain(number: int) -> None:
    with contextlib.suppress(OSError):  # a child that was forked took it
        os.read(number, 4096)


def _ring(number: int) -> int:
    """Have signals ring there; return where they did before."""
    try:
        return signal.set_wakeup_fd(number, warn_on_full_buffer=False)
    except (ValueError, OSError):  # it was closed meanwhile, or is something else
        return signal.set_wakeup_fd(-1)
