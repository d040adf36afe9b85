"""Timing in rounds: every subject once a round, so that a slow moment hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass
class Series:
    """The measured values of one subject.

    Attributes:
        name: What was measured.
        unit: Of the values.
        values: One a repetition.
        floor: What the value must not exceed, if there is such a promise.
    """

    name: str
    unit: str
    floor: float | None = None
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def quantile(self, q: float) -> float:
        """Return the value below which the share ``q`` of all lies."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]

    def within_floor(self) -> bool:
        """Whether the promise, if any, was kept."""
        return self.floor is None or self.median <= self.floor


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def interleave(
    subjects: Iterable[tuple[Series, Callable[[], object], float]], rounds: int, block: int
) -> None:
    """Time calls, ``block`` of each in turn, for some rounds.

    Args:
        subjects: Where values go, what is timed, and by what seconds are multiplied.
        rounds: How often all take their turn.
        block: How many calls a turn has; more than one, or a subject would pay for the caches
            that the one before it has filled.
    """
    subjects = list(subjects)
    for _ in range(rounds):
        for series, call, factor in subjects:
            series.values.extend(seconds(call) * factor for _ in range(block))
