"""Latency, throughput, deaths and start-up of the pool, beside `ProcessPoolExecutor`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks import work
from benchmarks.peers import BareSockets
from benchmarks.timing import Series, interleave, seconds
from wetlands import Environment, EnvironmentManager

WORK = str(Path(work.__file__).resolve())


def round_trip(env: Environment, rounds: int) -> list[Series]:
    """Time one task at a time, from the submission to its result."""
    ours = Series("no-op round trip", "us", floor=400)
    updating = Series("the same with one progress update", "us")
    theirs = Series("no-op round trip, ProcessPoolExecutor", "us")
    bare = Series("bare ZeroMQ ping-pong", "us")
    with ProcessPoolExecutor(1) as executor, BareSockets() as sockets:
        executor.submit(work.noop).result()
        subjects = [
            (ours, lambda: env.submit(WORK, "noop", (1,)).wait_for().result, 1e6),
            (updating, lambda: env.submit(WORK, "report", (1,)).wait_for().result, 1e6),
            (theirs, lambda: executor.submit(work.noop, 1).result(), 1e6),
            (bare, sockets.ping, 1e6),
        ]
        interleave(subjects, rounds, block=100)
    return [ours, updating, theirs, bare]


def throughput(env: Environment, tasks: int, rounds: int) -> list[Series]:
    """Time many tasks, submitted one by one, until the last result is there."""
    scale = 5000 / tasks
    ours = Series("5,000 no-ops, submitted one by one", "s", floor=2.0)
    theirs = Series("5,000 no-ops, ProcessPoolExecutor", "s")

    def run_ours() -> None:
        for task in [env.submit(WORK, "noop", (i,)) for i in range(tasks)]:
            task.wait_for()

    with ProcessPoolExecutor(2) as executor:
        executor.submit(work.noop).result()

        def run_theirs() -> None:
            for future in [executor.submit(work.noop, i) for i in range(tasks)]:
                future.result()

        interleave([(ours, run_ours, scale), (theirs, run_theirs, scale)], rounds, block=1)
    return [ours, theirs]


def deaths(env: Environment, rounds: int) -> list[Series]:
    """Time from SIGKILL of a busy worker to the failure of its task."""
    failed = Series("SIGKILL of a busy worker to its task FAILED", "ms", floor=500)
    for _ in range(rounds):
        task = env.submit(WORK, "sleep", (60,))
        while task.message is None:  # a task that had not begun would run elsewhere
            time.sleep(0.001)
        os.kill(task.worker.pid, signal.SIGKILL)
        failed.values.append(seconds(task.wait_for) * 1e3)
    return [failed]


def start_up(manager: EnvironmentManager, rounds: int) -> list[Series]:
    """Time the start of four workers, of an unchanged recipe, and of the import."""
    launch = Series("launch(max_workers=4) to the first result", "s", floor=1.0)
    create = Series("create() of an unchanged recipe", "ms")
    light = Series("import wetlands", "ms", floor=100)
    loaded = Series("import wetlands and the manager", "ms", floor=100)
    env = manager.create("benchmark", {"pip": []})
    env.exit()

    def first_result() -> None:
        env.launch(max_workers=4)
        env.execute(WORK, "noop")

    for _ in range(rounds):
        launch.values.append(seconds(first_result))
        env.exit()
        create.values.append(seconds(lambda: manager.create("benchmark", {"pip": []})) * 1e3)
        light.values.append(_import_time("import wetlands"))
        loaded.values.append(_import_time("from wetlands import EnvironmentManager"))
    return [launch, create, light, loaded]


def _import_time(statement: str) -> float:
    """Return the milliseconds that a statement adds to the start of an interpreter."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout) * 1e3
