"""``python -m benchmarks [--smoke] [--save FILE]``"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import pool, report
from benchmarks.timing import Series
from wetlands import EnvironmentManager


def measure(smoke: bool) -> list[Series]:
    """Run every measurement; a smoke run only shows that they work."""
    rounds = 1 if smoke else 10
    with (
        tempfile.TemporaryDirectory() as root,
        EnvironmentManager(root, progress=False) as manager,
    ):
        env = manager.create("measured", {"pip": []})
        env.launch(max_workers=2)
        found = pool.round_trip(env, rounds)
        found += pool.throughput(env, 500 if smoke else 5000, 1 if smoke else 3)
        found += pool.deaths(env, 2 if smoke else 20)
        env.exit()
        return found + pool.start_up(manager, 1 if smoke else 5)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few repetitions, to see it work")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all values as JSON")
    options = parser.parse_args()
    found = measure(options.smoke)
    print(report.table(found))
    print()
    print(report.ratios(found))
    if options.save:
        report.save(found, options.save)


if __name__ == "__main__":
    main()
