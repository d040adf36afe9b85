"""Every example, run the way a user runs it: as a program, in a folder of one's own.

The main one is run as README says; see `test_readme.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.two_worlds import assert_picture

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"

pytestmark = pytest.mark.index


def run(*command: object, cwd: Path) -> str:
    """Run a program of ours under the interpreter of the tests; return what it printed."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed\n{done.stdout}\n{done.stderr}"
    return done.stdout


def example(name: str, *options: object, cwd: Path) -> str:
    return run(EXAMPLES / name, *options, cwd=cwd)


def test_a_progress_bar_follows_a_task(root: Path, tmp_path: Path) -> None:
    out = example("progress_bar.py", "--root", root, cwd=tmp_path)
    assert re.fullmatch(r"17984 primes below 200000, counted by worker \d+\n", out)


def test_tasks_are_canceled_in_three_ways(root: Path, tmp_path: Path) -> None:
    out = example("cancel.py", "--root", root, cwd=tmp_path)
    assert re.search(r"^asked: +CANCELED, it had counted to \d+$", out, re.M)
    assert re.search(r"^forced: +CANCELED after \d\.\d s$", out, re.M)
    assert re.search(r"^left: +CANCELED$", out, re.M)
    assert re.search(r"^and then: 168 primes below 1000$", out, re.M)


def test_each_worker_keeps_to_its_gpu(root: Path, tmp_path: Path) -> None:
    out = example("gpu_pinning.py", "--root", root, cwd=tmp_path)
    rows = [line.split() for line in out.splitlines()[1:]]
    assert [row[0] for row in rows] == [str(i) for i in range(9)]
    assert all(worker == gpu for _, worker, gpu, _ in rows)
    pids = {worker: pid for _, worker, _, pid in rows}
    assert all(pids[worker] == pid for _, worker, _, pid in rows)
    assert len(set(pids.values())) == len(pids)


def test_tasks_are_at_home_in_asyncio(root: Path, tmp_path: Path) -> None:
    out = example("async_app.py", "--root", root, cwd=tmp_path)
    assert "1229 primes below 10000" in out
    assert "{1000: 168, 2000: 303, 3000: 430, 4000: 550}" in out
    assert re.search(r"^async for: +20 updates, then COMPLETION$", out, re.M)
    assert re.search(r"^async with: out of time, the task is CANCELED$", out, re.M)


def test_a_window_shows_progress_and_cancels(root: Path, tmp_path: Path) -> None:
    user = REPOSITORY / "tests" / "support" / "qt_user.py"
    screenshot = tmp_path / "window.png"

    out = run(user, EXAMPLES, root, screenshot, cwd=tmp_path)

    assert out.splitlines() == [
        "busy: True",
        "bar: 1000 label: Done: 9592 primes",
        "label: Canceled",
        "closed: CANCELED",
    ]
    assert_picture(screenshot, at_least=(200, 50))


def test_every_example_is_tested() -> None:
    by = [Path(__file__), REPOSITORY / "tests" / "support" / "qt_user.py", REPOSITORY / "README.md"]
    text = "".join(path.read_text(encoding="utf-8") for path in by)
    programs = [path for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text()]
    assert [path.name for path in programs if path.stem not in text] == []
    assert len(programs) == 6
