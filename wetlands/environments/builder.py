"""The steps from a recipe to a finished prefix; whoever runs them holds the locks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wetlands.environments import probing
from wetlands.environments.disk import remove_tree, sweep_trash
from wetlands.environments.makers import Maker, maker_for
from wetlands.environments.probing import Interpreter, fingerprint_of
from wetlands.environments.progress import Stage
from wetlands.environments.recipe import Recipe
from wetlands.environments.records import Record, write_record
from wetlands.environments.workspace import Workspace


def build(
    work: Workspace, recipe: Recipe, identity: Mapping[str, Any], key: str, root: Path
) -> Record:
    """Build the prefix in place and declare it whole.

    What a dead builder left is removed first. What fails half-way is removed as well, as far as
    possible; without its marker it would not be used anyway.

    Raises:
        ConfigurationError: What the recipe asks for is not possible here.
        InterpreterNotFoundError: No Python fits.
        EnvironmentBuildError: The recipe can't be resolved or installed.
    """
    layout = work.layout
    layout.log.unlink(missing_ok=True)
    sweep_trash(layout.folder)
    maker = maker_for(work, recipe, root)
    maker.prepare()
    work.reporter.stage(Stage.LOCKING, "resolving its dependencies")
    maker.lock(key)
    # Only now: an environment outlives a recipe that was to replace it and can't be resolved.
    layout.marker.unlink(missing_ok=True)
    try:
        made = _make(work, recipe, maker)
    except BaseException:
        remove_tree(layout.prefix)
        raise
    record = Record(
        name=work.reporter.name,
        key=key,
        recipe=identity,
        lock=maker.digest(),
        interpreter=made,
        base=fingerprint_of(made.base_executable or made.executable),
    )
    write_record(layout, record)
    return record


def _make(work: Workspace, recipe: Recipe, maker: Maker) -> Interpreter:
    made = maker.make()
    if recipe.commands:
        work.shell(recipe.commands, made)
        made = probing.probe(work.layout.python)  # pyzmq may have come with them
    return made
