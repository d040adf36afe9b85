"""Bars: what the measurements are held against, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.timing import Series


@dataclass(frozen=True)
class Bar:
    """A promise: a series, or its ratio to another one of the same run, keeps to a limit.

    Attributes:
        text: What is promised, in a few words.
        of: The name of the series that is judged by its median.
        limit: What the value must not exceed.
        over: The name of the series that it is divided by. None: the value stands for itself.
        at_least: The limit is one from below.
        quantile: Judge this quantile of the first series in place of its median.
    """

    text: str
    of: str
    limit: float
    over: str | None = None
    at_least: bool = False
    quantile: float = 0.5

    def judge(self, series: Mapping[str, Series]) -> Verdict | None:
        """Return what came of it; None if a series of it was not measured."""
        ours, theirs = series.get(self.of), series.get(self.over or self.of)
        if ours is None or theirs is None or not ours.values or not theirs.values:
            return None
        value = ours.median if self.quantile == 0.5 else ours.quantile(self.quantile)
        unit = ours.unit if self.over is None else ""
        if self.over is not None:
            value /= theirs.median
        return Verdict(self, value, unit, self._spread(ours, theirs))

    def _spread(self, ours: Series, theirs: Series) -> tuple[float, float] | None:
        """Return the least and the largest value of all rounds, where rounds belong together."""
        if self.quantile != 0.5:
            return None
        rounds = ours.rounds()
        if self.over is not None:
            others = theirs.rounds()
            if len(others) != len(rounds) or ours is theirs:
                return None
            rounds = [one / other for one, other in zip(rounds, others, strict=True)]
        return (min(rounds), max(rounds)) if len(rounds) > 1 else None


@dataclass(frozen=True)
class Verdict:
    """What came of a bar.

    Attributes:
        bar: The promise.
        value: What was measured, a ratio where the bar is one.
        unit: Of the value; empty for a ratio.
        spread: Its least and largest value in a round.
    """

    bar: Bar
    value: float
    unit: str
    spread: tuple[float, float] | None

    @property
    def passed(self) -> bool:
        """Whether the promise was kept."""
        if self.bar.at_least:
            return self.value >= self.bar.limit
        return self.value <= self.bar.limit
