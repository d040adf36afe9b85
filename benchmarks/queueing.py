"""Does a task cost the same whatever the length of the queue and the number of workers?"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.bars import Bar
from benchmarks.gate import Gate
from benchmarks.part import Options, Part
from benchmarks.subject import WORK, environment, launched, managed
from benchmarks.throughput import submit_all
from benchmarks.timing import Series, Subject, interleave, seconds
from wetlands import Environment, Task

MEMORY = "memory of a queued no-op"
LENGTHS, LONGEST = (1_000, 10_000, 100_000), 1_000_000
WORKERS = (1, 2, 8, 64)


def measure(options: Options) -> list[Series]:
    """Measure the cost of a task over both, and the memory that a queued one takes."""
    return [_memory(options), *_lengths(options), *_workers(options)]


def _memory(options: Options) -> Series:
    count = 1_000 if options.smoke else LENGTHS[-1]
    command = [sys.executable, "-m", "benchmarks.queue_memory", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Series(MEMORY, "bytes", [float(done.stdout)])


def _lengths(options: Options) -> list[Series]:
    lengths = list(LENGTHS[:1] if options.smoke else LENGTHS)
    if options.large and not options.smoke:
        lengths.append(LONGEST)
    found = [Series(_queued(length), "us") for length in lengths]
    with environment() as env:
        for _ in range(options.choose(3)):
            for series, length in zip(found, lengths, strict=True):
                # A short queue is over soon: it gets more turns, or chance would speak.
                series.block = max(1, 10_000 // length)
                for _ in range(series.block):
                    series.add(_through_the_queue(env, length), length)
    return found


def _through_the_queue(env: Environment, length: int) -> float:
    """Return how long it takes to queue tasks behind busy workers, and how long to be done."""
    with Gate() as gate:
        held = gate.hold(lambda path: env.submit(WORK, "hold", (path,)))
        tasks: list[Task[Any]] = []
        queueing = seconds(
            lambda: tasks.extend(env.submit(WORK, "noop", (i,)) for i in range(length))
        )
        gate.open()
        return queueing + seconds(lambda: [task.wait_for() for task in (*held, *tasks)])


def _workers(options: Options) -> list[Series]:
    counts = WORKERS[:2] if options.smoke else WORKERS
    tasks = 200 if options.smoke else 3_000
    with ExitStack() as stack:
        manager = stack.enter_context(managed())
        subjects = [
            Subject(
                Series(_with(count), "us"),
                functools.partial(submit_all, launched(manager, count), tasks),
                tasks,
            )
            for count in counts
        ]
        return interleave(subjects, options.choose(15))


def _queued(length: int) -> str:
    return f"cost of a task, {length:,} queued"


def _with(workers: int) -> str:
    return f"cost of a task, {workers} worker{'s' * (workers > 1)}"


def plot(found: Mapping[str, Series], path: Path) -> bool:
    """Draw the cost over both."""
    drawn = {
        "tasks queued": [
            (float(length), found[_queued(length)].median)
            for length in (*LENGTHS, LONGEST)
            if _queued(length) in found
        ],
        "workers": [
            (float(count), found[_with(count)].median) for count in WORKERS if _with(count) in found
        ],
    }
    return plots.lines(drawn, path, "how many of them", "us a task")


PART = Part(
    "queueing",
    "long queues, many workers",
    measure,
    bars=(
        *(
            Bar(
                f"cost of a task, {length:,} queued / {LENGTHS[0]:,} queued",
                _queued(length),
                1.2,
                over=_queued(LENGTHS[0]),
            )
            for length in (*LENGTHS[1:], LONGEST)
        ),
        *(
            Bar(f"cost of a task, {count} workers / 1 worker", _with(count), 1.2, over=_with(1))
            for count in WORKERS[1:]
        ),
        Bar(MEMORY, MEMORY, 1000),
    ),
    plot=plot,
)
