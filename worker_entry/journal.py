"""What a chunk is on the wire, and the file in which its results outlive their worker.

A chunk is one task that calls a function with several items, one after the other; see `chunk`. All
of it travels in the payloads of ordinary messages:

-   The items are one frame: their number (u32), and a *row* of pickles. Each is ``(items, {})``, as
    the arguments of a call are: of one item, or of several that can't share anything.
-   The results are a report (see `Report`): in the value of the Result, and, before the end, in
    Outputs. They are a row, too, with a pickle for each.

A row is pickles with their lengths (u32) before them.

While a chunk runs, its row of results grows in a mapped file. What a process has written there the
host can read whatever the process died of, so no result that was made is lost with its worker.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from typing import Any, Iterator, NamedTuple, Sequence

_COUNT = struct.Struct("!I")
_LENGTH = struct.Struct("!I")
_REPORT = struct.Struct("!I?d")
#: Task, and where its row ends.
_HEAD = struct.Struct("!QI")
#: Of the file, after the name of that in which a worker notes its task.
SUFFIX = ".journal"
#: What the Output of a report is called, as nobody calls his own.
REPORT = "\0report"
#: Bytes of a journal: what the results of a chunk may take.
SIZE = 256 * 1024


class Report(NamedTuple):
    """How far a chunk got.

    Attributes:
        begun: How many items are not for anybody else to run.
        own: Whether the value of the last of them is the result of the task, being too large for
            the row.
        seconds: How long it took so far.
        results: The row of results, in the order of the items.
    """

    begun: int
    own: bool
    seconds: float
    results: bytes

    def encode(self) -> bytes:
        """Return it as bytes."""
        return _REPORT.pack(self.begun, self.own, self.seconds) + self.results


def decode(report: Any) -> Report:
    """Return what `Report.encode` was called on.

    Raises:
        ValueError: It is no report.
    """
    if type(report) is not bytes or len(report) < _REPORT.size:
        raise ValueError("it is no report of a chunk")
    begun, own, seconds = _REPORT.unpack_from(report)
    return Report(begun, own, seconds, report[_REPORT.size :])


def join_items(count: int, pickles: Sequence[bytes]) -> bytes:
    """Return the frame of so many items."""
    return _COUNT.pack(count) + join(pickles)


def join(pickles: Sequence[bytes]) -> bytes:
    """Return the row of pickles."""
    return b"".join([part for pickle in pickles for part in (_LENGTH.pack(len(pickle)), pickle)])


def split_items(frame: bytes) -> tuple[int, Iterator[bytes]]:
    """Return the number of items, and the pickles that they are in."""
    return _COUNT.unpack_from(frame)[0], split(frame, _COUNT.size)


def split(row: bytes, at: int = 0, skip: int = 0) -> Iterator[bytes]:
    """Give the pickles of a row that begins ``at`` some offset, but for the first ones.

    Raises:
        ValueError: It is none.
    """
    end, unpack, size = len(row), _LENGTH.unpack_from, _LENGTH.size
    while at < end:
        begin = at + size
        at = begin + unpack(row, at)[0] if begin <= end else end + 1
        if at > end:
            raise ValueError("a row is cut off")
        if skip:
            skip -= 1
        else:
            yield row[begin:at]


class Journal:
    """The row of results of the chunk that is running. For one writer; anybody may read."""

    def __init__(self, path: str) -> None:
        self._room: Any = _map(path)
        self._end = 0

    def begin(self, task: int) -> None:
        """Forget the chunk before."""
        self._end = _HEAD.size
        _HEAD.pack_into(self._room, 0, task, self._end)

    def add(self, pickle: bytes) -> bool:
        """Add a result; say whether there was room for it."""
        begin = self._end + _LENGTH.size
        end = begin + len(pickle)
        if end > SIZE:
            return False
        _LENGTH.pack_into(self._room, self._end, len(pickle))
        self._room[begin:end] = pickle
        self._end = end
        _LENGTH.pack_into(self._room, _HEAD.size - _LENGTH.size, end)  # now it counts
        return True

    def row(self) -> bytes:
        """Return what was added."""
        return bytes(self._room[_HEAD.size : self._end])


def take(path: str) -> tuple[int, bytes]:
    """Return the task of a dead worker's last chunk, and its row; remove the file.

    The task is 0 if there was none.
    """
    try:
        with open(path, "rb") as file:
            task, end = _HEAD.unpack(file.read(_HEAD.size))
            row = file.read(min(max(end, _HEAD.size), SIZE) - _HEAD.size)
        os.unlink(path)
    except (OSError, struct.error):
        return 0, b""
    return task, row


def _map(path: str) -> Any:
    """Return memory that is also a file; where there is no room for one, memory has to do."""
    if hasattr(os, "posix_fallocate"):  # or a full file system would be a SIGBUS later
        with contextlib.suppress(OSError), open(path, "w+b") as file:
            os.posix_fallocate(file.fileno(), 0, SIZE)
            return mmap.mmap(file.fileno(), SIZE)
    return bytearray(SIZE)
