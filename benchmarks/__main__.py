"""``python -m benchmarks [--smoke] [--large] [--only PART] [--save FILE] [--plot FILE]``"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import pool, report, values
from benchmarks.timing import Series
from wetlands import Environment, EnvironmentManager


def measure(smoke: bool) -> list[Series]:
    """Run every measurement of the pool; a smoke run only shows that they work."""
    rounds = 1 if smoke else 10
    with _environment(2) as (manager, env):
        found = pool.round_trip(env, rounds)
        found += pool.throughput(env, 500 if smoke else 5000, 1 if smoke else 3)
        found += pool.deaths(env, 2 if smoke else 20)
        env.exit()
        return found + pool.start_up(manager, 1 if smoke else 5)


def measure_values(smoke: bool, large: bool) -> list[Series]:
    """Run every measurement of values; on one worker, as those of the peers."""
    with _environment(1) as (_, env):
        # First, before segments of any size lie about.
        count = 10**9 if large and psutil.virtual_memory().available > values.LARGE else 10**7
        times = values.memory(env, count)
        print(f"memory of an echo of {count:,} bytes, beyond the array: {times:.2f} times its size")
    with _environment(1) as (_, env):
        found = values.small(env, 1 if smoke else 20)
        found += values.echoes(env, smoke, large)
        return found + values.shared(env, smoke, large)


@contextlib.contextmanager
def _environment(workers: int) -> Iterator[tuple[EnvironmentManager, Environment]]:
    with (
        tempfile.TemporaryDirectory() as root,
        EnvironmentManager(root, progress=False) as manager,
    ):
        env = manager.load("measured", sys.executable)
        env.launch(max_workers=workers)
        yield manager, env


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few repetitions, to see it work")
    parser.add_argument("--large", action="store_true", help="arrays of 1 GB, too")
    parser.add_argument("--only", choices=["pool", "values"], help="one part of them")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the echoes of arrays")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all values as JSON")
    options = parser.parse_args()
    found = [] if options.only == "values" else measure(options.smoke)
    echoed = [] if options.only == "pool" else measure_values(options.smoke, options.large)
    found += echoed
    print(report.table(found))
    print()
    print(report.ratios(found))
    if echoed:
        print()
        print(values.table(echoed))
    if options.plot and echoed:
        values.plot(echoed, options.plot)
    if options.save:
        report.save(found, options.save)


if __name__ == "__main__":
    main()
