"""The segments that one process owns: made when needed, used again when nobody holds them.

Sizes come in steps of an eighth of a power of two, so that arrays of nearly the same size share
segments and little is wasted. What is given back goes on the shelf of its size, and the segment
that was given back last is used first: its pages are the warmest. One that is still held when it is
looked at sinks to the bottom of its shelf.

The bytes in the first folder have a ceiling that all processes of one environment share. To grow, a
process takes a lock, adds up the sizes of the files that are there, and makes its own as large as
it will be. That is exact whoever dies when; and since growing is rare and costs a page fault for
every page, the adding up does not matter.

Nothing here has a lock that a signal handler could find taken by what it interrupted: a segment is
claimed by taking it off a `deque`, which is atomic.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from collections import deque
from typing import Any, Callable, Iterator, Sequence

from worker_entry import segment
from worker_entry.segment import HEADER, Segment

#: How many segments of a shelf are looked at before a new one is made.
_LOOKS = 32
#: Bytes of data that a segment has at least.
_SMALLEST = 64 * 1024
#: How long to wait for the lock, in seconds; it is held for microseconds.
_PATIENCE = 0.1


class Lease:
    """The use of a segment for one message; when it is collected, the segment is on its shelf."""

    def __init__(self, found: Segment, shelf: deque[Segment]) -> None:
        self.segment = found
        self.number = found.next_number()
        self._shelf = shelf

    def __del__(self) -> None:
        self._shelf.append(self.segment)  # held by others or not


class SegmentPool:
    """Lends segments. Safe to use from any thread, signal handler or finalizer.

    Args:
        folders: Where segments lie; the first one is in memory, if there is such a file system.
        family: What the names of all segments of this environment begin with.
        owner: What tells those of this process from the others.
        ceiling: Bytes that the segments of the environment may have in the first folder.
    """

    def __init__(self, folders: Sequence[str], family: str, owner: str, ceiling: int) -> None:
        self.segments: dict[str, Segment] = {}  #: all of them, by name
        self._folders = list(folders)
        self._family = f"{family}."
        self._prefix = f"{family}.{owner}."
        self._ceiling = ceiling
        self._numbers = itertools.count(1)
        self._shelves: dict[int, deque[Segment]] = {}

    def lease(self, size: int, wait: Callable[[], bool] = bool) -> Lease | None:
        """Return a segment with room for ``size`` bytes; None if there is no space left.

        Args:
            size: In bytes.
            wait: Called when the ceiling is reached: waits a moment, and says whether to try again.
        """
        room = rounded(size)
        found = self._reuse(room) or self._search(room, wait)
        return None if found is None else Lease(found, self._shelf(found.room))

    def _search(self, room: int, wait: Callable[[], bool]) -> Segment | None:
        found = self._find(room)
        more = HEADER + room <= self._ceiling
        while found is None and more:
            more = wait()
            found = self._find(room)  # also after the last wait: the last task may just have ended
        for place in range(1, len(self._folders)):
            found = found or self._make(place, room)
        return found

    def retire(self) -> None:
        """Give up all segments."""
        for found in list(self.segments.values()):
            found.retire()
        self.segments.clear()
        self._shelves.clear()

    def _find(self, room: int) -> Segment | None:
        found = self._reuse(room) or self._reuse_larger(room) or self._make(0, room)
        if found is None and self._trim():
            found = self._make(0, room)
        return found

    def _reuse_larger(self, room: int) -> Segment | None:
        larger = rounded(room + 1)
        return self._reuse(larger) or self._reuse(rounded(larger + 1))

    def _reuse(self, room: int) -> Segment | None:
        shelf = self._shelves.get(room)
        if not shelf:
            return None
        held: list[Segment] = []
        try:
            for _ in range(min(len(shelf), _LOOKS)):
                found = shelf.pop()
                if not found.held():
                    return found
                held.append(found)
        except IndexError:  # others are taking from it, too
            pass
        finally:
            if held:
                shelf.extendleft(held)
        return None

    def _trim(self) -> bool:
        """Give up what lies unused in memory; say whether there was any."""
        trimmed = False
        for shelf in list(self._shelves.values()):
            for _ in range(len(shelf)):
                try:
                    found = shelf.popleft()
                except IndexError:
                    break
                if found.place or found.held():
                    shelf.append(found)
                else:
                    trimmed = True
                    self.segments.pop(found.name, None)
                    found.retire()
        return trimmed

    def _shelf(self, room: int) -> deque[Segment]:
        shelf = self._shelves.get(room)
        return self._shelves.setdefault(room, deque()) if shelf is None else shelf

    def _make(self, place: int, room: int) -> Segment | None:
        folder, name = self._folders[place], f"{self._prefix}{next(self._numbers):x}"
        try:
            descriptor = self._reserve(place, os.path.join(folder, name), HEADER + room)
            try:
                found = segment.create(place, folder, name, room, descriptor)
            finally:
                os.close(descriptor)
        except OSError:  # no space, above all; whatever it is, there are other ways
            return None
        self.segments[name] = found
        return found

    def _reserve(self, place: int, path: str, size: int) -> int:
        """Make a file of that size, without any space yet; return its descriptor."""
        if place:
            return _new_file(path, size)
        folder = os.path.dirname(path)
        with self._growing(folder):
            if self._used(folder) + size > self._ceiling:
                raise OSError(errno.ENOSPC, "the ceiling is reached")
            return _new_file(path, size)

    def _used(self, folder: str) -> int:
        used = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(self._family):
                    with contextlib.suppress(OSError):  # it went away meanwhile
                        used += entry.stat(follow_symlinks=False).st_size
        return used

    @contextlib.contextmanager
    def _growing(self, folder: str) -> Iterator[None]:
        import fcntl

        path = os.path.join(folder, f"{self._family}growing")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            limit = time.monotonic() + _PATIENCE
            while not _locked(fcntl, descriptor):
                if time.monotonic() > limit:  # we may have interrupted the one that has it
                    raise OSError(errno.EAGAIN, "the lock is taken")
                time.sleep(0.0005)
            yield
        finally:
            os.close(descriptor)


def _new_file(path: str, size: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
    except BaseException:
        os.close(descriptor)
        os.unlink(path)
        raise
    return descriptor


def _locked(fcntl: Any, descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def rounded(size: int) -> int:
    """Return the next size of segments."""
    if size <= _SMALLEST:
        return _SMALLEST
    step = 1 << max((size - 1).bit_length() - 4, 0)
    return -(-size // step) * step
