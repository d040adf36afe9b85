"""Other ways to wait than one thread for one task: asyncio, `as_completed`, many threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed

from benchmarks import work
from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.subject import POOL, WORK, environment, executor
from benchmarks.throughput import submit_all
from benchmarks.timing import Series, Subject, interleave
from wetlands import Environment

SINGLE, AWAITED = "no-ops of one thread", "no-ops awaited, 1,000 in flight"
COMPLETED, THREADS = "no-ops by as_completed", "no-ops of 16 threads"
STARVED = "last of 16 threads to end / first"
FOUR = "round trips of 4 threads"
SUBMITTERS, WAITERS, IN_FLIGHT = 16, 4, 1_000
#: Tasks that a submitting thread has under way, where it is watched for starving.
FEW = 20


def measure(options: Options) -> list[Series]:
    """Measure rates of everything, in one order of turns."""
    many, some, few = (480, 240, 80) if options.smoke else (10_000, 5_000, 2_000)
    with executor() as peer, environment() as env:
        subjects = [
            Subject(Series(SINGLE, "tasks/s"), lambda: submit_all(env, many), many),
            Subject(Series(AWAITED, "tasks/s"), lambda: asyncio.run(_awaited(env, many)), many),
            Subject(Series(THREADS, "tasks/s"), lambda: _threads(env, many), many),
            Subject(Series(COMPLETED, "tasks/s"), lambda: _completed(env, some), some),
            Subject(
                Series(f"{COMPLETED}, {POOL}", "tasks/s"),
                lambda: _completed_by(peer, some),
                some,
            ),
            Subject(
                Series(FOUR, "tasks/s"),
                lambda: _own_calls(few, lambda: env.submit(WORK, "noop", (1,)).wait_for().result),
                few,
            ),
            Subject(
                Series(f"{FOUR}, {POOL}", "tasks/s"),
                lambda: _own_calls(few, lambda: peer.submit(work.noop, 1).result()),
                few,
            ),
        ]
        found = interleave(subjects, options.choose(5))
        starved = [_starved(env, some) for _ in range(options.choose(5))]
        return [*found, Series(STARVED, "times", starved)]


async def _awaited(env: Environment, count: int) -> None:
    async def some(number: int) -> None:
        for i in range(number):
            await env.submit(WORK, "noop", (i,))

    flying = min(IN_FLIGHT, count)
    await asyncio.gather(*(some(count // flying) for _ in range(flying)))


def _completed(env: Environment, count: int) -> None:
    futures = [env.submit(WORK, "noop", (i,)).future for i in range(count)]
    assert len([future.result() for future in as_completed(futures)]) == count


def _completed_by(peer: ProcessPoolExecutor, count: int) -> None:
    futures = [peer.submit(work.noop, i) for i in range(count)]
    assert len([future.result() for future in as_completed(futures)]) == count


def _threads(env: Environment, count: int) -> None:
    with ThreadPoolExecutor(SUBMITTERS) as threads:
        list(threads.map(lambda number: submit_all(env, number), _shares(count)))


def _starved(env: Environment, count: int) -> float:
    """Return when the last of the threads was done over when the first was.

    They submit a few tasks at a time: of threads that submit everything at once, in a queue that
    keeps its order, the first one to come is the first one to go.
    """
    begin = time.perf_counter()

    def some(number: int) -> float:
        for _ in range(0, number, FEW):
            submit_all(env, FEW)
        return time.perf_counter() - begin

    with ThreadPoolExecutor(SUBMITTERS) as threads:
        ends = list(threads.map(some, _shares(count)))
    return max(ends) / min(ends)


def _shares(count: int) -> list[int]:
    return [count // SUBMITTERS] * SUBMITTERS


def _own_calls(count: int, call: Callable[[], object]) -> None:
    def some(number: int) -> None:
        for _ in range(number):
            call()

    with ThreadPoolExecutor(WAITERS) as threads:
        list(threads.map(some, [count // WAITERS] * WAITERS))


PART = Part(
    "waiting",
    "asyncio, as_completed, threads",
    measure,
    bars=(
        Bar("asyncio, 1,000 in flight: rate / one thread's", AWAITED, 0.5, SINGLE, at_least=True),
        Bar(f"as_completed: rate / {POOL}'s", COMPLETED, 5, f"{COMPLETED}, {POOL}", at_least=True),
        Bar("16 submitting threads: rate / one thread's", THREADS, 0.8, SINGLE, at_least=True),
        Bar("last of 16 submitting threads to end / first", STARVED, 2),
        Bar(
            f"4 threads, each with its own calls: rate / {POOL}'s",
            FOUR,
            1.2,
            f"{FOUR}, {POOL}",
            at_least=True,
        ),
    ),
)
