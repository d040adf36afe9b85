"""Fuzz by hand, for as long as one likes.

python -m tests.fuzz wire --count 1000000
python -m tests.fuzz data --guided --count 1000000      (needs atheris)
"""

from __future__ import annotations

import argparse
import importlib.util
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
        if importlib.util.find_spec("atheris") is None:
            parser.error("--guided needs the package atheris")
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

    for module in [m for m in sys.modules if m.startswith(("worker_entry", "tests.fuzz.targets"))]:
        del sys.modules[module]
    with atheris.instrument_imports(include=["worker_entry"]):
        targets = importlib.import_module("tests.fuzz.targets")
        target, seeds = targets.TARGETS[name]
        found = seeds()
        for one in found:
            target(one)  # imports what it needs

    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(found):
            Path(corpus, str(number)).write_bytes(data)
        targets.watch()
        atheris.Setup([sys.argv[0], corpus, f"-runs={count}", "-timeout=30"], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
