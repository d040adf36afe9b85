"""Every example, run the way a user runs it: as a program, in a folder of one's own."""

from __future__ import annotations

import importlib.util
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_two_worlds_segment_every_photograph_despite_a_cancellation_and_a_killed_worker(
    root: Path, tmp_path: Path
) -> None:
    out = example("segment_two_worlds.py", "--root", root, cwd=tmp_path)

    # The tests themselves may need NumPy.
    lacks = "skimage" if importlib.util.find_spec("numpy") else "numpy, skimage"
    assert f"without {lacks}." in out, "this interpreter must not have what workers have"
    assert re.search(r"Old world: +Python \S+, NumPy 1\.", out)
    assert re.search(r"New world: +Python \S+, NumPy [2-9]\.", out)
    rows = re.findall(r"^(\w[\w ]*?) +(\d+) +(\d+) +([\d.]+)% +([\d.]+)% +([\d.]+)%$", out, re.M)
    assert len(rows) == 12, out
    for name, old, new, *_, overlap in rows:
        assert 0 < int(old) == pytest.approx(int(new), rel=0.1), name
        assert float(overlap) > 95, name
    assert dict((row[0], row[1]) for row in rows)["coins"] == "25"
    assert re.search(r"^segment-old\S*: chelsea was canceled; submitted again, done\.$", out, re.M)
    assert re.search(r"^segment-new: worker [01] \(pid \d+\) died of SIGKILL .* page, ", out, re.M)
    assert "12 photographs in both worlds" in out
    assert_picture(tmp_path / "two_worlds.png", at_least=(1000, 800))


def assert_picture(path: Path, at_least: tuple[int, int]) -> None:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", head[16:24])
    assert width >= at_least[0]
    assert height >= at_least[1]


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
    text = Path(__file__).read_text(encoding="utf-8") + (
        REPOSITORY / "tests" / "support" / "qt_user.py"
    ).read_text(encoding="utf-8")
    programs = [path for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text()]
    assert [path.name for path in programs if path.stem not in text] == []
    assert len(programs) == 6
