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


class SignalBell:
    """Sleeps until there is a message; for the main thread.

    Attributes:
        ends: What is read from and what is written to; empty if no descriptor can be had.
    """

    def __init__(self, zmq_socket: Any) -> None:
        self._socket = zmq_socket
        self.ends: tuple[int, ...] = ()
        self._number = -1  #: of the end that is written to
        self._identities: tuple[Any, ...] = ()
        self._make()

    def sleep(self, limit: int = -1) -> bool:
        """Sleep until there is a message; handlers of signals run meanwhile, and may raise.

        Args:
            limit: The milliseconds after which to stop waiting; -1: none.

        Returns:
            Whether there is a message.
        """
        while True:
            if not self._is_whole():
                self._make()
            theirs = _ring(self._number)
            try:
                ready = zeromq.poll(self._watched, limit)
            finally:
                _ring(theirs)
            if ready and ready[0][0] is self._socket:
                return True
            if not ready and limit >= 0:
                return False
            if ready and self._is_whole():  # otherwise there is a new pair for the next turn
                with contextlib.suppress(OSError):  # a child that was forked took it
                    os.read(self.ends[0], 4096)

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


def _ring(number: int) -> int:
    """Have signals ring there; return where they did before."""
    try:
        return signal.set_wakeup_fd(number, warn_on_full_buffer=False)
    except (ValueError, OSError):  # it was closed meanwhile, or is something else
        return signal.set_wakeup_fd(-1)
