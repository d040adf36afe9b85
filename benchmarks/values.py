"""Echoes of arrays, beside `ProcessPoolExecutor` and Appose, and arrays that are shared."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import appose_service, arrays, plots, report
from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.report import number
from benchmarks.subject import POOL, environment
from benchmarks.timing import Series, Subject, interleave
from wetlands import Environment

WORK = str(Path(arrays.__file__).resolve())
#: Name, bytes, rounds and calls of each peer in a round.
SIZES = [
    ("1 kB", 10**3, 10, 20),
    ("100 kB", 10**5, 10, 20),
    ("1 MB", 10**6, 10, 10),
    ("100 MB", 10**8, 7, 2),
    ("1 GB", 10**9, 3, 1),
]
#: Bytes that an echo of 1 GB needs, for all peers.
LARGE = 12 * 10**9
OURS, APPOSE, COPY = "wetlands", "Appose", "memcpy"
NUMBER, SMALL = "echo of an int", "echo of 1 kB beside it"


def measure(options: Options) -> list[Series]:
    """Run every measurement of values; on one worker, as those of the peers."""
    with environment(1) as env:
        # First, before segments of any size lie about.
        enough = psutil.virtual_memory().available > LARGE
        found = [memory(env, 10**9 if options.large and enough else 10**7)]
    with environment(1) as env:
        found += small(env, options)
        found += echoes(env, options)
        return found + shared(env, options)


def echoes(env: Environment, options: Options) -> list[Series]:
    """Time the way of arrays there and back; the names are ``echo of <size>, <peer>``."""
    found: list[Series] = []
    with _peers(env) as peers:
        for size, count, rounds, block in sizes(options):
            subjects = list(_subjects(size, np.arange(count, dtype="u1"), peers))
            for subject in subjects:
                subject.call()
            found += interleave(subjects, options.choose(rounds), block)
    return found


def _subjects(
    size: str, array: Any, peers: dict[str, Callable[[Any], object]]
) -> Iterator[Subject]:
    copy = np.ones_like(array)
    for name, echo in {**peers, COPY: lambda array: np.copyto(copy, array)}.items():
        yield Subject(Series(f"echo of {size}, {name}", "ms"), functools.partial(echo, array))


def sizes(options: Options) -> list[tuple[str, int, int, int]]:
    """Return those that are measured; says which one is left out."""
    chosen = SIZES[:3] if options.smoke else SIZES[:4]
    if options.large and psutil.virtual_memory().available < LARGE:
        print(f"left out: 1 GB, for which {LARGE / 1e9:g} GB of memory should be free")
    elif options.large:
        chosen = SIZES
    return chosen


@contextlib.contextmanager
def _peers(env: Environment) -> Iterator[dict[str, Callable[[Any], object]]]:
    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(ProcessPoolExecutor(1))
        peers: dict[str, Callable[[Any], object]] = {
            OURS: lambda array: env.execute(WORK, "echo", (array,)),
            POOL: lambda array: executor.submit(arrays.echo, array).result(),
        }
        if appose_service.available():
            peers[APPOSE] = stack.enter_context(appose_service.Appose()).echo
        else:
            print("left out: Appose, which is not installed (extra `bench`)")
        yield peers


def small(env: Environment, options: Options) -> list[Series]:
    """Time a small array beside a number."""
    array = np.arange(1000, dtype="u1")
    subjects = [
        Subject(Series(NUMBER, "ms"), lambda: env.execute(WORK, "echo", (1,))),
        Subject(Series(SMALL, "ms"), lambda: env.execute(WORK, "echo", (array,))),
    ]
    return interleave(subjects, options.choose(20), block=50)


def shared(env: Environment, options: Options) -> list[Series]:
    """Time tasks on arrays of any size that lie in segments."""
    subjects = []
    for size, count, _, _ in sizes(options)[2:]:
        read, written = env.empty(count, "u1"), env.empty(count, "u1", mode="inout")
        for name, function, array in (("share", "first", read), ("inout", "mark", written)):
            array[:] = 0

            def call(function: str = function, array: Any = array) -> None:
                env.execute(WORK, function, (array,))

            call()
            subjects.append(Subject(Series(f"{name}, {size}", "ms"), call))
    return interleave(subjects, options.choose(20), block=10)


def memory(env: Environment, count: int) -> Series:
    """Measure how many times its size an echo needs, in host and worker, beyond the array."""
    array = np.ones(count, "u1")
    env.execute(WORK, "echo", (array[:1000],))  # imports
    pids = [os.getpid(), int(env.execute(os.getpid))]
    folders = [folder.path for folder in env._pool._host.segment_folders]  # type: ignore[union-attr]

    def used() -> int:
        files = sum(entry.stat().st_blocks * 512 for path in folders for entry in path.iterdir())
        return files + sum(map(_private, pids))

    before, peak, over = used(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.002):
            peak = max(peak, used())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        env.execute(WORK, "echo", (array,))
    finally:
        over.set()
        watcher.join()
    name = f"memory of an echo of {count:,} bytes, beyond the array"
    return Series(name, "times its size", [(peak - before) / count])


def _private(pid: int) -> int:
    found = psutil.Process(pid).memory_info()
    return int(found.rss - found.shared)


def table(found: Mapping[str, Series]) -> str:
    """Return a table: sizes down, peers across, and how many times slower they are."""
    medians = {name: series.median for name, series in found.items()}
    rows = []
    for size, _, _, _ in SIZES:
        ours, pool, other, copy = (
            medians.get(f"echo of {size}, {name}") for name in (OURS, POOL, APPOSE, COPY)
        )
        if ours is None or pool is None or copy is None:
            continue
        cells = [number(value, "ms") if value else "" for value in (ours, pool, other, 2 * copy)]
        cells += [number(value / ours) if value else "" for value in (pool, other)]
        rows.append([size, *cells, f"{200 * copy / ours:.0f} %"])
    header = ["echo of", OURS, POOL, APPOSE, "two copies"]
    header += [f"{POOL}, times", f"{APPOSE}, times", "of the speed of two copies"]
    return report.table(header, rows) if rows else ""


def plot(found: Mapping[str, Series], path: Path) -> bool:
    """Draw the bandwidth of every peer over the size."""
    drawn = {
        name: [
            # A copy is one way, all others are there and back.
            (count, (1 if name == COPY else 2) * count / series.median / 1e6)
            for size, count, _, _ in SIZES
            if (series := found.get(f"echo of {size}, {name}"))
        ]
        for name in (OURS, POOL, APPOSE, COPY)
    }
    labels = ("size of the array, bytes", "GB/s, there and back")
    return plots.lines(drawn, path, *labels)


PART = Part(
    "values",
    "large arrays",
    measure,
    bars=(Bar("echo of 1 kB / echo of an int", SMALL, 1.3, over=NUMBER),),
    table=table,
    plot=plot,
)
