"""What workers print: from pipes to log records, line by line, each with its task.

The pipes are read in chunks whatever happens, so that a worker never blocks on a full one. Records
are made at a bounded rate, because a task that prints half a million lines a second must not cost
the host a core; a record then says how many were left out. The last lines of stderr are kept:
they are the most useful thing to know about a worker that died.

Which task a line belongs to is exact. When a task ends, all that it printed is in the pipe, read or
not; so before the next task is sent, `mark` notes at which byte of each stream it begins.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl
    import termios

if TYPE_CHECKING:
    from wetlands.task_state import TaskName

logger = logging.getLogger("wetlands.worker")

#: Bytes that are read at once, and the longest line.
CHUNK = 64 * 1024
#: Lines of stderr that an error message quotes.
TAIL_LINES = 60
#: Log records a second that one worker can cause, and how many it may make at once.
RATE = 500.0
BURST = 2000.0
PAUSE = 0.2  #: seconds

#: ``emit(level, line, stream, task)``
Emit = Callable[[int, str, str, "TaskName | None"], None]


class Limiter:
    """A token bucket for log records. For one thread."""

    def __init__(self) -> None:
        self._tokens, self._refilled = BURST, time.monotonic()
        self._waiting = False
        self.left_out = 0  #: since it was last asked for with `take_left_out`

    def admit(self, count: int = 1) -> bool:
        """Say whether a record may be made; if not, ``count`` are noted as left out."""
        self._refill()
        if self._tokens < 1.0:
            self.left_out += count
            return False
        self._tokens -= 1.0
        return True

    def exhausted(self) -> bool:
        """Say whether to wait for some records to be allowed again, once they have run out.

        For who can save work by that; it lasts for `PAUSE` seconds.
        """
        self._refill()
        if self._tokens < 1.0:
            self._waiting = True
        elif self._tokens >= RATE * PAUSE:
            self._waiting = False
        return self._waiting

    def _refill(self) -> None:
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._refilled) * RATE)
        self._refilled = now

    def take_left_out(self) -> int:
        """Return how many were left out, and forget them."""
        count, self.left_out = self.left_out, 0
        return count


class WorkerOutput:
    """The two pipes of one worker. Read by the health thread, marked in passes of the loop."""

    def __init__(self, stdout: int, stderr: int, emit: Emit) -> None:
        self.streams = (
            _Stream(stdout, "stdout", logging.INFO),
            _Stream(stderr, "stderr", logging.WARNING),
        )
        self._poll = None if sys.platform == "win32" else select.poll()
        if self._poll is not None:
            self._poll.register(stdout, select.POLLIN)
            self._poll.register(stderr, select.POLLIN)
        self._emit = emit
        self._owner = _Owner()  #: of what is printed from the last mark on
        self._printed = -1  #: how much had been then
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._limiter = Limiter()

    @property
    def tail(self) -> str:
        """The last lines of stderr."""
        return "\n".join(self._tail)

    def mark(self, task: TaskName, silent: bool | None = None) -> int:
        """Note that what is printed from now on belongs to another task.

        Args:
            task: Its name.
            silent: What `is_silent` would say, if that is known.

        Returns:
            How many bytes were printed before.
        """
        empty = self.is_silent() if silent is None else silent
        out, err = self.streams
        if empty and out.is_as_marked() and err.is_as_marked():  # as most are
            self._owner.task = task
            return self._printed
        self._owner = _Owner(task)
        self._printed = out.mark(self._owner, empty) + err.mark(self._owner, empty)
        return self._printed

    def is_silent(self) -> bool:
        """Whether there is certainly nothing in the pipes."""
        # Most tasks print nothing: one look at both pipes is cheaper than two at how full they are.
        return self._poll is not None and not self._poll.poll(0)

    def printed(self) -> int:
        """Return how many bytes have been printed, read or not."""
        silent, (out, err) = self.is_silent(), self.streams
        return out.printed(silent) + err.printed(silent)

    def read(self, stream: _Stream) -> bool:
        """Read a chunk and log its lines; False at the end of the stream."""
        if not logger.isEnabledFor(stream.level) or self._limiter.exhausted():
            return self._skim(stream)
        lines, more = stream.read()
        for task, line in lines:
            self._log(stream, task, line)
        return more

    def _skim(self, stream: _Stream) -> bool:
        """Read a chunk of which no line will be logged: a flood is counted, not taken apart."""
        count, last, more = stream.skim()
        if logger.isEnabledFor(stream.level):
            self._limiter.left_out += count
        if stream.name == "stderr":
            self._tail.extend(last)
        return more

    def drain(self) -> None:
        """Read all that is there without waiting; for a process that is gone.

        The end of the stream may never come: a grandchild may hold the other end, and may go on
        writing. What counts is what is there now.
        """
        for stream in self.streams:
            for _ in range(stream.pending() // CHUNK + 1):
                if not (stream.pending() and self.read(stream)):
                    break
            for task, line in stream.rest():
                self._log(stream, task, line)
        self._report_left_out()

    def close(self) -> None:
        """Close the pipes."""
        for stream in self.streams:
            stream.close()

    def _log(self, stream: _Stream, task: TaskName | None, line: str) -> None:
        if stream.name == "stderr":
            self._tail.append(line)
        if not logger.isEnabledFor(stream.level):
            return
        if not self._limiter.admit():
            return
        self._report_left_out()
        self._emit(stream.level, line, stream.name, task)

    def _report_left_out(self) -> None:
        count = self._limiter.take_left_out()
        if count:
            self._emit(logging.WARNING, f"... {count} lines were left out ...", "stdout", None)


class _Owner:
    """Whose lines are printed; another task's as long as nothing has been."""

    __slots__ = ("task",)

    def __init__(self, task: TaskName | None = None) -> None:
        self.task = task


class _Stream:
    def __init__(self, descriptor: int, name: str, level: int) -> None:
        self.descriptor = descriptor
        self.name = name
        self.level = level
        self._lock = threading.Lock()  # between reading and marking
        self._open = True
        self._position = 0  # bytes read so far
        self._partial = b""
        self._owner = _Owner()
        self._marks: deque[tuple[int, _Owner]] = deque()
        self._marked = -1  # where the last mark is
        os.set_blocking(descriptor, False)

    def mark(self, owner: _Owner, empty: bool) -> int:
        with self._lock:
            start = self._marked = self._position + (0 if empty else self.pending())
            if self._marks and self._marks[-1][0] == start:
                self._marks[-1] = (start, owner)  # the task before printed nothing
            else:
                self._marks.append((start, owner))
            return start

    def is_as_marked(self) -> bool:
        """Whether nothing has been read since the last mark, nor is right now."""
        # In this order: a reader keeps the lock from before he reads until that has been counted.
        return not self._lock.locked() and self._position == self._marked

    def printed(self, empty: bool) -> int:
        with self._lock:
            return self._position + (0 if empty else self.pending())

    def pending(self) -> int:
        """Return how many bytes are in the pipe."""
        if not self._open or sys.platform == "win32":
            return 0
        try:
            found = fcntl.ioctl(self.descriptor, termios.FIONREAD, b"\0\0\0\0")
        except OSError:
            return 0
        return int.from_bytes(found, sys.byteorder)

    def read(self) -> tuple[list[tuple[TaskName | None, str]], bool]:
        with self._lock:
            chunk = self._take()
            return self._split(chunk or b""), chunk != b""

    def skim(self) -> tuple[int, list[str], bool]:
        """Read a chunk; return how many lines it ends, the last ones, and whether there is more."""
        with self._lock:
            chunk = self._take()
            if not chunk:
                return 0, [], chunk is None
            begin, self._position = self._position, self._position + len(chunk)
            *last, partial = (self._partial + chunk).rsplit(b"\n", TAIL_LINES + 1)
            while self._marks and self._marks[0][0] < self._position:
                start, self._owner = self._marks.popleft()
                # What the task before left open is no beginning of this one's line.
                partial = chunk[max(0, start - begin) :].rpartition(b"\n")[2]
            self._partial = partial[-CHUNK:]
            return chunk.count(b"\n"), [_text(line) for line in last[-TAIL_LINES:]], True

    def _take(self) -> bytes | None:
        """Read what is there; None if nothing is, yet."""
        try:
            return os.read(self.descriptor, CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def rest(self) -> list[tuple[TaskName | None, str]]:
        """Return a last line that has no end."""
        with self._lock:
            partial, self._partial = self._partial, b""
            return [(self._owner.task, _text(partial))] if partial else []

    def _split(self, chunk: bytes) -> list[tuple[TaskName | None, str]]:
        lines: list[tuple[TaskName | None, str]] = []
        while chunk:
            part = chunk
            if self._marks:
                distance = self._marks[0][0] - self._position
                if distance <= 0:
                    # A new task begins: a line that the last one left open ends here.
                    if self._partial:
                        lines.append((self._owner.task, _text(self._partial)))
                        self._partial = b""
                    self._owner = self._marks.popleft()[1]
                    continue
                part = chunk[:distance]
            chunk = chunk[len(part) :]
            self._position += len(part)
            *whole, self._partial = (self._partial + part).split(b"\n")
            lines += [(self._owner.task, _text(line)) for line in whole]
            if len(self._partial) >= CHUNK:
                end = _last_character(self._partial)
                lines.append((self._owner.task, _text(self._partial[:end])))
                self._partial = self._partial[end:]
        return lines

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                with contextlib.suppress(OSError):
                    os.close(self.descriptor)


def _last_character(data: bytes) -> int:
    """Return where a UTF-8 character begins that the data end in the middle of, or their length."""
    for back in range(1, 4):
        byte = data[-back]
        if byte >= 0xC0:  # the first byte of a character of two or more
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(data) - back if length > back else len(data)
        if byte < 0x80:
            break
    return len(data)


def _text(line: bytes) -> str:
    # A progress bar redraws its line with carriage returns: its last state is what counts.
    text = line.decode("utf-8", "backslashreplace").rstrip("\r")
    return text.rpartition("\r")[2]
