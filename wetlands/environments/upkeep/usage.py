"""`DiskUsage`: how much space environments and caches take, each file counted once.

Packages of several environments are often the same files, linked into each. The size of an
environment is that of all its files; what is shared would stay if it were deleted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """How much space a folder takes.

    Attributes:
        size: Bytes on disk, a file with several names in it counted once.
        shared: Those of them that have another name outside of it, and so would not become free.
    """

    size: int
    shared: int


@dataclass(frozen=True)
class DiskUsage:
    """How much space a root takes.

    Attributes:
        total: Bytes on disk of the whole root, each file counted once.
        environments: Of each environment, by name. The sum may be more than the total.
        caches: Of each folder beside the environments, by name.
    """

    total: int
    environments: Mapping[str, Usage]
    caches: Mapping[str, Usage]


def disk_usage(root: Path) -> DiskUsage:
    """Measure a root; what changes meanwhile may be counted or not."""
    seen: dict[tuple[int, int], int] = {}
    environments = {folder.name: _measure(folder, seen) for folder in _folders(root / "envs")}
    caches = {
        folder.name: _measure(folder, seen) for folder in _folders(root) if folder.name != "envs"
    }
    return DiskUsage(sum(seen.values()), environments, caches)


def _folders(parent: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
    except OSError:
        return
    yield from (Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))


def _measure(folder: Path, seen: dict[tuple[int, int], int]) -> Usage:
    names: Counter[tuple[int, int]] = Counter()
    found: dict[tuple[int, int], os.stat_result] = {}
    for status in _files(folder):
        identity = (status.st_dev, status.st_ino)
        names[identity] += 1
        found[identity] = status
    sizes = {identity: _bytes(status) for identity, status in found.items()}
    seen.update(sizes)
    shared = (sizes[each] for each, status in found.items() if status.st_nlink > names[each])
    return Usage(sum(sizes.values()), sum(shared))


def _files(folder: Path) -> Iterator[os.stat_result]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            try:
                # Not entry.stat(): on Windows that knows nothing of other names.
                yield os.lstat(entry.path)
            except OSError:
                continue


def _bytes(status: os.stat_result) -> int:
    blocks = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else blocks * 512
