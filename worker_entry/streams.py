"""Standard input, output and error: put back after a task that closed or replaced them.

And the other descriptors: whether tasks leave so many open that the process should be replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from typing import Any

#: Descriptors that tasks may leave open, unless half of those that a process may have are fewer.
MAX_LEFT_OPEN = 8192
_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


class Streams:
    """What descriptors 0 to 2 were at the start. For the main thread.

    A task ends with `flush`: what it printed must be in the pipes before the host hears of its end.
    `restore` takes longer and can wait until the host has heard, if nothing seems to be missing.
    """

    def __init__(self) -> None:
        # The copies are not inherited by programs that tasks start.
        self.exhausted = False  #: no file can be opened any more: tasks took all descriptors
        self.worn = False  #: tasks have left many open
        self._most: int | None = None  #: as many; counted from what the first one leaves
        self._copies = [(number, os.dup(number), identity(number)) for number in range(3)]
        self._closed = _watcher()

    def flush(self) -> bool:
        """Write out what is still in buffers; False if that takes `restore` first."""
        try:
            out, err = sys.stdout, sys.stderr
            out.flush()
            err.flush()
            # User code may have put something between us and a stream; both may hold some back.
            if out is not sys.__stdout__ or err is not sys.__stderr__:
                sys.__stdout__.flush()  # type: ignore[union-attr]
                sys.__stderr__.flush()  # type: ignore[union-attr]
        except Exception:  # it is closed, or gone, or of a user who raises
            _flush_each()
            return False
        return True

    def intact(self) -> bool:
        """Whether nothing seems to be missing; takes less time than `restore`."""
        return all(identity(number) == ours for number, _, ours in self._copies)

    def are_open(self) -> bool:
        """Whether none has been closed, or its reader is gone; takes a tenth of the time."""
        return not self._closed(0) if self._closed is not None else self.intact()

    def restore(self) -> None:
        """Put back what is missing, and write out what it held up.

        A task that closed descriptor 1 may since have opened something that got this number, and
        loses it: that the next task can print is worth more.
        """
        missing = not self.intact()
        if missing:
            for number, copy, _ in self._copies:
                os.dup2(copy, number)
        self._count_descriptors()
        for number, name in enumerate(_MODES):
            stream = getattr(sys, name, None)
            if stream is None or getattr(stream, "closed", False):
                self._reopen(number, name)
                missing = True
        if missing:
            _flush_each()

    def _count_descriptors(self) -> None:
        try:
            lowest = os.dup(self._copies[0][1])  # all below are in use
            os.close(lowest)
        except OSError as error:
            self.exhausted = self.worn = error.errno in (errno.EMFILE, errno.ENFILE)
            return
        if self._most is None:
            self._most = lowest + min(MAX_LEFT_OPEN, (_limit() - lowest) // 2)
        self.worn = lowest > self._most

    def _reopen(self, number: int, name: str) -> None:
        mode = _MODES[name]
        stream = open(number, mode, 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _watcher() -> Any:
    """Return what tells which descriptors have been closed, called with 0; None if nothing can."""
    if not hasattr(select, "poll"):  # Windows
        return None
    poll = select.poll()
    for number in range(3):
        poll.register(number, 0)  # what is asked for by nobody is told all the same: POLLNVAL
    return poll.poll


def _limit() -> int:
    """Return how many files a process may have open."""
    try:
        limit = os.sysconf("SC_OPEN_MAX")
    except (AttributeError, ValueError, OSError):  # Windows
        limit = -1
    return limit if limit > 0 else 2 * MAX_LEFT_OPEN


def _flush_each() -> None:
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]


def identity(number: int) -> Any:
    """Return what tells the file behind a descriptor from others; None if there is none."""
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino
