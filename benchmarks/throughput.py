"""Many small tasks: submitted one by one, mapped, and submitted while all workers are busy."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import wait as wait_for_all
from typing import Any

from benchmarks import work
from benchmarks.bars import Bar
from benchmarks.gate import Gate
from benchmarks.part import Options, Part
from benchmarks.subject import POOL, WORK, environment, executor
from benchmarks.timing import Series, Subject, interleave
from wetlands import Environment

MP = "multiprocessing.Pool"
SINGLY, MAPPED, BUSY = "no-ops submitted one by one", "map of no-ops", "submit() while all are busy"
#: What users of the executor have to find out for themselves.
CHUNKS = 64


def measure(options: Options) -> list[Series]:
    """Measure rates, and what a submission costs the caller."""
    tasks, items = (500, 2000) if options.smoke else (options.tasks, options.items)
    with multiprocessing.Pool(2) as pool, executor() as peer, environment() as env:
        singly = [
            Subject(Series(SINGLY, "tasks/s"), lambda: submit_all(env, tasks), tasks),
            Subject(Series(f"{SINGLY}, {POOL}", "tasks/s"), lambda: executed(peer, tasks), tasks),
        ]
        mapped = [
            Subject(Series(MAPPED, "items/s"), lambda: list(_map(env, items)), items),
            Subject(
                Series(f"{MAPPED}, {POOL} in chunks of {CHUNKS}", "items/s"),
                lambda: list(peer.map(work.noop, range(items), chunksize=CHUNKS)),
                items,
            ),
            Subject(
                Series(f"{MAPPED}, {MP}", "items/s"),
                lambda: pool.map(work.noop, range(items)),
                items,
            ),
        ]
        found = interleave(singly, options.choose(5))
        found += interleave(mapped, options.choose(3))
        return found + _busy(env, peer, options)


def submit_all(env: Environment, count: int) -> None:
    """Submit no-ops one by one and wait for all of them."""
    for task in [env.submit(WORK, "noop", (i,)) for i in range(count)]:
        task.wait_for()


def executed(peer: ProcessPoolExecutor, count: int) -> None:
    """Do the same with the executor."""
    for future in [peer.submit(work.noop, i) for i in range(count)]:
        future.result()


def _map(env: Environment, items: int) -> Any:
    return env.map(WORK, "noop", range(items))


def _busy(env: Environment, peer: ProcessPoolExecutor, options: Options) -> list[Series]:
    """Time submissions behind workers that don't come back until we say so."""
    ours, theirs = Series(BUSY, "us"), Series(f"{BUSY}, {POOL}", "us")
    count = 50 if options.smoke else 1000
    for _ in range(options.choose(5)):
        with Gate() as gate:
            held = gate.hold(lambda path: env.submit(WORK, "hold", (path,)))
            held += _submissions(ours, lambda: env.submit(WORK, "noop", (1,)), count)
        for task in held:
            task.wait_for()
        with Gate() as gate:
            held = gate.hold(lambda path: peer.submit(work.hold, path))
            held += _submissions(theirs, lambda: peer.submit(work.noop, 1), count)
        wait_for_all(held)
    return [ours, theirs]


def _submissions(series: Series, submit: Callable[[], Any], count: int) -> list[Any]:
    made: list[Any] = []
    interleave([Subject(series, lambda: made.append(submit()))], 1, count)
    return made


PART = Part(
    "throughput",
    "many small tasks",
    measure,
    bars=(
        Bar(
            f"no-ops submitted one by one: rate / {POOL}'s",
            SINGLY,
            8,
            over=f"{SINGLY}, {POOL}",
            at_least=True,
        ),
        Bar(
            f"map of no-ops: rate / {POOL}'s with chunks of {CHUNKS}",
            MAPPED,
            1,
            over=f"{MAPPED}, {POOL} in chunks of {CHUNKS}",
            at_least=True,
        ),
        Bar("submit() while all workers are busy", BUSY, 8),
    ),
)
