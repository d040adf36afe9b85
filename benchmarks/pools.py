"""All pools side by side: each starts, is measured and stops in turn, in a process of its own.

A pool that waits for its turn isn't there: some of them are never quite idle.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import plots, report
from benchmarks.part import Options, Part
from benchmarks.peers.adapters import ADAPTERS, OURS, PEERS
from benchmarks.peers.remote import PeerError, RemotePeer
from benchmarks.peers.venvs import UnavailableError
from benchmarks.timing import Series

TRIP, SINGLY, MAPPED = "round trip", "one by one", "map"
UNITS = {TRIP: "us", SINGLY: "tasks/s", MAPPED: "items/s"}
WORKERS = 2
#: Seconds that a measurement of a slow pool may take: it gets fewer tasks, not more time.
PATIENCE = 2.0


def measure(options: Options) -> list[Series]:
    """Measure every pool that is asked for and that can be installed."""
    found: dict[str, Series] = {}
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        running = [
            peer
            for name in (OURS, *options.peers)
            if (peer := _opened(stack, name, Path(folder, "log")))
        ]
        for number in range(options.choose(3)):
            for peer in [*running[number % len(running) :], *running[: number % len(running)]]:
                try:
                    _turn(peer, options, found)
                except PeerError as error:
                    print(f"left out from here on: {error}")
                    running.remove(peer)
    return list(found.values())


def _opened(stack: ExitStack, name: str, log: Path) -> RemotePeer | None:
    try:
        return stack.enter_context(RemotePeer(name, log))
    except UnavailableError as error:
        print(f"left out: {name}, which can't be installed here: {error}")
        return None


def _turn(peer: RemotePeer, options: Options, found: dict[str, Series]) -> None:
    trips, tasks, items = (20, 100, 200) if options.smoke else (500, options.tasks, options.items)
    peer.call("start", WORKERS)
    first = peer.call("submit_one_roundtrip", 20)  # wakes everything up
    trips = _fitting(trips, 1 / min(first))
    series = _series(found, TRIP, peer.name)
    series.block = trips
    for took in peer.call("submit_one_roundtrip", trips):
        series.add(took)
    _rate(found, SINGLY, peer, tasks, first=100)
    _rate(found, MAPPED, peer, items, first=200)
    peer.call("stop")


def _rate(found: dict[str, Series], what: str, peer: RemotePeer, count: int, first: int) -> None:
    """Measure a rate, after a first try that says with how many tasks."""
    method = {SINGLY: "submit_many", MAPPED: "map"}[what]
    took = peer.call(method, min(first, count))
    if took is None:
        return
    count = _fitting(count, first / took)
    _series(found, what, peer.name).add(peer.call(method, count), count)


def _fitting(count: int, rate: float) -> int:
    """Return how many of ``count`` things a pool gets that does them at a rate."""
    return max(1, min(count, int(rate * PATIENCE)))


def _series(found: dict[str, Series], what: str, pool: str) -> Series:
    name = _name(what, pool)
    return found.setdefault(name, Series(name, UNITS[what]))


def _name(what: str, pool: str) -> str:
    return f"{what}, {pool}, by itself"


def table(found: Mapping[str, Series]) -> str:
    """Return a table of all pools, and how many times better ours is."""
    header = ["pool, 2 workers"]
    for what in UNITS:
        header += [what, "ours is as fast"]
    rows = [[pool, *_cells(found, pool)] for pool in _pools(found)]
    if not rows:
        return ""
    notes = [f"-   {pool}: {ADAPTERS[pool].note}." for pool in _pools(found) if ADAPTERS[pool].note]
    return "\n".join([report.table(header, rows), "", *notes])


def _cells(found: Mapping[str, Series], pool: str) -> list[str]:
    cells = []
    for what, unit in UNITS.items():
        theirs, ours = found.get(_name(what, pool)), found.get(_name(what, OURS))
        if theirs is None or ours is None:
            cells += ["", ""]
            continue
        ratio = ours.median / theirs.median
        times = ratio if theirs.more_is_better else 1 / ratio
        factor = "" if theirs is ours else f"{report.number(times)} times"
        cells += [report.number(theirs.median, unit), factor]
    return cells


def _pools(found: Mapping[str, Series]) -> list[str]:
    return [pool for pool in (OURS, *PEERS) if _name(TRIP, pool) in found]


def plot(found: Mapping[str, Series], path: Path) -> bool:
    """Draw all pools side by side."""
    labels = {what: f"{what}, {unit}" for what, unit in UNITS.items()}
    rows = {
        pool: {
            labels[what]: found[_name(what, pool)].median
            for what in UNITS
            if _name(what, pool) in found
        }
        for pool in _pools(found)
    }
    return plots.groups(rows, path, list(labels.values()))


PART = Part("pools", "all pools side by side", measure, table=table, plot=plot)
