"""``python -m benchmarks.echoes KIND BYTES ROUNDS BLOCK``: an array there and back, by all who can.

What is printed is JSON. Kinds are the `echo` of an array and its `exchange` for another one of the
same size. Each kind and size has a process of its own. Once a process has freed something larger,
glibc keeps what is freed (it raises `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD`), and the copies that
`ProcessPoolExecutor` makes of 1 MB find pages that are there: it is twice as fast then. What
had been measured before, or had not, would decide; here all have the same beginning.
"""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import appose_service, arrays
from benchmarks.subject import POOL, environment
from benchmarks.timing import Series, Subject, interleave

WORK = str(Path(arrays.__file__).resolve())
OURS, APPOSE, COPY = "wetlands", "Appose", "two copies"
ECHO, EXCHANGE = "echo", "exchange"

Way = Callable[[Any], object]


def name_of(size: str, who: str, kind: str = ECHO) -> str:
    """Return the name of a series."""
    return f"{kind} of {size}, {who}"


def measured(size: str, count: int, rounds: int, block: int, kind: str = ECHO) -> list[Series]:
    """Time the way of an array of bytes there and back, in a new process.

    Args:
        size: The number of bytes, for people.
        count: The number of bytes.
        rounds: How often everybody takes a turn.
        block: How many calls a turn has.
        kind: Whether the same array comes back, or another one.
    """
    options = [kind, *map(str, (count, rounds, block))]
    command = [sys.executable, "-m", "benchmarks.echoes", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    return [Series(name_of(size, who, kind), "ms", values, block) for who, values in found.items()]


def measure(kind: str, count: int, rounds: int, block: int) -> list[Series]:
    """Time it here; the names of the series are those of the peers."""
    array = np.arange(count, dtype="u1")
    with _peers(kind) as peers:
        peers[COPY] = _copies(array)
        subjects = [
            Subject(Series(who, "ms"), functools.partial(way, array)) for who, way in peers.items()
        ]
        interleave([Subject(Series("", "ms"), one.call) for one in subjects], 1, block)  # warms up
        return interleave(subjects, rounds, block)


def _copies(array: Any) -> Way:
    there, back = np.ones_like(array), np.ones_like(array)

    def copy(array: Any) -> None:
        np.copyto(there, array)
        np.copyto(back, there)

    return copy


@contextlib.contextmanager
def _peers(kind: str) -> Iterator[dict[str, Way]]:
    function = getattr(arrays, kind)
    with contextlib.ExitStack() as stack:
        # First, so that its worker is forked before there are threads that the fork would miss.
        executor = stack.enter_context(ProcessPoolExecutor(1))
        executor.submit(arrays.echo, 0).result()
        env = stack.enter_context(environment(1))
        peers: dict[str, Way] = {
            OURS: lambda array: env.execute(WORK, kind, (array,)),
            POOL: lambda array: executor.submit(function, array).result(),
        }
        if appose_service.available():
            peers[APPOSE] = getattr(stack.enter_context(appose_service.Appose()), kind)
        yield peers


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    print(json.dumps({one.name: one.values for one in measure(kind, *map(int, numbers))}))
