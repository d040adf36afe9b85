"""The health thread: asleep in the kernel until a worker exits or prints something.

It watches a process handle for every worker (a pidfd on Linux), so a death is known at once and
no interval is polled; where there is no such handle, a thread waits for each process instead. It
owns the processes: it alone reaps and kills them, therefore a process id that it uses is never
that of somebody else.

When a worker has exited, and before it is reaped, three things are done in this order: its pipes
are read to what is there, so that the last words of a crash are part of the error; what it
started is killed, for that must not outlive it; then its exit status is collected.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from wetlands.runtime.process import WorkerProcess

logger = logging.getLogger(__name__)

OnExit = Callable[[int, str], None]


class Health:
    """Watches and kills workers. The public methods are safe to use from any thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._read_wake)
        self._inbox: deque[Callable[[], None]] = deque()
        # pid -> the process, and what undoes the watching
        self._watched: dict[int, tuple[WorkerProcess, Callable[[], None]]] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="wetlands-health", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def watch(self, process: WorkerProcess, on_exit: OnExit) -> None:
        """Take over a process; call ``on_exit(returncode, log_tail)`` when it is gone."""
        self._post(lambda: self._watch(process, on_exit))

    def kill(self, process: WorkerProcess) -> None:
        """Kill a process and its descendants; its ``on_exit`` follows."""
        self._post(lambda: self._kill(process))

    def stop(self, timeout: float) -> None:
        """End the thread; processes that are still watched are killed and not waited for."""
        self._stopping = True
        self._post(lambda: None)
        self._thread.join(timeout)
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    # -- on the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping or self._inbox:
            for key, _ in self._selector.select():
                try:
                    key.data()
                except Exception:
                    logger.exception("Watching a worker failed")

        for process, unwatch in self._watched.values():
            unwatch()
            process.kill()
            process.close()

    def _post(self, call: Callable[[], None]) -> None:
        self._inbox.append(call)
        self._wake_write.send(b"\0")

    def _read_wake(self) -> None:
        self._wake_read.recv(4096)
        while self._inbox:
            call = self._inbox.popleft()
            try:
                call()
            except Exception:
                logger.exception("A request about a worker failed")

    def _watch(self, process: WorkerProcess, on_exit: OnExit) -> None:
        for stream in process.output.streams:
            reader = _Reader(self._selector, process, stream)
            self._selector.register(stream.descriptor, selectors.EVENT_READ, reader)
        try:
            handle = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # another system, an old kernel, a strict sandbox
            self._wait_on_thread(process, on_exit)
            return
        ended = functools.partial(self._ended, process, on_exit)
        self._selector.register(handle, selectors.EVENT_READ, ended)
        self._watched[process.pid] = (process, lambda: self._unwatch(handle))

    def _wait_on_thread(self, process: WorkerProcess, on_exit: OnExit) -> None:
        self._watched[process.pid] = (process, lambda: None)
        name = f"wetlands-wait-{process.pid}"
        threading.Thread(target=self._wait, args=(process, on_exit), name=name, daemon=True).start()

    def _wait(self, process: WorkerProcess, on_exit: OnExit) -> None:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is reaped later
        else:
            process.popen.wait()
        self._post(lambda: self._ended(process, on_exit))

    def _unwatch(self, handle: int) -> None:
        self._selector.unregister(handle)
        os.close(handle)

    def _kill(self, process: WorkerProcess) -> None:
        if process.pid in self._watched:
            process.kill()

    def _ended(self, process: WorkerProcess, on_exit: OnExit) -> None:
        self._watched.pop(process.pid)[1]()
        process.output.drain()
        for stream in process.output.streams:
            _forget(self._selector, stream.descriptor)
        process.kill_rest()
        returncode = process.popen.wait()
        tail = process.output.tail
        process.close()
        on_exit(returncode, tail)


class _Reader:
    """Reads one stream whenever there is something to read."""

    def __init__(self, selector: selectors.BaseSelector, process: WorkerProcess, stream: Any):
        self._selector, self._process, self._stream = selector, process, stream

    def __call__(self) -> None:
        if not self._process.output.read(self._stream):
            _forget(self._selector, self._stream.descriptor)


def _forget(selector: selectors.BaseSelector, descriptor: int) -> None:
    with contextlib.suppress(KeyError, ValueError):  # its end may have been seen before
        selector.unregister(descriptor)
