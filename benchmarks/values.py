"""Echoes of arrays, beside `ProcessPoolExecutor` and Appose, and arrays that are shared."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import appose_service, arrays
from benchmarks.timing import Series, interleave
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
OURS, POOL, APPOSE, COPY = "wetlands", "ProcessPoolExecutor", "Appose", "memcpy"


def echoes(env: Environment, smoke: bool, large: bool) -> list[Series]:
    """Time the way of arrays there and back; the names are ``echo of <size>, <peer>``."""
    found: list[Series] = []
    with _peers(env) as peers:
        for size, count, rounds, block in sizes(smoke, large):
            subjects = list(_subjects(size, np.arange(count, dtype="u1"), peers))
            for _, call, _ in subjects:
                call()
            interleave(subjects, 1 if smoke else rounds, block)
            found += [series for series, _, _ in subjects]
    return found


def _subjects(
    size: str, array: Any, peers: dict[str, Callable[[Any], object]]
) -> Iterator[tuple[Series, Callable[[], object], float]]:
    copy = np.ones_like(array)
    for name, echo in {**peers, COPY: lambda array: np.copyto(copy, array)}.items():
        yield Series(f"echo of {size}, {name}", "ms"), functools.partial(echo, array), 1e3


def sizes(smoke: bool, large: bool) -> list[tuple[str, int, int, int]]:
    """Return those that are measured; says which one is left out."""
    chosen = SIZES[:3] if smoke else SIZES[:4]
    if large and psutil.virtual_memory().available < LARGE:
        print(f"left out: 1 GB, for which {LARGE / 1e9:g} GB of memory should be free")
    elif large:
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


def small(env: Environment, rounds: int) -> list[Series]:
    """Time a small array beside a number."""
    array = np.arange(1000, dtype="u1")
    subjects = [
        (Series("echo of an int", "ms"), lambda: env.execute(WORK, "echo", (1,)), 1e3),
        (Series("echo of 1 kB beside it", "ms"), lambda: env.execute(WORK, "echo", (array,)), 1e3),
    ]
    interleave(subjects, rounds, block=50)
    return [series for series, _, _ in subjects]


def shared(env: Environment, smoke: bool, large: bool) -> list[Series]:
    """Time tasks on arrays of any size that lie in segments."""
    subjects = []
    for size, count, _, _ in sizes(smoke, large)[2:]:
        read, written = env.empty(count, "u1"), env.empty(count, "u1", mode="inout")
        for name, function, array in (("share", "first", read), ("inout", "mark", written)):
            array[:] = 0

            def call(function: str = function, array: Any = array) -> None:
                env.execute(WORK, function, (array,))

            call()
            subjects.append((Series(f"{name}, {size}", "ms"), call, 1e3))
    interleave(subjects, 1 if smoke else 20, block=10)
    return [series for series, _, _ in subjects]


def memory(env: Environment, count: int) -> float:
    """Return how many times its size an echo needs, in host and worker, beyond the array."""
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
    return (peak - before) / count


def _private(pid: int) -> int:
    found = psutil.Process(pid).memory_info()
    return int(found.rss - found.shared)


def table(found: list[Series]) -> str:
    """Return a Markdown table: sizes down, peers across, and how many times slower they are."""
    medians = {series.name: series.median for series in found}
    lines = [
        f"| echo of | {OURS} | {POOL} | {APPOSE} | two copies | {POOL}, times | {APPOSE}, times | "
        "of the speed of two copies |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size, _, _, _ in SIZES:
        row = [medians.get(f"echo of {size}, {name}") for name in (OURS, POOL, APPOSE, COPY)]
        ours, pool, other, copy = row
        if ours is None or pool is None or copy is None:
            continue
        cells = [f"{value:.3g} ms" if value else "" for value in (ours, pool, other, 2 * copy)]
        cells += [f"{value / ours:.3g}" if value else "" for value in (pool, other)]
        lines.append(f"| {size} | {' | '.join(cells)} | {200 * copy / ours:.0f} % |")
    return "\n".join(lines)


def plot(found: list[Series], path: Path) -> None:
    """Draw the bandwidth of every peer over the size."""
    from matplotlib.figure import Figure

    medians = {series.name: series.median for series in found}
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name in (OURS, POOL, APPOSE, COPY):
        points = [
            (count, 2 * count / medians[f"echo of {size}, {name}"] / 1e6)
            for size, count, _, _ in SIZES
            if f"echo of {size}, {name}" in medians
        ]
        if points:
            # A copy is one way, all others are there and back.
            share = 0.5 if name == COPY else 1.0
            axes.loglog(*zip(*[(x, y * share) for x, y in points], strict=True), "o-", label=name)
    axes.set(xlabel="size of the array, bytes", ylabel="GB/s, there and back")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
