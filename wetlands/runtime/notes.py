"""The host's end of the file in which a worker and its host take notes: `worker_entry.notes`."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from worker_entry import notes

_WAKEABLE = (notes.AWAKE, notes.LIGHTLY)


class WorkerNotes:
    """What one worker notes. For the holder of the loop's role.

    Args:
        path: Of the file, which is made.
        mapped: Whether to map it, which is faster. Otherwise the kernel is asked each time: a
            worker that is not trusted could cut the file off, which would be a SIGBUS.

    Raises:
        OSError: There is no room for the file.
    """

    def __init__(self, path: Path, *, mapped: bool = False) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._access: _Mapped | _Asking = _Asking(self._file)
        self._taken = 0
        self._posted = 0
        self._marked: set[int] = set()
        self.waits = False  #: there are endings that come after a message that has not been read
        try:
            # Not a hole: to find no room for it later would be a SIGBUS in the worker.
            if self._access.write(bytes(notes.SIZE), 0) < notes.SIZE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            if mapped:
                self._access = _Mapped(self._file)
        except OSError:
            self.close()
            raise

    def begun(self) -> int:
        """Return how many Runs the worker has begun."""
        return self._access.numbers[notes.BEGUN]

    def lasted(self) -> float:
        """Return the seconds that its last task took."""
        return self._access.numbers[notes.LASTED] / 1e9

    def assign(self, *numbers: int) -> None:
        """Give Runs their numbers, which others may have had before."""
        if not self._marked:
            return
        for mark in self._marked.intersection([number % notes.MARKS for number in numbers]):
            self._marked.discard(mark)
            self._access.write(b"\0", notes.MARKS_AT + mark)

    def reclaim(self, numbers: Sequence[int]) -> list[int]:
        """Have Runs not begin; return those of which it is certain that they will not."""
        for number in numbers:
            self._marked.add(number % notes.MARKS)
            self._access.write(b"\1", notes.MARKS_AT + number % notes.MARKS)
        notes.fence()
        begun = self.begun()
        return [number for number in numbers if number > begun]

    def is_marked(self, number: int) -> bool:
        """Whether a Run was reclaimed, so that the worker may skip it."""
        return number % notes.MARKS in self._marked

    def has_more(self) -> bool:
        """Whether endings have been noted that were not taken."""
        return self._access.numbers[notes.WRITTEN] != self._taken

    def post(self, message: bytes, behind: int) -> bool:
        """Hand over a message, if the last one has been read; say whether there is sense in that.

        Args:
            message: The message.
            behind: How many have been sent to it before.
        """
        if len(message) > notes.MAX_POST or self.sleeps() not in _WAKEABLE:
            return False
        self._access.write(notes.POST.pack(len(message), behind) + message, notes.POST_AT)
        notes.keep_order()
        self._posted += 1
        self._access.numbers[notes.POSTED] = self._posted
        notes.fence()
        return True

    def sleeps(self) -> int:
        """Return what wakes the worker to look at what is handed over: see `notes.AWAKE`."""
        return self._access.numbers[notes.ASLEEP]

    def watch(self, *, begin: bool) -> None:
        """Tell the worker whether it is being watched: `has_more` is asked all the time."""
        self._access.numbers[notes.WATCHED] = begin
        notes.fence()

    def take(self, received: float) -> list[notes.Noted]:
        """Return the endings noted since, up to a message that is to come.

        Args:
            received: How many messages of the worker have been read.

        Raises:
            ValueError: They make no sense.
        """
        written, self.waits = self._access.numbers[notes.WRITTEN], False
        if written == self._taken:
            return []
        if not 0 <= written - self._taken <= notes.RING:
            raise ValueError("it has noted more than there is room for")
        notes.keep_order()
        # The first one first: of a flood that fills the ring, only some wait for the same message.
        first = self._ring(self._taken, min(written, self._taken + notes.EXTRA))
        if notes.sent_before(first) > received:
            self.waits = True
            return []
        endings, size = [], 0
        for noted in notes.split(self._ring(self._taken, written)):
            if noted.sent > received:
                self.waits = True
                break
            size += len(noted.ending)
            endings.append(noted)
        self._taken += size + len(endings) * notes.EXTRA
        notes.keep_order()
        self._access.numbers[notes.TAKEN] = self._taken
        return endings

    def closed(self) -> bool:
        """Whether the worker is gone."""
        return self._file < 0

    def close(self) -> None:
        """Remove the file, if that has not been done."""
        file, self._file = self._file, -1
        if file >= 0:
            self._access.close()
            with contextlib.suppress(OSError):
                os.close(file)
                self._path.unlink()

    def _ring(self, begin: int, end: int) -> bytes:
        at, size = begin % notes.RING, end - begin
        found = self._access.read(min(size, notes.RING - at), notes.RING_AT + at)
        if len(found) < size:
            found += self._access.read(size - len(found), notes.RING_AT)
        return found


class _Asking:
    """Reads and writes the file through the kernel."""

    def __init__(self, file: int) -> None:
        self._file = file
        self.numbers = _AskedNumbers(file)

    def read(self, size: int, at: int) -> bytes:
        return _read(self._file, size, at)

    def write(self, data: bytes, at: int) -> int:
        return _write(self._file, data, at)

    def close(self) -> None:
        self._file = self.numbers._file = -1  # which may be somebody else's from now on


class _AskedNumbers:
    """The numbers at the beginning of the file, as `memoryview` would have them.

    Of a worker that has cut it off they are 0: it has done nothing that anybody could know of.
    """

    def __init__(self, file: int) -> None:
        self._file = file

    def __getitem__(self, place: int) -> int:
        found = _read(self._file, 8, 8 * place)
        return int.from_bytes(found, sys.byteorder) if len(found) == 8 else 0

    def __setitem__(self, place: int, number: int) -> None:
        _write(self._file, number.to_bytes(8, sys.byteorder), 8 * place)


class _Mapped:
    """Reads and writes the file in memory."""

    def __init__(self, file: int) -> None:
        self._map = mmap.mmap(file, notes.SIZE)
        self.numbers = memoryview(self._map)[: notes.NUMBERS.size].cast("Q")

    def read(self, size: int, at: int) -> bytes:
        return self._map[at : at + size]

    def write(self, data: bytes, at: int) -> int:
        self._map[at : at + len(data)] = data
        return len(data)

    def close(self) -> None:
        self.numbers.release()
        self._map.close()


if sys.platform == "win32":

    def _read(file: int, size: int, at: int) -> bytes:
        os.lseek(file, at, os.SEEK_SET)
        return os.read(file, size)

    def _write(file: int, data: bytes, at: int) -> int:
        os.lseek(file, at, os.SEEK_SET)
        return os.write(file, data)

else:
    _read, _write = os.pread, os.pwrite
