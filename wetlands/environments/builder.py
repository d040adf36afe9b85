"""The steps from a recipe to a finished prefix; whoever runs them holds the locks."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from wetlands.environments import probing
from wetlands.environments.disk import remove_tree, sweep_trash
from wetlands.environments.makers import Maker, maker_for
from wetlands.environments.probing import Interpreter, fingerprint_of
from wetlands.environments.progress import Stage
from wetlands.environments.recipe import Recipe, key_of
from wetlands.environments.records import Record, write_record
from wetlands.environments.upkeep.links import damaged
from wetlands.environments.upkeep.manifests import (
    Manifest,
    read_manifests,
    skeleton_of,
    taking_turns,
    write_skeleton,
)
from wetlands.environments.upkeep.verification import sha256_of
from wetlands.environments.venv import mend
from wetlands.environments.workspace import Workspace


def build(work: Workspace, recipe: Recipe, identity: Mapping[str, Any], root: Path) -> Record:
    """Build the prefix in place and declare it whole.

    What a dead builder left is removed first; without its marker it would not be used anyway.

    Raises:
        ConfigurationError: What the recipe asks for is not possible here.
        InterpreterNotFoundError: No Python fits.
        EnvironmentBuildError: The recipe can't be resolved or installed.
    """
    layout = work.layout
    layout.log.unlink(missing_ok=True)
    sweep_trash(layout.folder)
    key = key_of(identity)
    with maker_for(work, recipe, root) as maker:
        maker.prepare()
        work.reporter.stage(Stage.LOCKING, "resolving its dependencies")
        maker.lock(key)
        made = make(work, recipe, maker)
        record = Record(
            name=work.reporter.name,
            key=key,
            recipe=identity,
            lock=maker.digest(),
            interpreter=made,
            base=fingerprint_of(made.base_executable or made.executable),
            variables=dict(recipe.variables),
        )
    write_record(layout, record)
    return record


def make(work: Workspace, recipe: Recipe, maker: Maker) -> Interpreter:
    """Make the prefix what its lock says, with all that the recipe wants done in it.

    What fails half-way is removed, as far as possible.

    Raises:
        EnvironmentBuildError: A package can't be installed, or an install command failed.
    """
    # Only now: an environment outlives a recipe that was to replace it and can't be resolved.
    work.layout.marker.unlink(missing_ok=True)
    try:
        made = maker.interpreter() if maker.make() else _settled(work, maker)
        if recipe.commands:
            work.shell(recipe.commands, made, dict(recipe.variables))
            made = probing.probe(work.layout.python)  # pyzmq may have come with them
    except BaseException:
        remove_tree(work.layout.prefix)
        raise
    return made


def _settled(work: Workspace, maker: Maker) -> Interpreter:
    """Settle what was just installed while its Python starts, which takes as long; return that."""
    with ThreadPoolExecutor(1, "wetlands-probe") as beside:
        asked = beside.submit(maker.interpreter)
        with taking_turns:
            maker.keep(_settle(work))
        return asked.result()


def _settle(work: Workspace) -> list[Manifest]:
    """Have what was just installed as its packages say, and note what belongs to none of them.

    Returns:
        What its packages say.
    """
    layout = work.layout
    manifests = read_manifests(layout.prefix)
    if names := damaged(manifests):
        mend(work, names)
        manifests = read_manifests(layout.prefix)
    write_skeleton(layout.skeleton, skeleton_of(layout.prefix, manifests, sha256_of))
    return manifests
