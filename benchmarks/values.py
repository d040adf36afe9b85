"""Arrays there and back, beside `ProcessPoolExecutor` and Appose, and arrays that are shared.

What is echoed comes back in the memory in which it went. Where a function returns another array, an
*exchange*, there is one more copy to be made.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import appose_service, echoes, plots, report
from benchmarks.bars import Bar
from benchmarks.echoes import APPOSE, COPY, ECHO, EXCHANGE, OURS, WORK, name_of
from benchmarks.part import Options, Part
from benchmarks.report import number
from benchmarks.subject import POOL, environment
from benchmarks.timing import Series, Subject, interleave
from wetlands import Environment

#: Name, bytes, rounds and calls of each peer in a round.
SIZES = [
    ("1 kB", 10**3, 10, 20),
    ("100 kB", 10**5, 10, 20),
    ("1 MB", 10**6, 12, 20),
    ("100 MB", 10**8, 7, 2),
    ("1 GB", 10**9, 3, 1),
]
#: The sizes of arrays that are exchanged for others, too.
EXCHANGED = ("1 MB", "100 MB")
#: Bytes that an echo of 1 GB needs, for all peers.
LARGE = 12 * 10**9
NUMBER, SMALL = "echo of an int", "echo of 1 kB beside it"
#: Bytes of the echo whose memory is measured: with ``--large``, and without.
WHOLE, PART_OF_IT = 10**9, 10**7


def measure(options: Options) -> list[Series]:
    """Run every measurement of values; on one worker, as those of the peers."""
    if not appose_service.available():
        print("left out: Appose, which is not installed (extra `bench`)")
    chosen = sizes(options)
    with environment(1) as env:
        # First, before segments of any size lie about.
        found = [memory(env, WHOLE if chosen == SIZES else PART_OF_IT)]
    with environment(1) as env:
        found += small(env, options)
    for size, count, rounds, block in chosen:
        for kind in (ECHO, EXCHANGE) if size in EXCHANGED else (ECHO,):
            found += echoes.measured(size, count, options.choose(rounds), block, kind)
    with environment(1) as env:
        return found + shared(env, chosen[2:], options)


def sizes(options: Options) -> list[tuple[str, int, int, int]]:
    """Return those that are measured; says which one is left out."""
    chosen = SIZES[:3] if options.smoke else SIZES[:4]
    if options.large and psutil.virtual_memory().available < LARGE:
        print(f"left out: 1 GB, for which {LARGE / 1e9:g} GB of memory should be free")
    elif options.large:
        chosen = SIZES
    return chosen


def small(env: Environment, options: Options) -> list[Series]:
    """Time a small array beside a number."""
    array = np.arange(1000, dtype="u1")
    subjects = [
        Subject(Series(NUMBER, "ms"), lambda: env.execute(WORK, "echo", (1,))),
        Subject(Series(SMALL, "ms"), lambda: env.execute(WORK, "echo", (array,))),
    ]
    return interleave(subjects, options.choose(100), block=20)


def shared(
    env: Environment, sizes: list[tuple[str, int, int, int]], options: Options
) -> list[Series]:
    """Time tasks on arrays of any size that lie in segments."""
    subjects = []
    for size, count, _, _ in sizes:
        read, written = env.empty(count, "u1"), env.empty(count, "u1", mode="inout")
        for name, function, array in (("share", "first", read), ("inout", "mark", written)):
            array[:] = 0

            def call(function: str = function, array: Any = array) -> None:
                env.execute(WORK, function, (array,))

            call()
            subjects.append(Subject(Series(f"{name}, {size}", "ms"), call))
    return interleave(subjects, options.choose(60), block=5)


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
    return Series(_memory_of(count), "times its size", [(peak - before) / count])


def _memory_of(count: int) -> str:
    return f"memory of an echo of {count:,} bytes, beyond the array"


def _private(pid: int) -> int:
    found = psutil.Process(pid).memory_info()
    return int(found.rss - found.shared)


def table(found: Mapping[str, Series]) -> str:
    """Return a table: sizes down, peers across, and how many times slower they are."""
    ways = [(ECHO, size) for size, *_ in SIZES] + [(EXCHANGE, size) for size in EXCHANGED]
    rows = [row for kind, size in ways if (row := _row(found, kind, size))]
    header = ["", OURS, POOL, APPOSE, COPY]
    header += [f"{POOL}, times", f"{APPOSE}, times", "of the speed of two copies"]
    return report.table(header, rows) if rows else ""


def _row(found: Mapping[str, Series], kind: str, size: str) -> list[str]:
    names = [name_of(size, who, kind) for who in (OURS, POOL, APPOSE, COPY)]
    ours, pool, other, copy = (found[name].median if name in found else None for name in names)
    if ours is None or pool is None or copy is None:
        return []
    cells = [number(value, "ms") if value else "" for value in (ours, pool, other, copy)]
    cells += [number(value / ours) if value else "" for value in (pool, other)]
    return [f"{kind} of {size}", *cells, f"{100 * copy / ours:.0f} %"]


def plot(found: Mapping[str, Series], path: Path) -> bool:
    """Draw the bandwidth of every peer over the size."""
    ways = [(who, ECHO) for who in (OURS, POOL, APPOSE, COPY)]
    ways += [(who, EXCHANGE) for who in (OURS, POOL, APPOSE)]
    drawn = {
        f"{who}, {kind}": [
            (count, 2 * count / series.median / 1e6)
            for size, count, _, _ in SIZES
            if (series := found.get(name_of(size, who, kind)))
        ]
        for who, kind in ways
    }
    labels = ("size of the array, bytes", "GB/s, there and back")
    return plots.lines(drawn, path, *labels)


def _times_as_fast(size: str, who: str, limit: float, kind: str = ECHO) -> Bar:
    theirs, ours = name_of(size, who, kind), name_of(size, OURS, kind)
    return Bar(f"{kind} of {size}: {who}'s time / ours", theirs, limit, over=ours, at_least=True)


def _whatever_the_size(kind: str, size: str) -> Bar:
    return Bar(f"{kind} {size} / 1 MB", f"{kind}, {size}", 1.2, over=f"{kind}, 1 MB")


PART = Part(
    "values",
    "large arrays",
    measure,
    bars=(
        Bar("echo of 1 kB / echo of an int", SMALL, 1.4, over=NUMBER),
        _times_as_fast("1 MB", POOL, 8),
        _times_as_fast("100 MB", POOL, 20),
        _times_as_fast("100 MB", APPOSE, 3),
        _times_as_fast("100 MB", COPY, 0.6),
        _times_as_fast("1 GB", COPY, 0.6),
        _times_as_fast("1 MB", POOL, 8, EXCHANGE),
        _times_as_fast("100 MB", POOL, 20, EXCHANGE),
        _times_as_fast("100 MB", APPOSE, 3, EXCHANGE),
        _times_as_fast("100 MB", COPY, 0.6, EXCHANGE),
        *(
            _whatever_the_size(kind, size)
            for kind in ("share", "inout")
            for size in ("100 MB", "1 GB")
        ),
        *(Bar(_memory_of(count), _memory_of(count), 2.2) for count in (PART_OF_IT, WHOLE)),
    ),
    table=table,
    plot=plot,
)
