"""Takes large buffers to the other side in mapped segments: one copy on this side, none on that.

The frames are a table (see `segment_table`), and after it the buffers that go inline after all.

Who keeps a segment while it is on its way? What is sent is a `Table`, a frame that keeps its
leases. On the host it is a part of the task's payload, which lives until the task has ended and its
worker has answered: a task that is never run, or run twice because its first worker died early,
needs nothing more. By then a worker has taken what it still wants (see `segment`). In a worker the
frame is gone as soon as it was sent, so the host's seat is taken on the host's behalf; what was
never sent, because the task was canceled, is free again when the frame is collected. And the host
redeems a table as soon as it arrives: whether the value is ever looked at or not, what was made of
the table is collected some time, and lets go.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence, Tuple

from worker_entry.attachments import Attachments
from worker_entry.carrier import InlineCarrier
from worker_entry.segment import ALIGNMENT, SEATS, Segment
from worker_entry.segment_pool import Lease, SegmentPool
from worker_entry.segment_table import INLINE, Place, read_table, write_entry

#: See `SegmentCarrier.look_up`.
TakeBack = Callable[[str, int, int, int], Any]

#: What a lease is known by: the folder's number, the segment's name, and its own number.
LeaseKey = Tuple[int, str, int]

#: Below it, a copy through the socket is cheaper than what is done about a segment.
THRESHOLD = 64 * 1024


class Table(bytes):
    """A frame that says where buffers are, and keeps them there.

    Attributes:
        kept: Leases and the like.
        carried: Bytes that lie in segments for its sake.
        named: The segments of arguments that it names, by their leases.
    """

    kept: tuple[Any, ...] = ()
    carried: int = 0
    named: dict[LeaseKey, Segment] | None = None

    def lend(self) -> None:
        """Take the host's seat in what it keeps: it is about to be sent to the host."""
        for lease in self.kept:
            lease.segment.words[0] = lease.number


class Redeemed:
    """A table that was looked up: what it names is held until this is collected."""

    def __init__(
        self, carrier: SegmentCarrier, frames: Sequence[Any], prefix: str, lent: TakeBack | None
    ) -> None:
        self._error: Exception | None = None
        self._buffers: list[Any] = []
        try:
            self._buffers = carrier.look_up(frames, prefix, lent)
        except Exception as error:  # for who asks for the value
            self._error = error

    def __len__(self) -> int:
        return len(self._buffers)

    def buffers(self) -> list[Any]:
        """Return what the table names, in order.

        Raises:
            Exception: The table can't be right.
        """
        if self._error is not None:
            raise self._error
        return self._buffers


class SegmentCarrier:
    """A `Carrier` over segments. Packing is safe in any thread; unpacking is for one at a time.

    Args:
        pool: The segments of this side.
        attachments: Those of the other side.
        threshold: See `Carrier`.
        wait: See `SegmentPool.lease`.
    """

    def __init__(
        self,
        pool: SegmentPool,
        attachments: Attachments,
        threshold: int = THRESHOLD,
        wait: Callable[[], bool] = bool,
    ) -> None:
        self.threshold = threshold
        self.pool = pool
        self.attachments = attachments
        #: Finds a buffer that lies in a segment already; None while there are none of that kind.
        self.find: Callable[[Any], Any] | None = None
        self._wait = wait
        self._inline = InlineCarrier()
        self._pid = os.getpid()

    def pack(self, buffers: Sequence[Any]) -> list[Any]:
        """See `Carrier`."""
        views = [buffer.raw() for buffer in buffers]
        return self._pack(views, self._lying(views))

    def hand_back(self, buffers: Sequence[Any]) -> list[Any]:
        """See `Carrier`."""
        return self.pack(buffers)

    def settle(self, frames: Sequence[Any]) -> Sequence[Any]:
        """See `Carrier`."""
        return frames

    def begin(self) -> None:
        """See `Carrier`."""

    def unpack(self, frames: Sequence[Any]) -> list[Any]:
        """See `Carrier`."""
        found = frames[0]
        if type(found) is not Redeemed:
            return self.look_up(frames)
        return found.buffers()

    def redeem(
        self, frames: Sequence[Any], prefix: str = "", lent: TakeBack | None = None
    ) -> Sequence[Any]:
        """Return a value's frames so that they hold what they name, as in `look_up`."""
        return frames if len(frames) < 2 else (frames[0], Redeemed(self, frames[1:], prefix, lent))

    def look_up(
        self, frames: Sequence[Any], prefix: str = "", lent: TakeBack | None = None
    ) -> list[Any]:
        """Return the buffers that a table names.

        Args:
            frames: The table and the buffers that came with it.
            prefix: How the names of the sender's segments begin.
            lent: Returns a buffer of ours that the sender may give back, by the name of its
                segment, the lease's number, offset and size; None if it is none.

        Raises:
            OSError, ValueError, StaleReferenceError: It can't be right.
        """
        return self.find_buffers(read_table(bytes(frames[0])), frames[1:], prefix, lent)

    def find_buffers(
        self,
        table: Sequence[Place | None],
        rest: Sequence[Any],
        prefix: str = "",
        lent: TakeBack | None = None,
    ) -> list[Any]:
        """Do the same for a table that was read; ``rest`` are the buffers that came with it."""
        inline = iter(rest)
        borrowed: dict[tuple[Any, ...], Any] = {}
        found = []
        for entry in table:
            if entry is None:
                found += self._inline.unpack([next(inline)])
                continue
            name, offset, size = entry[1], entry[4], entry[5]
            mine = None if lent is None else lent(name, entry[2], offset, size)
            if mine is not None:
                found.append(mine)
                continue
            if not name.startswith(prefix):
                raise ValueError(f"segment {name!r} is not the sender's own")
            data = borrowed.get(entry[:4])
            if data is None:
                data = borrowed[entry[:4]] = self.attachments.borrow(*entry[:4])
            if offset + size > len(data):
                raise ValueError("a buffer lies outside of its segment")
            found.append(data[offset : offset + size])
        return found

    def _pack(self, views: Sequence[Any], lying: Sequence[Any]) -> list[Any]:
        # In a forked child everything is a copy, and the segments are its parent's.
        lease = self._lease(_room(views, lying)) if os.getpid() == self._pid else None
        return self._frames(views, lying, lease)

    def _lying(self, views: Sequence[Any]) -> Sequence[Any]:
        """Return, for each buffer, its entry and what keeps it, or None if it is to be copied."""
        find = self.find
        return [None] * len(views) if find is None else [find(view) for view in views]

    def _lease(self, room: int) -> Lease | None:
        return self.pool.lease(room, self._wait) if room else None

    def _frames(self, views: Sequence[Any], lying: Sequence[Any], lease: Lease | None) -> list[Any]:
        entries: list[bytes] = []
        inline: list[bytes] = []
        kept: list[Any] = [] if lease is None else [lease]
        offset = carried = 0
        for view, place in zip(views, lying):
            if place is not None:
                entries.append(place[0])
                if place[1] is not None:
                    kept.append(place[1])
            elif lease is not None:
                segment, size = lease.segment, len(view)
                segment.write(offset, view)
                here = (segment.place, segment.name, lease.number, False, offset, size)
                entries.append(write_entry(*here))
                offset += _aligned(size)
                carried += size
            else:
                entries.append(INLINE)
                inline.append(bytes(view))
        table = Table(b"".join(entries))
        table.kept, table.carried = tuple(kept), carried
        return [table, *inline]


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _room(views: Sequence[Any], lying: Sequence[Any]) -> int:
    """Return how many bytes those need that are to be copied."""
    sizes = [len(view) for view, place in zip(views, lying) if place is None]
    return _aligned(sizes[0]) if len(sizes) == 1 else sum(map(_aligned, sizes))


def settle(lease: Lease) -> None:
    """Write the number of a lease of the host into its segment, which no seat takes by that."""
    words = lease.segment.words
    words[SEATS] = words[0] = lease.number
