"""What ends the sleep of the main thread when a signal arrives, so that handlers of users run.

A handler in Python runs when the main thread is back in the interpreter. One that comes in the
instant before the thread sleeps, or that the kernel gives to another thread, wakes nobody: it would
be handled with the next message. But the interpreter can also write a byte for each signal
(`signal.set_wakeup_fd`), and a descriptor that has it ends the sleep, or lets it not even begin.

There is one such descriptor for a process, and tasks may take it for themselves (asyncio does, and
leaves none behind), or close what they do not know. So it is ours from just before each sleep on,
and what a task has left in its place is put back when the sleep is over.

It is a pipe: to load the module that makes sockets takes a fifth of the time of a worker's imports.
Windows, where only sockets can be waited for, has no signals that would come to a worker.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

import zmq


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

    def sleep(self) -> None:
        """Sleep until there is a message; handlers of signals run meanwhile, and may raise."""
        while True:
            theirs = self._hang_up()
            try:
                ready = zmq.zmq_poll(self._watched, -1)
            finally:
                if theirs not in (-1, self._number):
                    self._put_back(theirs)
            if ready and ready[0][0] is self._socket:
                return
            if ready:
                self._take()

    def _hang_up(self) -> int:
        """Have signals ring here; return where they did before."""
        if self._number < 0:
            self._make()
        try:
            return signal.set_wakeup_fd(self._number, warn_on_full_buffer=False)
        except (ValueError, OSError):  # it was closed, or is something else by now
            self._make()
            with contextlib.suppress(ValueError, OSError):
                return signal.set_wakeup_fd(self._number, warn_on_full_buffer=False)
            return -1

    def _put_back(self, theirs: int) -> None:
        with contextlib.suppress(ValueError, OSError):  # it has been closed
            signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)

    def _take(self) -> None:
        """Take what signals have written; have a new pair if a task took an end of this one."""
        if tuple(map(_identity, self.ends)) == self._identities:
            try:
                if os.read(self.ends[0], 4096):
                    return
            except BlockingIOError:  # a child that was forked took it
                return
        self._make()

    def _make(self) -> None:
        for end, identity in zip(self.ends, self._identities):
            if _identity(end) == identity:  # else the number is somebody else's
                os.close(end)
        self.ends, self._identities, self._number = (), (), -1
        self._watched: list[tuple[Any, int]] = [(self._socket, zmq.POLLIN)]
        if os.name == "nt":
            return
        try:
            self.ends = os.pipe()
        except OSError:  # tasks have taken all descriptors
            return
        for end in self.ends:
            os.set_blocking(end, False)
        self._identities = tuple(map(_identity, self.ends))
        self._watched.append((self.ends[0], zmq.POLLIN))
        self._number = self.ends[1]  # last: an exception may come from a handler


def _identity(end: int) -> Any:
    try:
        found = os.fstat(end)
    except OSError:
        return None
    return found.st_dev, found.st_ino
