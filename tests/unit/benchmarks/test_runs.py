"""Runs on disk, and their tables and plots."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import cli, page, plots, report, results
from benchmarks.bars import Bar
from benchmarks.results import Run
from benchmarks.timing import Series


def run(**values: list[float]) -> Run:
    made = Run(about=[{**results.about(), "smoke": True}])
    made.add("latency", [Series(name, "us", list(one)) for name, one in values.items()])
    return made


def test_a_run_is_the_same_after_it_was_saved(tmp_path: Path):
    saved = run(ours=[1.5, 2.5])
    saved.series["ours"].block = 2
    saved.save(tmp_path / "deep" / results.FILE)
    assert results.load(tmp_path / "deep" / results.FILE) == saved
    assert results.load(tmp_path / "deep") == saved


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"series": [{"no": 1}]}', "not JSON"])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "run.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="no saved run"):
        results.load(file)
    with pytest.raises(ValueError, match="no saved run"):
        results.load(tmp_path / "missing.json")


def test_a_part_that_is_measured_again_replaces_its_own_series_alone():
    one = run(ours=[1], gone=[1])
    one.add("values", [Series("echo", "ms", [3])])
    one.add("latency", [Series("ours", "us", [2])])
    assert {name: series.values for name, series in one.series.items()} == {
        "echo": [3],
        "ours": [2],
    }
    assert set(one.of("latency")) == {"ours"}
    assert one.of("nothing") == {}


def test_the_table_of_bars_has_what_was_measured():
    bars = [
        Bar("kept", "ours", 0.75, over="theirs"),
        Bar("missed", "ours", 8, over="theirs", at_least=True),
        Bar("absent", "nobody", 1),
    ]
    lines = report.bars(bars, run(ours=[1, 1], theirs=[2, 4]).series).splitlines()
    assert lines[2:] == [
        "| kept | <= 0.75 | 0.333 | 0.25 to 0.5 | passed |",
        "| missed | >= 8 | 0.333 | 0.25 to 0.5 | **missed** |",
    ]
    assert report.bars(bars, {}) == ""


def test_the_table_of_medians_has_a_p99_only_where_it_means_something():
    many = Series("many", "us", [1.0] * 100)
    text = report.medians([many, Series("few", "items/s", [123456.0]), Series("none", "us")])
    assert "| many | 1 us | 1 | 100 |" in text
    assert "| few | 123,456 items/s |  | 1 |" in text
    assert "none" not in text


@pytest.mark.parametrize(
    ("unit", "then", "now", "word"),
    [
        ("us", 10, 12, "**worse**"),
        ("us", 10, 8, "better"),
        ("us", 10, 10.5, ""),
        ("tasks/s", 10, 12, "better"),
        ("tasks/s", 10, 8, "**worse**"),
    ],
)
def test_a_comparison_says_what_got_worse(unit: str, then: float, now: float, word: str):
    old, new = Run(), Run()
    old.add("latency", [Series("x", unit, [then]), Series("old", unit, [1])])
    new.add("latency", [Series("x", unit, [now]), Series("new", unit, [1])])
    lines = report.comparison(old, new).splitlines()
    assert len(lines) == 3
    assert lines[2].split("|")[5].strip() == word


def test_pages_are_changed_between_the_marks_only():
    old = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    inside = f"{page.BEGIN}\nnew \\1\n{page.END}"
    assert page.replaced(old, inside) == f"before\n{inside}\nafter\n"
    with pytest.raises(ValueError, match="lacks"):
        page.replaced("nothing here", inside)


def test_a_run_is_written_and_compared(tmp_path: Path):
    page.write(run(ours=[2]), tmp_path, run(ours=[1]))
    text = (tmp_path / "tables.md").read_text()
    assert "| ours | 1 us | 2 us | 2 | **worse** |" in text
    assert "a smoke run" in text
    assert results.load(tmp_path) == run(ours=[2])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw one plot of each kind; outside of tests, since matplotlib keeps its fonts open."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("plots")
    assert not plots.lines({"a": []}, folder / "no.png", "x", "y")
    assert plots.lines({"a": [(1, 2), (10, 20)]}, folder / "lines.png", "x", "y")
    verdict = Bar("x", "ours", 8).judge(run(ours=[1]).series)
    assert verdict is not None
    assert plots.verdicts([verdict], folder / "bars.png")
    assert plots.groups({"wetlands": {"us": 2}, "b": {}}, folder / "groups.png", ["us", "rate"])
    return folder


def test_plots_are_files_where_there_is_something_to_draw(drawn: Path):
    found = {file.name: file.read_bytes()[:4] for file in drawn.iterdir()}
    assert found == dict.fromkeys(["lines.png", "bars.png", "groups.png"], b"\x89PNG")


def test_a_saved_run_is_read_without_measuring(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(ours=[1]).save(tmp_path / "old" / results.FILE)
    run(ours=[3]).save(tmp_path / "new" / results.FILE)
    file = str(tmp_path / "new" / results.FILE)
    assert cli.main(["--read", file, "--compare", str(tmp_path / "old")]) == 0
    assert "| ours | 1 us | 3 us | 3 | **worse** |" in capsys.readouterr().out


def test_bad_options_are_one_clear_error(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    for arguments in (["--read", str(tmp_path)], ["--rounds", "0"], ["--only", "nonsense"]):
        with pytest.raises(SystemExit):
            cli.main(arguments)
    errors = capsys.readouterr().err
    assert "no saved run" in errors
    assert "is not 1 or more" in errors
    assert "invalid choice: 'nonsense'" in errors


def test_a_part_that_fails_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def broken(options: object) -> list[Series]:
        raise RuntimeError("nothing works today")

    good = cli.PARTS["faults"].__class__("good", "", lambda options: [Series("x", "us", [1])])
    bad = cli.PARTS["faults"].__class__("bad", "", broken)
    monkeypatch.setattr(cli, "PARTS", {"bad": bad, "good": good})
    assert cli.main(["--output", str(tmp_path)]) == 1
    assert "failed: bad" in capsys.readouterr().out
    assert set(results.load(tmp_path).series) == {"x"}
