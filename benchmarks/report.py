"""Tables for people and JSON for the next run to compare with."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.timing import Series


def table(all_series: Sequence[Series]) -> str:
    """Return a Markdown table of medians."""
    lines = ["| what | median | p99 | floor |", "| --- | ---: | ---: | ---: |"]
    for series in all_series:
        floor = "" if series.floor is None else f"{series.floor:g} {series.unit}"
        mark = "" if series.within_floor() else " (missed)"
        lines.append(
            f"| {series.name} | {series.median:.3g} {series.unit} | {series.quantile(0.99):.3g} | "
            f"{floor}{mark} |"
        )
    return "\n".join(lines)


def ratios(all_series: Sequence[Series]) -> str:
    """Return ours over theirs, for what was measured in turn."""
    medians = {series.name: series.median for series in all_series}
    pairs = [
        ("no-op round trip", "no-op round trip, ProcessPoolExecutor"),
        ("no-op round trip", "bare ZeroMQ ping-pong"),
        ("the same with one progress update", "no-op round trip"),
        ("5,000 no-ops, submitted one by one", "5,000 no-ops, ProcessPoolExecutor"),
        ("echo of 1 kB beside it", "echo of an int"),
        ("share, 100 MB", "share, 1 MB"),
        ("inout, 100 MB", "inout, 1 MB"),
        ("share, 1 GB", "share, 1 MB"),
        ("inout, 1 GB", "inout, 1 MB"),
    ]
    return "\n".join(
        f"{ours} / {theirs}: {medians[ours] / medians[theirs]:.2f}"
        for ours, theirs in pairs
        if ours in medians and theirs in medians
    )


def save(all_series: Sequence[Series], path: Path) -> None:
    """Write all values as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"python": sys.version.split()[0], "system": platform.platform()}
    series = [vars(one) for one in all_series]
    path.write_text(json.dumps({"about": about, "series": series}, indent=1))
