"""The part about environments, as a smoke run has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import environments, plots
from benchmarks.part import Options
from benchmarks.timing import Series


@pytest.mark.long  # `python -m benchmarks --smoke` does the same
@pytest.mark.index
def test_a_smoke_run_measures_what_there_are_bars_for(tmp_path: Path) -> None:
    found = {series.name: series for series in environments.measure(Options(smoke=True))}
    assert all(series.values for series in found.values())
    assert all(bar.judge(found) for bar in environments.PART.bars)
    assert "python -m venv and pip" in environments.shown(found)
    if plots.available():
        assert environments.drawn(found, tmp_path / "plot.png")


def test_the_table_says_how_many_times_ours_others_take() -> None:
    figures = {"wetlands, venv, warm": 0.5, "pixi, warm": 1.5, "pixi, cold": 9.0}
    series = {name: Series(name, "s", [value]) for name, value in figures.items()}
    series[environments.ONE] = Series(environments.ONE, "s", [1.0])
    assert environments.rows(series) == {
        "wetlands, venv": {"warm": 0.5},
        "pixi": {"warm": 1.5, "cold": 9.0},
    }
    assert "| pixi | 1.5 s | 9 s | 3 |" in environments.shown(series)
    assert environments.shown({}) == ""
