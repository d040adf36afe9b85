"""Test processes side by side: how many there are, what they share, and when one runs alone.

pytest-xdist hands the tests out to processes. It has groups of tests that one process runs after
each other, but no way to say that nothing else may run meanwhile; that is what the locks are for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from wetlands.environments.flock import FileLock

#: More of them would take the time from each other that tests give to what they wait for.
MOST = 4
#: More than cores: a test process waits for others, or for the disk, in a fifth of its time.
SPARE = 2


def process_count(config: pytest.Config) -> int:
    """Return how many processes are worth their start: none beside this one for single files."""
    if all(os.path.isfile(argument.partition("::")[0]) for argument in config.args):
        return 0
    return min(MOST, (psutil.cpu_count() or 1) + SPARE)


def shared_folder(config: pytest.Config, own: Path) -> Path:
    """Return the folder that all processes of a run have in common, given this one's own."""
    return own.parent if hasattr(config, "workerinput") else own


@contextlib.contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Take part in what runs now, or wait until all others are done and keep them away.

    Whoever wants to be alone holds the gate while it waits; otherwise those who take part could
    follow each other without an end.
    """
    gate, floor = FileLock(folder / "gate.lock"), FileLock(folder / "floor.lock")
    gate.acquire()
    try:
        floor.acquire(shared=not alone)
    finally:
        gate.release()
    try:
        yield
    finally:
        floor.release()
