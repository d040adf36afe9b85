"""Wetlands as it is measured, on this very Python as its peers, and the peer that everybody has."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import wait as wait_for_all
from pathlib import Path

from benchmarks import work
from wetlands import Environment, EnvironmentManager

#: The file with what workers run.
WORK = str(Path(work.__file__).resolve())
#: The name of the peer in series.
POOL = "ProcessPoolExecutor"


@contextlib.contextmanager
def managed() -> Iterator[EnvironmentManager]:
    """Give a manager whose environments go away."""
    with (
        tempfile.TemporaryDirectory() as root,
        EnvironmentManager(root, progress=False) as manager,
    ):
        yield manager


@contextlib.contextmanager
def environment(workers: int = 2) -> Iterator[Environment]:
    """Give an environment with workers, each of which has worked once."""
    with managed() as manager:
        yield launched(manager, workers)


def launched(manager: EnvironmentManager, workers: int) -> Environment:
    """Return a further environment with workers, each of which has worked."""
    env = manager.load(f"measured-{workers}", sys.executable)
    env.launch(max_workers=workers)
    for task in env.map_tasks(WORK, "noop", range(10 * workers)):
        task.wait_for()
    return env


@contextlib.contextmanager
def executor(workers: int = 2) -> Iterator[ProcessPoolExecutor]:
    """Give the peer, its workers forked already: before there are threads that forks would miss."""
    with ProcessPoolExecutor(workers) as pool:
        wait_for_all([pool.submit(work.noop, i) for i in range(10 * workers)])
        yield pool
