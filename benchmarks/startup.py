"""From nothing to results: launching, creating, importing."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import worker_entry
from benchmarks import work
from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.subject import POOL, WORK, managed
from benchmarks.timing import Series, Subject, interleave
from wetlands import Environment, EnvironmentManager

FOUR = "launch of 4 workers to a result of each"
FOUR_THEIRS = f"4 workers of {POOL} with spawn to a result of each"
ANY, ANY_THEIRS = "launch of 4 workers to 4 results", f"4 results, {POOL} with spawn"
CREATE = "create() of an unchanged recipe"
IMPORT, MANAGER = "import wetlands", "import of wetlands and its manager"
WORKER = "imports of a worker beyond pyzmq"
UNCOMPILED = "the same, nothing compiled before"
#: Says that it is ready, and stays until its standard input ends.
_BARE = "import sys, zmq; print(flush=True); sys.stdin.read()"
_WORKER = """
import sys, time, zmq
sys.path.insert(0, sys.argv[1])
begin = time.perf_counter()
import worker_entry.worker
print(time.perf_counter() - begin)
"""


def measure(options: Options) -> list[Series]:
    """Time everything that happens once."""
    with managed() as manager:
        return [
            *_four_workers(manager, options),
            *_many_workers(manager, options),
            *_creation(manager, options),
            *_imports(options),
        ]


def _four_workers(manager: EnvironmentManager, options: Options) -> list[Series]:
    """Time four results, and one of each of four workers.

    With four tasks that do nothing, the first worker of the peer that is up does them all, while
    the others are still being started. So there are also four that wait for each other.
    """
    series = {name: Series(name, "s") for name in (FOUR, FOUR_THEIRS, ANY, ANY_THEIRS)}
    for _ in range(options.choose(7)):
        for ours, theirs, count in ((ANY, ANY_THEIRS, 0), (FOUR, FOUR_THEIRS, 4)):
            with tempfile.TemporaryDirectory() as folder:
                series[ours].add(_time_ours(manager, folder, count))
            with tempfile.TemporaryDirectory() as folder:
                series[theirs].add(_time_theirs(folder, count))
    return list(series.values())


def _time_ours(manager: EnvironmentManager, folder: str, count: int) -> float:
    with manager.load("four", sys.executable) as env:
        begin = time.perf_counter()
        env.launch(max_workers=4)
        for task in [env.submit(WORK, "meet", (folder, count)) for _ in range(4)]:
            task.wait_for()
        return time.perf_counter() - begin


def _time_theirs(folder: str, count: int) -> float:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as executor:
        begin = time.perf_counter()
        for future in [executor.submit(work.meet, folder, count) for _ in range(4)]:
            future.result()
        return time.perf_counter() - begin


def many(options: Options) -> int:
    """Return how many workers a large pool has."""
    return 4 if options.smoke else 64


def _many_workers(manager: EnvironmentManager, options: Options) -> list[Series]:
    count = many(options)
    ours, bare = Series("launch of 64 workers", "s"), Series("64 interpreters with pyzmq", "s")
    for _ in range(options.choose(3)):
        env = manager.load("many", sys.executable)
        interleave([Subject(ours, lambda env=env: env.launch(max_workers=count))], 1)  # type: ignore[misc]
        env.exit()
        processes: list[subprocess.Popen[bytes]] = []
        interleave([Subject(bare, lambda: _interpreters(processes, count))], 1)  # noqa: B023
        for process in processes:
            process.communicate()
    return [ours, bare]


def _interpreters(processes: list[subprocess.Popen[bytes]], count: int) -> None:
    command = [sys.executable, "-I", "-c", _BARE]
    processes += [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()


def _creation(manager: EnvironmentManager, options: Options) -> list[Series]:
    def create() -> Environment:
        return manager.create("benchmark", {"pip": []})

    create().exit()
    subject = Subject(Series(CREATE, "ms"), create)
    return interleave([subject], options.choose(5), block=5)


def _imports(options: Options) -> list[Series]:
    root = str(Path(worker_entry.__file__).resolve().parents[1])
    timed = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
    commands: list[tuple[str, Sequence[str]]] = [
        (IMPORT, ["-c", timed.format("import wetlands")]),
        (MANAGER, ["-c", timed.format("from wetlands import EnvironmentManager")]),
        (WORKER, ["-I", "-c", _WORKER, root]),
    ]
    found = {name: Series(name, "ms") for name in (*dict(commands), UNCOMPILED)}
    for _ in range(options.choose(11)):
        for name, arguments in commands:
            found[name].add(_printed(arguments))
        with tempfile.TemporaryDirectory() as empty:
            cache = ["-X", f"pycache_prefix={empty}"]
            found[UNCOMPILED].add(_printed([*cache, "-I", "-c", _WORKER, root]))
    return list(found.values())


def _printed(arguments: Sequence[str]) -> float:
    """Run an interpreter; return the number that it prints."""
    command = [sys.executable, *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


PART = Part(
    "startup",
    "from nothing to results",
    measure,
    bars=(
        Bar(f"launch of 4 workers to 4 results / {POOL} with spawn", ANY, 1.2, over=ANY_THEIRS),
        Bar(
            f"launch of 4 workers to a result of each / {POOL} with spawn",
            FOUR,
            1.2,
            over=FOUR_THEIRS,
        ),
        Bar(
            "64 workers ready / 64 interpreters with pyzmq",
            "launch of 64 workers",
            1.3,
            over="64 interpreters with pyzmq",
        ),
        Bar("import of wetlands and its manager", MANAGER, 60),
        Bar("imports of a worker beyond pyzmq", WORKER, 15),
    ),
)
