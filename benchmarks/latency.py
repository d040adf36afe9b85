"""One task at a time: from the submission to its result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks import work
from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.ping import BareSockets
from benchmarks.subject import POOL, WORK, environment, executor
from benchmarks.timing import Series, Subject, interleave
from wetlands import Environment

OURS, THEIRS = "no-op round trip", f"no-op round trip, {POOL}"
UPDATING = "round trip with one progress update"
BARE = "ping-pong over a bare ZeroMQ DEALER"
BESIDE, THEIRS_BESIDE = (
    "round trip beside a busy thread",
    f"round trip beside a busy thread, {POOL}",
)


def measure(options: Options) -> list[Series]:
    """Time round trips of ours, of the executor, and of bare sockets."""
    with executor() as peer, BareSockets() as sockets, environment() as env:
        ours, theirs = _ours(env, "noop"), lambda: peer.submit(work.noop, 1).result()
        subjects = [
            Subject(Series(OURS, "us"), ours),
            Subject(Series(UPDATING, "us"), _ours(env, "report")),
            Subject(Series(THEIRS, "us"), theirs),
            Subject(Series(BARE, "us"), sockets.ping),
        ]
        found = interleave(subjects, options.choose(15), block=20 if options.smoke else 200)
        return found + _beside_a_busy_thread(ours, theirs, options)


def _ours(env: Environment, function: str) -> Callable[[], object]:
    return lambda: env.submit(WORK, function, (1,)).wait_for().result


def _beside_a_busy_thread(
    ours: Callable[[], object], theirs: Callable[[], object], options: Options
) -> list[Series]:
    """Time turns of many round trips: a few of them wait for the interpreter's lock, for long.

    Who burns may wait for that lock itself for the first 5 ms; so a median of single trips would be
    that of those that happened not to wait.
    """
    trips = 5 if options.smoke else 50

    def turn(call: Callable[[], object]) -> None:
        with _busy_thread():
            for _ in range(trips):
                call()

    subjects = [
        Subject(Series(BESIDE, "ms"), lambda: turn(ours), trips),
        Subject(Series(THEIRS_BESIDE, "ms"), lambda: turn(theirs), trips),
    ]
    return interleave(subjects, options.choose(11))


@contextmanager
def _busy_thread() -> Iterator[None]:
    over = threading.Event()

    burning = threading.Event()

    def burn() -> None:
        burning.set()
        while not over.is_set():
            pass

    thread = threading.Thread(target=burn)
    thread.start()
    burning.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


PART = Part(
    "latency",
    "one task at a time",
    measure,
    bars=(
        Bar(f"no-op round trip / {POOL}'s", OURS, 0.75, over=THEIRS),
        Bar("no-op round trip / bare ZeroMQ ping-pong", OURS, 1.6, over=BARE),
        Bar("p99 of the round trip / its median", OURS, 3, over=OURS, quantile=0.99),
        Bar("round trip with one progress update / without", UPDATING, 1.3, over=OURS),
        Bar(f"round trip beside a busy host thread / {POOL}'s", BESIDE, 0.6, over=THEIRS_BESIDE),
    ),
)
