"""What a part of the benchmarks is, and what it can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bars import Bar
from benchmarks.timing import Series


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Attributes:
        smoke: A few repetitions, to see that everything works. The figures mean nothing.
        large: Also arrays of 1 GB and queues of 1,000,000 tasks.
        peers: Names of the pools to measure beside ours, in the part that compares them all.
        rounds: How often everything takes its turn. None: what each part takes for enough.
        tasks: How many no-ops are submitted one by one.
        items: How many items are mapped.
    """

    smoke: bool = False
    large: bool = False
    peers: tuple[str, ...] = ()
    rounds: int | None = None
    tasks: int = 20_000
    items: int = 100_000

    def choose(self, rounds: int) -> int:
        """Return how many rounds a part makes that would make ``rounds`` of its own accord."""
        return 1 if self.smoke else self.rounds or rounds


@dataclass(frozen=True)
class Part:
    """One part: what `--only` calls it, what it measures, and what the figures should be.

    Attributes:
        name: For `--only` and for headings.
        about: In a few words.
        measure: Takes all measurements. The names of series are unique among all parts.
        bars: What they are held against.
        table: Makes a Markdown table of a kind of its own from the series, or an empty string.
        plot: Draws the series into a PNG file; says whether there was something to draw.
    """

    name: str
    about: str
    measure: Callable[[Options], Iterable[Series]]
    bars: tuple[Bar, ...] = ()
    table: Callable[[Mapping[str, Series]], str] | None = None
    plot: Callable[[Mapping[str, Series], Path], bool] | None = None
