"""The segments of other processes that this one has mapped, and the arrays that lie in them.

Maps are kept when nothing lies in them any more, since every page of a new one costs a fault at its
first use. They go when their owner has given the segment up, or when there are too many.

What arrays are made of is a ctypes array over the map: they keep it alive by the rules of the
buffer protocol, however many views are made of them, and it keeps a *hold* alive. When the last one
is collected so is the hold, and its finalizer says in the segment that it was let go of.
"""

from __future__ import annotations

import os
import re
import weakref
from typing import Any, Callable, Sequence

from worker_entry.segment import (
    HEADER,
    RETIRED,
    SEATS,
    Segment,
    attach,
    exporter,
    map_file,
    open_existing,
)

#: Maps that are kept at least when nothing lies in them.
_KEPT = 512
_NAME = re.compile(r"[0-9a-z.-]{1,100}")
_LAST = 2**32 - 1  # number


class StaleReferenceError(Exception):
    """The segment was lent to somebody else since."""


class _Hold:
    """What arrays keep alive for as long as their segment may not be used again.

    Args:
        words: The header of the segment.
        place: Of the number in it that is set when the last of them is gone.
        number: That one.
    """

    def __init__(self, words: Any, place: int, number: int) -> None:
        self._end = (words, place, number, os.getpid())

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:
        words, place, number, pid = self._end
        # A forked child has copies of our arrays; that it drops them says nothing about ours.
        if getpid() == pid:
            words[place] = number


class _Attachment:
    """One mapped segment."""

    def __init__(self, found: Segment) -> None:
        self.segment = found
        self.number = 0  # of the lease that the hold is for
        self.count = 0
        self.hold: Any = None  # a weak reference

    def alive(self) -> Any:
        return None if self.hold is None else self.hold()


class Attachments:
    """Maps segments of others. For one thread at a time; finalizers may run in any.

    Args:
        folders: Where segments lie, as their owners know them.
        seat: Who we are, in their headers.
    """

    def __init__(self, folders: Sequence[str], seat: int) -> None:
        self._folders = list(folders)
        self._seat = seat
        self._attached: dict[tuple[int, str], _Attachment] = {}

    def __len__(self) -> int:
        return len(self._attached)

    def borrow(self, place: int, name: str, number: int, private: bool) -> Any:
        """Return the data of a segment as bytes that can be written to, and hold it meanwhile.

        Args:
            place: The number of the folder.
            name: The file in it.
            number: The lease that is meant.
            private: Whether what is written is to stay in this process.

        Raises:
            OSError, ValueError: There is no such segment.
            StaleReferenceError: The lease has ended.
        """
        found = self._attached.get((place, name))
        if found is None or found.segment.words[RETIRED]:
            found = self._attach(place, name)
        hold = found.alive()
        if hold is None or found.number != number:
            hold = self._take(found, number)
        data = _map_again(found.segment) if private else found.segment.map
        memory = exporter(data)
        memory.hold = hold
        return memoryview(memory).cast("B")[HEADER:]

    def find(self, place: int, name: str) -> Segment:
        """Return a segment that was borrowed."""
        return self._attached[place, name].segment

    def forget(self, prefix: str) -> None:
        """Let go of the maps of a process that is gone; what lies in them stays."""
        for key in [key for key in self._attached if key[1].startswith(prefix)]:
            del self._attached[key]

    def _attach(self, place: int, name: str) -> _Attachment:
        if not (0 <= place < len(self._folders) and _NAME.fullmatch(name)):
            raise ValueError(f"no segment can be named {name!r}")
        self._prune()
        found = _Attachment(attach(place, self._folders[place], name))
        self._attached[place, name] = found
        return found

    def _take(self, found: _Attachment, number: int) -> Any:
        segment, seat = found.segment, self._seat
        if seat:
            # Counted by itself: between the collection of the last hold and the word of its
            # finalizer this may be the next one, which must differ from it.
            taken = found.count = found.count % _LAST + 1
            segment.words[seat] = taken
        else:
            taken = number  # by the worker, on the host's behalf
        if segment.number != number:
            if seat:
                segment.words[SEATS + seat] = taken
            raise StaleReferenceError(f"lease {number} of segment {segment.name} has ended")
        hold = _Hold(segment.words, SEATS + seat, taken)
        found.number, found.hold = number, weakref.ref(hold)
        return hold

    def _prune(self) -> None:
        spare = [key for key, found in self._attached.items() if found.alive() is None]
        surplus = len(self._attached) - _KEPT
        for place, key in enumerate(spare):
            if place < surplus or self._attached[key].segment.retired():
                del self._attached[key]


def _map_again(segment: Segment) -> Any:
    descriptor = open_existing(segment.path)
    try:
        return map_file(descriptor, HEADER + segment.room, private=True)
    finally:
        os.close(descriptor)
