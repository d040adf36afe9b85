"""Segments while processes die: bytes are never mixed up, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Launch
from tests.support.processes import runs
from tests.support.waiting import wait_until
from wetlands.errors import WorkerLostError
from wetlands.runtime import folder
from wetlands.task import TaskStatus

np = pytest.importorskip("numpy")

ROOT = Path(__file__).parents[2]
ARRAYS = ROOT / "tests" / "integration" / "modules" / "arrays.py"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills and looks")

#: Launches workers, keeps one busy with an array and one result, says who it is, and waits.
_HOST = """
import sys, time
import numpy as np
from wetlands import EnvironmentManager
from wetlands.runtime import folder
folder.MEMORY = {memory!r}
if {parent!r}:
    folder.tempfile.tempdir = {parent!r}
manager = EnvironmentManager({root!r}, progress=False)
env = manager.load("host", sys.executable)
env.launch(max_workers=2, max_shared_memory={ceiling})
kept = [env.execute({arrays!r}, "make", (i, 1_000_000)) for i in range(3)]
shared = env.share(np.ones(1_000_000), mode="inout")
held = env.submit({arrays!r}, "hold", (np.ones(1_000_000), {gate!r}))
import os, pathlib
while held.worker is None or not pathlib.Path({gate!r}, "gate.started").exists():
    time.sleep(0.01)
print(held.worker.pid, *[f.path for f in env._pool._host.segment_folders], flush=True)
{then}
"""

Start = Callable[..., "tuple[subprocess.Popen[str], int, list[Path]]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(then: str, ceiling: int | None = None) -> Any:
        parent = tmp_path / "temporary"
        for made in (parent, tmp_path / "gate"):
            made.mkdir()
        code = _HOST.format(
            memory=folder.MEMORY,
            parent=str(parent),
            root=str(tmp_path / "root"),
            arrays=str(ARRAYS),
            gate=str(tmp_path / "gate"),
            ceiling=ceiling,
            then=then,
        )
        program = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(program)
        assert program.stdout is not None
        with program.stdout:
            pid, *paths = program.stdout.readline().split()
        return program, int(pid), [Path(path) for path in paths]

    yield start
    for program in started:
        program.kill()
        program.wait(10)
    folder._sweep(folder._parent())  # that of their sockets, which is not what is tested here


def segments(paths: list[Path]) -> list[str]:
    """Return the segments that are still there."""
    found = [path for parent in paths if parent.exists() for path in parent.iterdir()]
    return [path.name for path in found if path.name != "owner" and "growing" not in path.name]


def sweep(paths: list[Path]) -> None:
    """Do what the next host does at its start."""
    for path in paths:
        folder._sweep(str(path.parent))


@pytest.mark.parametrize("ceiling", [None, 0], ids=["in memory", "on disk"])
@pytest.mark.parametrize("who", ["host", "both", "worker first"])
def test_what_killed_processes_leave_is_swept(start: Start, who: str, ceiling: int | None) -> None:
    program, worker, paths = start("time.sleep(600)", ceiling)
    assert len(segments(paths)) >= 4
    if who != "host":
        os.kill(worker, signal.SIGKILL)
    if who == "worker first":
        wait_until(lambda: not runs(worker))
    program.kill()
    program.wait(10)
    wait_until(lambda: not runs(worker))
    assert segments(paths), "a killed process removes nothing"
    sweep(paths)
    assert not any(path.exists() for path in paths)


def test_folders_of_living_hosts_are_not_swept(start: Start) -> None:
    program, _, paths = start("time.sleep(600)")
    before = segments(paths)
    sweep(paths)
    assert segments(paths) == before
    program.kill()
    program.wait(10)
    sweep(paths)
    assert not any(path.exists() for path in paths)


@pytest.mark.parametrize("then", ["env.exit(grace=0)", "manager.exit()", "", "sys.exit(3)"])
def test_nothing_is_left_after_exit(start: Start, then: str) -> None:
    program, worker, paths = start(then)
    assert program.wait(20) == (3 if "sys.exit" in then else 0)
    assert not any(path.exists() for path in paths)
    assert not runs(worker)


def test_bytes_are_never_mixed_up_while_workers_die(launch: Launch) -> None:
    env = launch(max_workers=2, max_shared_memory=30_000_000)
    over = threading.Event()
    wrong: list[Any] = []
    outcomes: set[str] = set()

    def submit(number: int) -> None:
        dice = random.Random(number)
        kept: list[Any] = []
        while not over.is_set():
            value = dice.randrange(256)
            array = np.full(dice.choice([1000, 200_000, 1_000_000]), value, "u1")
            task = env.submit(ARRAYS, dice.choice(["echo", "echo", "cancel", "fail"]), (array,))
            if dice.random() < 0.2:
                continue
            if task.wait_for(20).status is TaskStatus.COMPLETED:
                kept.append((value, task.result))
                kept = kept[-dice.randrange(1, 6) :]
                wrong.extend(value for value, found in kept if not (found == value).all())
            elif isinstance(task.exception, WorkerLostError):
                outcomes.add("lost")

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        task = env.submit(ARRAYS, "fill_and_die", (np.ones(200_000),))
        task.wait_for(20)
        over.wait(0.2)
    over.set()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert env.execute(ARRAYS, "echo", (5,)) == 5
    pool: Any = env._pool
    carrier = pool.codec.carrier
    paths = [item.path for item in pool._host.segment_folders]
    used = sum(path.stat().st_size for path in paths[0].iterdir())
    assert used <= 30_000_000
    env.exit()
    own = f"{carrier._family}."
    assert not [name for name in segments(paths) if name.startswith(own)]
