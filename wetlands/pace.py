"""How many items of `map()` one task takes: as many as a worker runs in a few milliseconds.

A task costs the host and the worker tens of microseconds, whatever it does. For a function that
takes less this is what a user waits for, so such functions get their items in chunks. These are so
short that nobody notices if the last worker ends one later than the others.
"""

from __future__ import annotations

#: Seconds that a chunk is meant to take.
CHUNK_SECONDS = 0.003
#: The most items that one task gets.
CHUNK_ITEMS = 1000
#: What one report replaces of the mean: of this many items, all of it. But a worker that had to
#: wait for a processor seems slow, so bad news counts for a quarter, and so do few items.
_MEMORY = 64
_WEIGHT = 0.25


class Pace:
    """How long one function takes for an item: a running mean of what workers measured.

    Threads may use it at the same time: at worst a report is lost.
    """

    def __init__(self) -> None:
        self._mean: float | None = None  #: seconds for an item; None: nobody knows

    def is_known(self) -> bool:
        """Whether a worker has told."""
        return self._mean is not None

    def note(self, items: int, seconds: float) -> None:
        """Take note that a worker ran so many items in so many seconds."""
        if items < 1 or not 0 <= seconds < float("inf"):
            return
        found, mean = seconds / items, self._mean
        if mean is None:
            self._mean = found
            return
        weight = _WEIGHT if found > mean else min(1.0, max(items / _MEMORY, _WEIGHT))
        self._mean = mean + (found - mean) * weight

    def fitting(self, most: int) -> int:
        """Return how many items make a task, 1 to ``most``; 1 while the time is not known."""
        if self._mean is None:
            return 1
        items = min(most, CHUNK_ITEMS)
        return max(1, int(min(items, CHUNK_SECONDS / max(self._mean, 1e-9))))
