"""When to look at which slot: a heap that forgives deadlines that move."""

from __future__ import annotations

import heapq
import math


class Deadlines:
    """The next moment at which something may be due, for a fixed number of slots.

    At most one entry a slot counts, and it is never later than the slot's deadline. A deadline
    that moves later, as that of silence does with every message, costs nothing: the owner looks
    at the slot when the old entry comes due, and arms it again. One that moves earlier leaves its
    old entry behind; those are swept when they outnumber the slots, because an hour's deadline
    would otherwise lie here for an hour after its task ended.
    """

    def __init__(self, slots: int) -> None:
        self._heap: list[tuple[float, int]] = []
        self._armed = [math.inf] * slots
        self.first = math.inf  #: the moment of the first entry; it may be early, never late

    def __len__(self) -> int:
        return len(self._heap)

    def grow(self, slots: int) -> None:
        """Have room for more slots."""
        self._armed += [math.inf] * (slots - len(self._armed))

    def arm(self, index: int, due: float) -> None:
        """Make sure that the slot is looked at no later than ``due``."""
        if due >= self._armed[index]:
            return
        self._armed[index] = due
        heapq.heappush(self._heap, (due, index))
        self.first = self._heap[0][0]
        if len(self._heap) > 2 * len(self._armed):
            self._sweep()

    def pop(self, now: float) -> int | None:
        """Return a slot to look at and arm again, or None when the rest is in the future."""
        while self._heap and self._heap[0][0] <= now:
            due, index = heapq.heappop(self._heap)
            self.first = self._heap[0][0] if self._heap else math.inf
            if due == self._armed[index]:
                self._armed[index] = math.inf
                return index
        return None

    def next(self) -> float | None:
        """Return the moment of the first entry; it may be early, never late."""
        return self.first if self._heap else None

    def clear(self) -> None:
        """Forget everything."""
        self._armed = [math.inf] * len(self._armed)
        self._heap.clear()
        self.first = math.inf

    def _sweep(self) -> None:
        self._heap = [(due, index) for index, due in enumerate(self._armed) if due < math.inf]
        heapq.heapify(self._heap)
        self.first = self._heap[0][0] if self._heap else math.inf
