"""What one host process has once, whatever the number of its pools.

Made when the first pool opens and gone when the last one has closed: threads, socket, folder. Not
made at import, and not usable in a forked child, whose copies of all this are dead: a child closes
the lifelines, or its parent's workers would outlive their host for the child's sake.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from typing import Protocol

from wetlands.errors import ForkedError
from wetlands.latch import Latch
from wetlands.runtime.delivery import Delivery
from wetlands.runtime.folder import HostFolder, segment_folders
from wetlands.runtime.health import Health
from wetlands.runtime.launcher import Launcher
from wetlands.runtime.loop import Loop
from wetlands.runtime.process import WorkerProcess
from wetlands.runtime.reaper import Reaper
from wetlands.runtime.transport import Transport

logger = logging.getLogger(__name__)

#: How long each thread is given to end, in seconds.
_JOIN = 5.0
#: Not as long: what it waits for may be code for the environments that stay.
_FLUSH = 1.0


class Closable(Protocol):
    """A pool, seen from the end of the program."""

    def close(self, grace: float) -> None:
        """End all workers; running tasks get ``grace`` seconds."""


class Host:
    """Threads, socket and folder of this process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.forked = False  #: this is the copy in a forked child, where all of it is dead
        self.folder = HostFolder()
        self.segment_folders = segment_folders()
        self.transport = Transport(self.folder.path)
        self.delivery = Delivery()
        self.loop = Loop(self.transport, self.delivery.call)
        self.health = Health()
        self.launcher = Launcher()
        self.reaper = Reaper()
        self.processes: set[WorkerProcess] = set()
        self._ending = threading.Lock()  # taken by the thread that stops all others, for good
        self._ended = Latch()

    def start(self) -> None:
        """Start all threads."""
        for part in (self.loop, self.health, self.launcher, self.delivery):
            part.start()

    def check_process(self) -> None:
        """Refuse to work in a forked child.

        Raises:
            ForkedError: This process is not the one that launched the workers.
        """
        if self.forked:
            raise ForkedError(
                "This is a forked child of the process that launched the workers, and can't use "
                "them: launch an environment of its own here, or start the child with 'spawn'."
            )

    def stop(self) -> None:
        """End all threads: first what starts things, last what tells the user."""
        self.launcher.stop(_JOIN)
        self.reaper.stop()
        self.loop.stop(_JOIN)
        self.health.stop(_JOIN)
        self.transport.close()
        for folder in (self.folder, *self.segment_folders):
            folder.remove()
        self.delivery.stop(_JOIN)

    def end(self) -> None:
        """Stop, once, however often this is asked for; return when nothing is left."""
        if self.delivery.is_current():  # a listener exits
            self.delivery.let_go()
        if not self._ended.is_set():
            # On a thread, because waiting for it is all that Ctrl-C can interrupt then.
            threading.Thread(target=self._end, name="wetlands-stop").start()
            self._ended.wait()

    def _end(self) -> None:
        if self._ending.acquire(blocking=False):
            try:
                self.stop()
            finally:
                self._ended.set()

    def forget(self) -> None:
        """In a forked child: let go of what would keep the parent's workers alive."""
        self.forked = True
        self.loop.shield.forget()
        for folder in (self.folder, *self.segment_folders):
            folder.forget()
        self.reaper.forget()
        for process in list(self.processes):
            with contextlib.suppress(OSError):
                os.close(process.lifeline)


_lock = threading.Lock()
_host: Host | None = None
_users: set[Closable] = set()
_hooked = False


def acquire(user: Closable) -> Host:
    """Return this process's `Host`, for the user to give back with `release`."""
    global _host
    with _lock:
        if _host is None:
            _install_hooks()
            host = Host()
            host.start()
            _host = host
        _users.add(user)
        return _host


def release(user: Closable, host: Host) -> None:
    """Give the host back; the last user ends it, and every other one waits for that.

    Who leaves others behind waits for his own deliveries as well: who exited an environment has
    seen its last event and its last line.
    """
    global _host
    with _lock:
        _users.discard(user)
        shared = _host is host and bool(_users)
        if _host is host and not _users:
            _host = None
    if shared:
        host.delivery.flush(_FLUSH)
    else:
        host.end()


def _install_hooks() -> None:
    """Once in a process, with its first pool: nothing happens at import."""
    global _hooked
    if _hooked:
        return
    _hooked = True
    atexit.register(_close_all)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _close_all() -> None:
    """End what the program did not: its workers would be killed anyway, but less tidily."""
    for user in list(_users):
        try:
            user.close(0.0)
        except Exception:
            logger.exception("Closing at exit failed")


def _after_fork() -> None:
    global _host, _lock
    _lock = threading.Lock()  # some thread of the parent may have held it
    host, _host = _host, None
    _users.clear()
    if host is not None:
        host.forget()
