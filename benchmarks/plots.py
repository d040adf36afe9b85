"""Plots, where matplotlib is installed (extra `bench`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import Verdict

Points = Sequence[tuple[float, float]]


def available() -> bool:
    """Whether anything can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def lines(drawn: Mapping[str, Points], path: Path, x: str, y: str) -> bool:
    """Draw lines on two logarithmic axes; say whether there were any points."""
    drawn = {label: points for label, points in drawn.items() if points}
    if drawn:
        figure, axes = _figure(7, 4.2)
        for label, points in drawn.items():
            axes.loglog(*zip(*points, strict=True), "o-", label=label)
        axes.set(xlabel=x, ylabel=y)
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
        figure.savefig(path, dpi=100)
    return bool(drawn)


def verdicts(judged: Iterable[Verdict], path: Path) -> bool:
    """Draw how far every bar is from its limit: what reaches beyond 1 is missed."""
    judged = [one for one in judged if one.value > 0 and one.bar.limit > 0][::-1]
    if judged:
        figure, axes = _figure(9, 1 + 0.32 * len(judged))
        shares = [
            one.bar.limit / one.value if one.bar.at_least else one.value / one.bar.limit
            for one in judged
        ]
        colours = ["tab:green" if one.passed else "tab:red" for one in judged]
        # From the limit to the left is what is left of it, to the right what is missed by.
        lengths = [share - 1 for share in shares]
        axes.barh([one.bar.text for one in judged], lengths, left=1, color=colours)
        axes.axvline(1, color="black", linewidth=1)
        axes.set(xscale="log", xlabel="value / limit; what reaches to the right of 1 is missed")
        axes.set_xlim(min(0.3, *shares) / 1.2, max(3, *shares) * 1.2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(visible=True, axis="x", which="both", alpha=0.3)
        figure.savefig(path, dpi=100)
    return bool(judged)


def groups(rows: Mapping[str, Mapping[str, float]], path: Path, labels: Sequence[str]) -> bool:
    """Draw one panel of horizontal bars for each label; ``rows`` has a value for some of them."""
    if rows:
        figure, panels = _figure(4 * len(labels), 1.2 + 0.35 * len(rows), len(labels))
        for axes, label in zip(panels, labels, strict=True):
            names = list(rows)[::-1]
            values = [rows[name].get(label, 0.0) for name in names]
            colours = ["tab:orange" if name == "wetlands" else "tab:blue" for name in names]
            axes.barh(names, values, color=colours)
            axes.set(title=label)
            if any(values):
                # Whole decades: bars that begin anywhere would say nothing.
                low, high = (math.log10(end) for end in _range(values))
                axes.set(xscale="log", xlim=(10 ** math.floor(low - 0.1), 10 ** math.ceil(high)))
            axes.grid(visible=True, axis="x", alpha=0.3)
        figure.savefig(path, dpi=100)
    return bool(rows)


def _range(values: Iterable[float]) -> tuple[float, float]:
    positive = [value for value in values if value > 0]
    return min(positive), max(positive)


def _figure(width: float, height: float, panels: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, panels)
