"""Tables for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.bars import Bar, Verdict
from benchmarks.results import Run
from benchmarks.timing import Series

#: Changes of a median by less than this say nothing on a machine with other guests.
NOISE = 0.1


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float, unit: str = "") -> str:
    """Return a number with three digits and its unit."""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()


def bars(bars: Iterable[Bar], series: Mapping[str, Series]) -> str:
    """Return a table of all bars that something was measured for."""
    verdicts = [verdict for bar in bars if (verdict := bar.judge(series))]
    rows = [_bar(verdict) for verdict in verdicts]
    return table(["bar", "should be", "is", "in single rounds", ""], rows) if rows else ""


def _bar(verdict: Verdict) -> list[str]:
    sign = ">=" if verdict.bar.at_least else "<="
    spread = "" if verdict.spread is None else " to ".join(number(one) for one in verdict.spread)
    return [
        verdict.bar.text,
        f"{sign} {number(verdict.bar.limit, verdict.unit)}",
        number(verdict.value, verdict.unit),
        spread,
        "passed" if verdict.passed else "**missed**",
    ]


def medians(series: Iterable[Series]) -> str:
    """Return a table of the series themselves."""
    rows = [
        [
            one.name,
            number(one.median, one.unit),
            number(one.quantile(0.99)) if len(one.values) >= 100 else "",
            f"{len(one.values):,}",
        ]
        for one in series
        if one.values
    ]
    return table(["measured", "median", "p99", "values"], rows)


def comparison(old: Run, new: Run) -> str:
    """Return a table of what two runs have in common; worse and better are beyond noise."""
    rows = [
        _change(old.series[name], series)
        for name, series in new.series.items()
        if name in old.series and series.values and old.series[name].values
    ]
    return table(["measured", "then", "now", "now / then", ""], rows)


def _change(old: Series, new: Series) -> list[str]:
    ratio = new.median / old.median if old.median else float("nan")
    cells = [new.name, number(old.median, old.unit), number(new.median, new.unit), number(ratio)]
    if not abs(ratio - 1) > NOISE:
        return [*cells, ""]
    return [*cells, "better" if (ratio > 1) == new.more_is_better else "**worse**"]
