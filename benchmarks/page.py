"""A run as a page: its tables and plots, in a folder of results or in the documentation."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from benchmarks import plots, report, results
from benchmarks.parts import PARTS, bars
from benchmarks.results import Run

DOCS = Path(__file__).parents[1] / "docs"
#: Between them, the page of the documentation is written here.
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def write(run: Run, folder: Path, old: Run | None = None) -> None:
    """Write all values, the tables, and the plots of a run into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    run.save(folder / results.FILE)
    (folder / "tables.md").write_text(text(run, old) + "\n", "utf-8")
    if plots.available():
        draw(run, folder)
    else:
        print("left out: plots, for which matplotlib is not installed (extra `bench`)")


def draw(run: Run, folder: Path) -> list[Path]:
    """Draw what a run has; return the files."""
    judged = [verdict for bar in bars() if (verdict := bar.judge(run.series))]
    found = {folder / "bars.png": plots.verdicts(judged, folder / "bars.png")}
    for part in PARTS.values():
        file = folder / f"{part.name}.png"
        if part.plot is not None and run.of(part.name):
            found[file] = part.plot(run.of(part.name), file)
    return [file for file, drawn in found.items() if drawn]


def text(run: Run, old: Run | None = None) -> str:
    """Return all tables of a run, and how it compares with an older one."""
    tables = {"Bars": report.bars(bars(), run.series)}
    for name, part in PARTS.items():
        if part.table is not None and run.of(name):
            tables[part.about.capitalize()] = part.table(run.of(name))
    tables["Everything that was measured"] = report.medians(run.series.values())
    if old is not None:
        tables["Compared with an earlier run"] = report.comparison(old, run)
    titled = [f"### {title}\n\n{table}" for title, table in tables.items() if table]
    return "\n\n".join([_about(run), *titled])


def _about(run: Run) -> str:
    lines = {
        f"{one['when'][:10]}, {one['implementation']} {one['python']}, {one['system']}, "
        f"{one['cores']} cores"
        + (" (a smoke run: the figures mean nothing)" if one["smoke"] else "")
        for one in run.about
    }
    return "\n".join(f"Measured: {line}." for line in sorted(lines))


def publish(run: Run, folder: Path) -> None:
    """Put the tables into ``docs/performance.md``, and the plots beside it."""
    page = DOCS / "performance.md"
    images = DOCS / "performance"
    images.mkdir(exist_ok=True)
    links = []
    for file in draw(run, folder):
        shutil.copy(file, images / file.name)
        links.append(f"![{file.stem}](performance/{file.name})")
    inside = "\n\n".join([BEGIN, text(run), *links, END])
    page.write_text(replaced(page.read_text("utf-8"), inside), "utf-8")


def replaced(page: str, inside: str) -> str:
    """Return a page with what is between the two marks replaced, marks included.

    Raises:
        ValueError: The page lacks them.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page lacks the lines {BEGIN} and {END}")
    return pattern.sub(lambda _: inside, page)
