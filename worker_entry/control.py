"""The control thread: asleep in the kernel until the host asks for a stop, or is gone.

It exists because the main thread runs user code, which may not look at any socket for hours.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, Callable

import zmq

from worker_entry import protocol


class Control(threading.Thread):
    """Reads the control socket and watches the lifeline."""

    def __init__(self, socket: Any, lifeline: int, interrupt: Callable[[int, int], None]) -> None:
        super().__init__(name="wetlands-control", daemon=True)
        self._socket = socket
        self._lifeline = lifeline
        self._interrupt = interrupt

    def run(self) -> None:
        """Serve until the process ends."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        if self._lifeline >= 0:
            poller.register(self._lifeline, zmq.POLLIN | zmq.POLLERR)
        while True:
            try:
                ready = dict(poller.poll())
                if self._lifeline in ready:
                    die_with_the_host()
                if self._socket in ready:
                    self._handle(self._socket.recv_multipart())
            except zmq.ContextTerminated:
                self._socket.close(0)
                return

    def _handle(self, frames: Any) -> None:
        message = protocol.decode(frames)
        if isinstance(message, protocol.Interrupt):
            self._interrupt(message.task, message.attempt)


def tie_to_host(lifeline: int) -> None:
    """Have the kernel kill this process group when the host's end of the lifeline closes.

    The lifeline is a pipe into which nothing is ever written. On Linux its hang-up is turned into
    a SIGKILL by the kernel itself (`O_ASYNC`, `F_SETOWN`, `F_SETSIG`), which no C code that holds
    the GIL can put off; the control thread's own watch is for systems without `F_SETSIG`.
    PR_SET_PDEATHSIG is no way: it fires when the *thread* that started us ends.
    """
    if lifeline < 0 or not sys.platform.startswith("linux"):
        return
    import fcntl

    set_signal = 10  # F_SETSIG, which the fcntl module does not name
    # The group, so that children that a task started go too. A worker leads its own session.
    owner = -os.getpgrp() if os.getpgrp() == os.getpid() else os.getpid()
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, owner)
    fcntl.fcntl(lifeline, set_signal, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)


def die_with_the_host() -> None:
    """End this process and its group, without any cleaning up: nobody is left to hear of it."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
