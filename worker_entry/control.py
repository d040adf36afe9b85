"""The control thread: asleep in the kernel until the host asks for a stop, or is gone.

It exists because the main thread runs user code, which may not look at any socket for hours.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, Callable

from worker_entry import protocol
from worker_entry.connection import give_up, receive

#: How willingly the kernel shall end a worker; 1000 is most, and children inherit it.
OOM_SCORE = 800


class Control(threading.Thread):
    """Reads the control socket and watches the lifeline."""

    def __init__(self, socket: Any, lifeline: int, interrupt: Callable[[int, int], None]) -> None:
        super().__init__(name="wetlands-control", daemon=True)
        self._socket = socket
        self._lifeline = lifeline
        self._interrupt = interrupt
        self._ending = False

    def run(self) -> None:
        """Serve until the process ends, or the context of the socket does."""
        leave_signals_to_main_thread()
        try:
            self._serve()
        except Exception:  # whatever: to make the one for the end of a context may take files
            if not self._ending:
                raise
        finally:
            self._socket.close(linger=0)

    def end(self, context: Any) -> None:
        """End, and the context, which takes until what was said has been sent, or can't be."""
        self._ending = True
        context.term()

    def _serve(self) -> None:
        while True:
            message = receive(self._socket, self._lifeline)
            if not isinstance(message, protocol.Interrupt):
                give_up(f"{type(message).__name__} where only interrupts are taken")
            self._interrupt(message.task, message.attempt)


def leave_signals_to_main_thread() -> None:
    """Take no signals on this thread: one that arrives here would not wake the main thread."""
    if hasattr(signal, "pthread_sigmask"):
        crashes = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - crashes)


def go_first() -> None:
    """Have the kernel end this process rather than its host, should memory run out (Linux).

    Otherwise it takes whom it likes, which may be the host: a process that has done nothing.
    """
    try:
        with open("/proc/self/oom_score_adj", "r+") as file:
            if int(file.read()) < OOM_SCORE:
                file.seek(0)
                file.write(str(OOM_SCORE))
    except (OSError, ValueError):
        pass


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
