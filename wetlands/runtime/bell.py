"""Bells: how host and workers wake each other when a message lies in memory that they share.

What is small passes between a host and its workers in files that both map (`worker_entry.notes`).
To have the other side look there takes a byte in a pipe, which wakes one thread: a message on the
socket has to wake a thread of ZeroMQ's on either side first, and each such change takes as long as
a short task does.

All workers ring one bell of their host's, and write who they are, four bytes at once, which a pipe
keeps together (POSIX, write(2): less than PIPE_BUF). For each worker there is a bell of its own.

A pipe that is full, closed by a task, or that can't be inherited (Windows) can't be rung, which
shows, and then a message goes. A worker that writes nonsense has its host look everywhere, which
takes a little longer. One that reads what others have written, by way of ``/proc``, keeps their
news from the host until somebody looks at them, a second later (`LookAtWorker`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import sys
import threading

#: Bytes that tell who has rung.
MARK = 4
#: Bytes that are read at once, a multiple of those, and how often: as much as a pipe has room for.
_CHUNK, _MOST = 4096, 16


def new_mark() -> bytes:
    """Return what a worker may ring with; by lot, so that pieces of two make no third."""
    return secrets.token_bytes(MARK)


class HostBell:
    """Rung by the workers. For the holder of the loop's role.

    Attributes:
        descriptor: Readable when somebody has rung; -1 where there is no bell.
        end: What workers inherit, to write to; -1 where there is none.
    """

    def __init__(self) -> None:
        self.descriptor = self.end = -1
        if sys.platform != "win32":
            self.descriptor, self.end = os.pipe()
            for end in (self.descriptor, self.end):
                os.set_blocking(end, False)
            self._poll = select.poll()
            self._poll.register(self.descriptor, select.POLLIN)

    def has_rung(self) -> bool:
        """Whether somebody has."""
        return self.descriptor >= 0 and bool(self._poll.poll(0))

    def answer(self) -> set[bytes] | None:
        """Return who has rung since; None if that can't be known, so that all may have."""
        marks: set[bytes] = set()
        whole = True
        for _ in range(_MOST):
            chunk = self._read()
            whole = whole and len(chunk) % MARK == 0
            marks.update(chunk[at : at + MARK] for at in range(0, len(chunk), MARK))
            # On to the end, if one was cut off: what comes after that is whole again.
            if not chunk or (whole and len(chunk) < _CHUNK):
                break
        return marks if whole else None

    def close(self) -> None:
        """Close both ends."""
        for end in (self.descriptor, self.end):
            if end >= 0:
                os.close(end)
        self.descriptor = self.end = -1

    def _read(self) -> bytes:
        try:
            return os.read(self.descriptor, _CHUNK)
        except OSError:  # nobody has
            return b""


class WorkerBell:
    """The host's end of a worker's bell. Safe to use from any thread.

    Args:
        end: What to write to; -1 if there is none.
    """

    def __init__(self, end: int = -1) -> None:
        self._end = end
        self._lock = threading.Lock()  # or it might be closed, and be somebody else's, by then
        if end >= 0:
            os.set_blocking(end, False)

    def ring(self) -> bool:
        """Ring; say whether the worker will hear it."""
        with self._lock:
            if self._end < 0:
                return False
            try:
                os.write(self._end, b"\0")
            except BlockingIOError:  # it is full of what has not been heard yet
                return True
            except OSError:
                return False
            return True

    def close(self) -> None:
        """Close the end."""
        with self._lock:
            end, self._end = self._end, -1
            if end >= 0:
                with contextlib.suppress(OSError):
                    os.close(end)
