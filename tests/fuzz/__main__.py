"""Fuzz by hand, for as long as one likes.

python -m tests.fuzz wire --count 1000000
python -m tests.fuzz data --guided --count 1000000      (needs atheris)
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import mutation
from tests.fuzz.targets import TARGETS, watch


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--count", type=int, default=100_000, help="inputs to try")
    parser.add_argument("--seed", type=int, help="of the dice; shown if something is found")
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    given = parser.parse_args()
    if given.guided:
        guided(given.target, given.count)
        return
    target, seeds = TARGETS[given.target]
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    found, begin = seeds(), time.monotonic()
    for one in found:
        target(one)  # whatever is imported for what is whole, is so before the watch
    watch()
    mutation.run(target, found, given.count, seed)
    print(f"{given.count:,} inputs, seed {seed}, {time.monotonic() - begin:.0f} s: all is well")


def guided(name: str, count: int) -> None:
    import atheris  # type: ignore[import-not-found]

    target, seeds = TARGETS[name]
    modules = ("worker_entry",)
    with atheris.instrument_imports(include=list(modules)):
        for module in [m for m in sys.modules if m.partition(".")[0] in modules]:
            del sys.modules[module]
        for module in [m for m in sys.modules if m == "tests.fuzz.targets"]:
            del sys.modules[module]
        from tests.fuzz.targets import TARGETS as INSTRUMENTED

    target = INSTRUMENTED[name][0]
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds()):
            Path(corpus, str(number)).write_bytes(data)
        atheris.Setup([sys.argv[0], corpus, f"-runs={count}", "-timeout=30"], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
