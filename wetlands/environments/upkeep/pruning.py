"""`Pruned`: what nobody has used for a while, removed.

An environment in use has its lock held by each of its workers, by those that outlived their host
too, and so is never removed; nor is one that somebody just builds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from wetlands.environments.conda.cache import PackageCache
from wetlands.environments.disk import read_json
from wetlands.environments.layout import Layout
from wetlands.environments.removal import remove
from wetlands.environments.resolutions import Resolutions
from wetlands.environments.scratch import sweep
from wetlands.environments.stock import Stock
from wetlands.environments.upkeep.last_use import unused_for
from wetlands.environments.upkeep.usage import disk_usage
from wetlands.errors import EnvironmentInUseError


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        environments: The names of those that nobody had used for long enough.
        in_use: The names of those that were old enough, but in use.
        cache_entries: What no environment has, by its place under the root.
        freed: Bytes; 0 for a trial.
    """

    environments: tuple[str, ...]
    in_use: tuple[str, ...]
    cache_entries: tuple[str, ...]
    freed: int = 0


def prune(root: Path, age: timedelta, *, trial: bool) -> Pruned:
    """Remove environments that nobody has used for a while, then what no environment has.

    Args:
        root: Where they lie.
        age: How long nobody must have used one.
        trial: Only say what would be removed.

    Raises:
        ProvisioningError: Something can't be removed.
    """
    before = 0 if trial else disk_usage(root).total
    if not trial:
        sweep(root)
    removed, in_use = [], []
    for layout in _old(root, age):
        try:
            if trial or remove(layout, lambda layout=layout: unused_for(layout) >= age):  # type: ignore[misc]
                removed.append(layout.folder.name)
        except EnvironmentInUseError:
            in_use.append(layout.folder.name)
    entries = (
        *_remove_packages(root, trial),
        *_remove_wheels(root, trial),
        *_forget_answers(root, trial),
        *_forget_resolutions(root, trial),
    )
    freed = 0 if trial else max(0, before - disk_usage(root).total)
    return Pruned(tuple(removed), tuple(in_use), entries, freed)


def _old(root: Path, age: timedelta) -> Iterator[Layout]:
    folders = sorted(path for path in (root / "envs").glob("*") if path.is_dir())
    for layout in map(Layout, folders):
        if unused_for(layout) >= age:
            yield layout


def _remove_packages(root: Path, trial: bool) -> Iterator[str]:
    """Remove Conda packages that no environment has, unless somebody is installing some."""
    cache = PackageCache(root)
    if not cache.folder.is_dir():
        return
    with cache.alone() as alone:
        if not alone:
            return
        used = {note.stem for note in root.glob("envs/*/prefix/conda-meta/*.json")}
        for folder in sorted(cache.folder.iterdir()):
            if folder.is_dir() and folder.name not in used:
                if not trial:
                    cache.remove(folder.name)
                yield folder.relative_to(root).as_posix()


def _remove_wheels(root: Path, trial: bool) -> Iterator[str]:
    """Remove the wheels kept for the next environment that none has."""
    stock = Stock(root)
    if not trial:
        stock.tidy()
    for folder in list(stock.unused()):
        if not trial:
            stock.drop(folder)
        yield folder.relative_to(root).as_posix()


def _forget_answers(root: Path, trial: bool) -> Iterator[str]:
    """Forget what is known of Pythons, environments and archives that are gone."""
    folders = ("interpreters", "activations", "archives", "blanks")
    for answer in sorted(file for name in folders for file in (root / name).glob("*.json")):
        known = read_json(answer) or {}
        if not Path(str(known.get("executable", ""))).exists():
            if not trial:
                with contextlib.suppress(OSError):
                    answer.unlink()
            yield answer.relative_to(root).as_posix()


def _forget_resolutions(root: Path, trial: bool) -> Iterator[str]:
    """Forget what was resolved too long ago to be used."""
    known = Resolutions(root)
    for file in known.stale():
        yield file.relative_to(root).as_posix()
    if not trial:
        known.sweep()
