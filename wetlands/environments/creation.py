"""Find the environment that was wished for, or build it, once among all who wish for it at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wetlands.environments import recipe as recipes
from wetlands.environments import records
from wetlands.environments.layout import Layout
from wetlands.environments.names import find_twin
from wetlands.environments.progress import Reporter
from wetlands.environments.recipe import Recipe
from wetlands.environments.records import Record
from wetlands.errors import ConfigurationError, EnvironmentConflictError


class Wish(NamedTuple):
    """An environment that is wanted.

    Attributes:
        root: Under which it lies.
        name: Its name.
        recipe: What it is made of; ``identity`` follows from it.
        replace: Whether one of this name with another recipe gives way.
    """

    root: Path
    name: str
    recipe: Recipe
    identity: Mapping[str, Any]
    replace: bool

    @property
    def layout(self) -> Layout:
        """Where it lies."""
        return Layout(self.root / "envs" / self.name)

    @property
    def cache(self) -> Path:
        """Where the answers of interpreters are kept."""
        return self.root / "interpreters"


def wish_for(root: Path, name: str, recipe: Recipe, *, replace: bool) -> Wish:
    """Return the wish for a recipe, with what it comes down to now."""
    return Wish(root, name, recipe, recipes.identity(recipe), replace)


def find(wish: Wish) -> Record | None:
    """Return the environment if it is there, whole and usable; None if it is to be built.

    Needs no lock: see `records`.

    Raises:
        EnvironmentConflictError: One of this name has another recipe, and may not be replaced.
    """
    try:
        record = records.read_record(wish.layout)
    except EnvironmentConflictError:
        if wish.replace:
            return None
        raise
    if record is None:
        return None
    if record.recipe == wish.identity:  # not the key, for which a hash would have to be loaded
        return records.find_intact(wish.layout, record, wish.cache)
    if wish.replace:
        return None
    raise _conflict(record, wish)


def find_or_build(wish: Wish, reporter: Reporter) -> Record:
    """Return the environment, building it unless somebody else just did.

    Raises:
        EnvironmentConflictError: One of this name has another recipe, and may not be replaced.
        EnvironmentInUseError: It has to be replaced, and is in use.
        ProvisioningError: It can't be built; see its subclasses.
    """
    from wetlands.environments.builder import build
    from wetlands.environments.claims import building, unused
    from wetlands.environments.disk import explained
    from wetlands.environments.sidecar import ensure_sidecar
    from wetlands.environments.workspace import Workspace

    _refuse_twin(wish)
    with building(wish.layout, reporter) as lock:
        record = find(wish)
        if record is not None:
            return record
        with unused(wish.layout) as use, explained("write to", wish.layout.folder):
            work = Workspace(wish.layout, reporter, [lock, use])
            record = build(work, wish.recipe, wish.identity, wish.root)
    # Here and not at launch, because this is where people expect to wait, and to be online.
    ensure_sidecar(wish.root / "sidecar", record.interpreter, reporter)
    return record


def _conflict(record: Record, wish: Wish) -> EnvironmentConflictError:
    lines = recipes.differences(record.recipe, wish.identity)
    return EnvironmentConflictError(
        f"environment {wish.name!r} exists and was made from another recipe (existing -> wanted):"
        + "".join(f"\n  {line}" for line in lines)
        + "\nUse another name, or replace_existing=True to build it anew"
    )


def _refuse_twin(wish: Wish) -> None:
    if twin := find_twin(wish.name, folders(wish.root)):
        raise ConfigurationError(
            f"environment {wish.name!r} can't be created beside {twin!r}: their names are the same "
            "on some file systems; use that one, or another name"
        )


def folders(root: Path) -> list[str]:
    """Return the names of all environments, whole or not."""
    try:
        return os.listdir(root / "envs")
    except OSError:
        return []
