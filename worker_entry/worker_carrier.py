"""The carrier of a worker: sends what came with a call's arguments back by its name.

A result may lie in memory of the call's own arguments. The worker then names that (`hand_back`) and
lets go of the result. The header of the segment says whether anybody still refers to something in
there; if so, the worker makes a copy after all (`settle`), else the host takes the memory back.
"""

from __future__ import annotations

import os
from typing import Any, Sequence

from worker_entry.attachments import Attachments
from worker_entry.segment import HEADER, Segment, address_of
from worker_entry.segment_carrier import LeaseKey, SegmentCarrier
from worker_entry.segment_pool import SegmentPool
from worker_entry.segment_table import read_table, write_entry


class WorkerCarrier(SegmentCarrier):
    """The carrier of a worker."""

    def __init__(self, config: dict[str, Any]) -> None:
        folders = config["folders"]
        pool = SegmentPool(folders, config["family"], config["owner"], config["ceiling"])
        super().__init__(pool, Attachments(folders, config["seat"]), config["threshold"])
        #: Where the arguments of the present call lie: leases of the host, and addresses.
        self._arguments: list[tuple[LeaseKey, Segment, int, int]] = []

    def begin(self) -> None:
        """See `Carrier`."""
        self._arguments = []

    def carried(self) -> int:
        """Return how many bytes of the arguments of the present call lie in segments."""
        return sum(last - first for _, _, first, last in self._arguments)

    def unpack(self, frames: Sequence[Any]) -> list[Any]:
        """See `Carrier`."""
        table = read_table(bytes(frames[0]))
        found = self.find_buffers(table, frames[1:])
        for entry in table:
            if entry is not None and not entry[6] and entry[5]:
                segment = self.attachments.find(entry[0], entry[1])
                first = segment.address + entry[4]
                self._arguments.append((entry[:3], segment, first, first + entry[5]))
        return found

    def hand_back(self, buffers: Sequence[Any]) -> list[Any]:
        """See `Carrier`."""
        views = [buffer.raw() for buffer in buffers]
        if not self._arguments or os.getpid() != self._pid:
            return self._pack(views, [None] * len(views))
        named: dict[LeaseKey, Segment] = {}
        taken: list[tuple[int, int]] = []
        frames = self._pack(views, [self._in_arguments(view, named, taken) for view in views])
        frames[0].named = named
        return frames

    def settle(self, frames: Sequence[Any]) -> Sequence[Any]:
        """See `Carrier`."""
        named = frames[0].named
        if not named or not any(segment.held() for segment in named.values()):
            return frames
        views: list[Any] = []
        lying: list[Any] = []
        inline = iter(frames[1:])
        for entry in read_table(bytes(frames[0])):
            source = entry and named.get(entry[:3])
            if entry is None:
                views.append(memoryview(next(inline)))
            elif source:
                begin = HEADER + entry[4]
                views.append(memoryview(source.map)[begin : begin + entry[5]])
            else:
                views.append(b"")
            # Those that lie in segments of ours stay there, kept by what keeps them now.
            lying.append((write_entry(*entry), None) if entry and not source else None)
        copied = self._pack(views, lying)
        copied[0].kept = (*frames[0].kept, *copied[0].kept)
        return copied

    def _in_arguments(
        self, view: Any, named: dict[LeaseKey, Segment], taken: list[tuple[int, int]]
    ) -> tuple[bytes, None] | None:
        """Return the entry of a buffer in memory of an argument, and have that ``named``; None if
        it can't be written to, lies elsewhere, or in what is ``taken`` for another one.
        """
        if view.readonly:
            return None
        begin = address_of(view)
        end = begin + len(view)
        for lease, segment, first, last in self._arguments:
            if first <= begin and end <= last:
                if any(begin < other and one < end for one, other in taken):
                    return None  # two results in the same memory were two arrays, and stay so
                taken.append((begin, end))
                named[lease] = segment
                return write_entry(*lease, False, begin - segment.address, len(view)), None
        return None
