"""Scratch folders under a root that do not outlive whoever works in them, however that ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wetlands.environments.flock import FileLock

_LOCK = "held.lock"
_PREFIX = ".lock-"


@contextmanager
def scratch_folder(root: Path) -> Iterator[tuple[Path, FileLock]]:
    """Give a folder under a root for a moment, and the lock that keeps it.

    What killed processes left of theirs is removed first. A child that is given the lock's
    descriptor keeps the folder as well.
    """
    sweep(root)
    with (
        tempfile.TemporaryDirectory(dir=root, prefix=_PREFIX) as folder,
        FileLock(Path(folder, _LOCK)) as lock,
    ):
        lock.acquire()
        yield Path(folder), lock


def sweep(root: Path) -> None:
    """Remove the folders that nobody holds."""
    for folder in root.glob(f"{_PREFIX}*"):
        # One without the lock's file was made this very moment, or is just being removed.
        if not (folder / _LOCK).exists():
            continue
        with FileLock(folder / _LOCK) as lock:
            try:
                if lock.acquire(block=False):
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError:
                continue
