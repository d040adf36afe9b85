"""The host's side of the segments that one launched environment uses.

See `worker_entry.segment` for how they work. Here is what only a host does: it gives seats to
workers and clears those of dead ones, removes what these leave, and makes a caller who submits more
than fits wait, for as long as tasks are under way that will give something back.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from wetlands.runtime.sharing import SharedArrays
from worker_entry.attachments import Attachments
from worker_entry.segment import HEADER, RETIRED, exporter
from worker_entry.segment_carrier import THRESHOLD, SegmentCarrier, Table, settle
from worker_entry.segment_pool import Lease, SegmentPool

#: Between two looks for space, in seconds.
_PAUSES = (0.0005, 0.001, 0.002, 0.005, 0.01)

_families = itertools.count(1)


class HostCarrier(SegmentCarrier):
    """Carries the buffers of one pool of workers, and knows who holds them.

    Args:
        folders: Where segments are made; the first one in memory, where there is such a thing.
        ceiling: Bytes that segments may take there; None: half of what is free.
        busy: Gives the payloads of the tasks that are under way.
    """

    def __init__(
        self,
        folders: Sequence[str],
        ceiling: int | None,
        busy: Callable[[], list[tuple[Any, ...]]],
    ) -> None:
        self.ceiling = _free(folders[0]) // 2 if ceiling is None else ceiling
        self._folders = list(folders)
        self._family = f"{next(_families):x}"
        self._busy = busy
        self._pauses = 0
        self._seated: dict[int, int] = {}  # slot -> incarnation
        pool = SegmentPool(folders, self._family, "h", self.ceiling)
        super().__init__(pool, Attachments(folders, 0), THRESHOLD, self._wait_for_space)
        self.shared = SharedArrays(self)

    def lease(self, size: int) -> Lease | None:
        """Return a segment, without waiting for one."""
        lease = self.pool.lease(size)
        if lease is not None:
            settle(lease)
        return lease

    def worker_config(self, slot: int, incarnation: int) -> dict[str, Any] | None:
        """Return what a new worker needs for segments of its own."""
        self._seated[slot] = incarnation
        self._clear(slot)
        return {
            "folders": self._folders,
            "family": self._family,
            "owner": _owner(slot, incarnation),
            "seat": slot + 1,
            "ceiling": self.ceiling,
            "threshold": self.threshold,
        }

    def forget_worker(self, slot: int, incarnation: int) -> Callable[[], None]:
        """Take back what a dead worker held; return what removes the files that it left.

        Its results that are still in use stay as they are, being mapped. Removing takes its time:
        a system clears some gigabytes a second.
        """
        if self._seated.get(slot) == incarnation:
            self._clear(slot)
        prefix = self._prefix(slot, incarnation)
        self.attachments.forget(prefix)
        return lambda: self._remove(prefix)

    def redeem_from(
        self, slot: int, incarnation: int, frames: Sequence[Any], payload: Sequence[Any] = ()
    ) -> Sequence[Any]:
        """Return a worker's result so that it holds what it names: of that worker's segments, and
        of those that came with its task's payload.
        """
        return self.redeem(frames, self._prefix(slot, incarnation), partial(_take_back, payload))

    def close(self) -> None:
        """Remove all segments; arrays that lie in them stay as they are."""
        self.shared.close()
        self.pool.retire()
        self._remove(f"{self._family}.")

    def _prefix(self, slot: int, incarnation: int) -> str:
        return f"{self._family}.{_owner(slot, incarnation)}."

    def _lease(self, room: int) -> Lease | None:
        self._pauses = 0
        lease = super()._lease(room)
        if lease is not None:
            settle(lease)
        return lease

    def _wait_for_space(self) -> bool:
        """Wait a moment if a task is under way that holds a segment; say whether there is one."""
        payloads = self._busy()
        if not any(type(f) is Table and f.carried for payload in payloads for f in payload):
            return False
        time.sleep(_PAUSES[min(self._pauses, len(_PAUSES) - 1)])
        self._pauses += 1
        return True

    def _clear(self, slot: int) -> None:
        for segment in list(self.pool.segments.values()):
            segment.clear(slot + 1)

    def _remove(self, prefix: str) -> None:
        for folder in self._folders:
            names: list[str] = []
            with contextlib.suppress(OSError):
                names = os.listdir(folder)
            for name in names:
                if name.startswith(prefix):
                    with contextlib.suppress(OSError):  # another thread may be at it, too
                        os.unlink(os.path.join(folder, name))


def _take_back(payload: Sequence[Any], name: str, number: int, offset: int, size: int) -> Any:
    """Return a buffer that came with a call's payload; None if it is none.

    Raises:
        ValueError: It is used by others, or can't be right.
    """
    tables = [frame for frame in payload if type(frame) is Table]
    for lease in [kept for table in tables for kept in table.kept if type(kept) is Lease]:
        segment = lease.segment
        if (segment.name, lease.number) != (name, number):
            continue
        if segment.held() or offset + size > segment.room:
            raise ValueError(f"segment {name!r} is in use, or not so large")
        memory = exporter(segment.map)
        memory.lease = lease
        return memoryview(memory).cast("B")[HEADER + offset : HEADER + offset + size]
    return None


def _owner(slot: int, incarnation: int) -> str:
    return f"{slot}-{incarnation}"


def can_seat(size: int) -> bool:
    """Whether so many workers find seats, on a system that has what segments need."""
    return os.name == "posix" and size + 1 < RETIRED


def _free(folder: str) -> int:
    found = os.statvfs(folder)
    return max(found.f_bavail * found.f_frsize, HEADER)
