"""``python -m benchmarks``: measure, judge, write, compare."""

from __future__ import annotations

import argparse
import datetime
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks import page, results
from benchmarks.part import Options
from benchmarks.parts import PARTS
from benchmarks.peers.adapters import PEERS, STDLIB

RESULTS = Path(__file__).with_name("results")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; return the status of the process: 1 if a part failed."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        run = results.load(given.read) if given.read else results.Run()
        old = results.load(given.compare) if given.compare else None
        folder = given.output or (_folder_of(given.read) if given.read else _new_folder())
        if not given.read and (folder / results.FILE).exists():
            run = results.load(folder)
    except ValueError as error:
        parser.error(str(error))
    failed = [] if given.read else _measure(run, given)
    page.write(run, folder, old)
    print(page.text(run, old))
    print(f"\nwritten to {folder}")
    if given.docs:
        page.publish(run, folder)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _measure(run: results.Run, given: argparse.Namespace) -> list[str]:
    """Measure what is asked for; return the names of the parts that failed."""
    options = Options(
        smoke=given.smoke,
        large=given.large,
        peers=_peers(given),
        rounds=given.rounds,
        tasks=given.tasks,
        items=given.items,
    )
    failed = []
    for name in given.only or PARTS:
        begin = datetime.datetime.now()
        try:
            run.add(name, PARTS[name].measure(options))
        except Exception:
            traceback.print_exc()
            failed.append(name)
        took = (datetime.datetime.now() - begin).total_seconds()
        print(f"measured: {name}, in {took:.0f} s", flush=True)
    run.about.append({**results.about(), "parts": list(given.only or PARTS), "smoke": given.smoke})
    return failed


def _peers(given: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of the peers: those asked for, or all, or what needs no installing."""
    if given.peers is None:
        return STDLIB if given.smoke else PEERS
    return tuple(given.peers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure wetlands beside its peers; write tables, plots and all values.",
        epilog="Parts: " + "; ".join(f"{one.name} ({one.about})" for one in PARTS.values()) + ".",
    )
    parser.add_argument("--smoke", action="store_true", help="a few repetitions, to see it work")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", help="some parts")
    parser.add_argument(
        "--large", action="store_true", help="also arrays of 1 GB and queues of 1,000,000 tasks"
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        type=_peer,
        metavar="POOL",
        help=f"pools to compare with, in the part `pools`: {', '.join(PEERS)}; without this, all, "
        "or with --smoke those of the standard library",
    )
    parser.add_argument("--rounds", type=_positive, help="how often everything takes its turn")
    parser.add_argument("--tasks", type=_positive, default=20_000, help="no-ops one by one")
    parser.add_argument("--items", type=_positive, default=100_000, help="no-ops of a map")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write; a run in it is added to"
    )
    parser.add_argument("--compare", type=Path, metavar="FILE", help="an earlier run (run.json)")
    parser.add_argument(
        "--read", type=Path, metavar="FILE", help="measure nothing, read this run instead"
    )
    parser.add_argument(
        "--docs", action="store_true", help="put tables and plots into docs/performance.md"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _peer(text: str) -> str:
    for name in PEERS:
        if name.lower() == text.lower():
            return name
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(PEERS)}")


def _folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _new_folder() -> Path:
    return RESULTS / datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
