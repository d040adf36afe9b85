"""Timing in rounds: every subject once a round, so that a slow moment hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

#: What seconds are multiplied by.
SCALE = {"s": 1.0, "ms": 1e3, "us": 1e6}


@dataclass
class Series:
    """The measured values of one subject.

    Attributes:
        name: What was measured.
        unit: Of the values; units that end in "/s" are rates.
        values: In the order in which they were measured.
        block: How many of them belong to one round.
    """

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    block: int = 1

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def quantile(self, q: float) -> float:
        """Return the value below which the share ``q`` of all lies."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]

    def rounds(self) -> list[float]:
        """Return the median of each round."""
        starts = range(0, len(self.values), self.block)
        return [statistics.median(self.values[at : at + self.block]) for at in starts]

    @property
    def more_is_better(self) -> bool:
        """Whether this is a rate or a share, and not a cost."""
        return self.unit.endswith("/s") or self.unit == "%"

    def add(self, seconds: float, count: int = 1) -> None:
        """Note that ``count`` things took so long: the time of one, or their rate."""
        if self.unit.endswith("/s"):
            self.values.append(count / seconds)
        else:
            self.values.append(seconds * SCALE[self.unit] / count)


@dataclass
class Subject:
    """What takes its turn in each round: where values go, what is timed, how much that does."""

    series: Series
    call: Callable[[], object]
    count: int = 1


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def interleave(subjects: Iterable[Subject], rounds: int, block: int = 1) -> list[Series]:
    """Time calls, ``block`` of each in turn, for some rounds; return the series.

    Args:
        subjects: Who takes turns. Who begins changes from round to round.
        rounds: How often all take their turn.
        block: How many calls a turn has; more than one where calls are short, or a subject would
            pay for the caches that the one before it has filled.
    """
    subjects = list(subjects)
    for number in range(rounds):
        for subject in _rotated(subjects, number):
            subject.series.block = block
            for _ in range(block):
                subject.series.add(seconds(subject.call), subject.count)
    return [subject.series for subject in subjects]


def _rotated(subjects: Sequence[Subject], by: int) -> list[Subject]:
    start = by % len(subjects) if subjects else 0
    return [*subjects[start:], *subjects[:start]]
