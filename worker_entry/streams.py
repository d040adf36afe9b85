"""Standard input, output and error: put back after a task that closed or replaced them."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


class Streams:
    """What descriptors 0 to 2 were at the start. For the main thread."""

    def __init__(self) -> None:
        # The copies are not inherited by programs that tasks start.
        self.exhausted = False  #: no file can be opened any more: a task took all descriptors
        self._copies = [(number, os.dup(number), _identity(number)) for number in range(3)]

    def restore(self) -> None:
        """Put back what is missing, and write out what is still in buffers.

        A task that closed descriptor 1 may since have opened something that got this number, and
        loses it: that the next task can print is worth more.
        """
        for number, copy, identity in self._copies:
            if _identity(number) != identity:
                os.dup2(copy, number)
        self._try_one_more()
        for number, name in enumerate(_MODES):
            stream = getattr(sys, name, None)
            if stream is None or getattr(stream, "closed", False):
                self._reopen(number, name)
        # User code may have put something between us and a stream; both may hold something back.
        for stream, original in ((sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__)):
            _flush(stream)
            if original is not stream:
                _flush(original)

    def _try_one_more(self) -> None:
        try:
            os.close(os.dup(self._copies[0][1]))
        except OSError as error:
            self.exhausted = error.errno in (errno.EMFILE, errno.ENFILE)

    def _reopen(self, number: int, name: str) -> None:
        mode = _MODES[name]
        stream = open(number, mode, 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _flush(stream: Any) -> None:
    try:  # noqa: SIM105 - contextlib.suppress costs, and this runs after every task
        stream.flush()
    except Exception:
        pass


def _identity(number: int) -> Any:
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino
