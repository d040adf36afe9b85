"""The steps from a recipe to a finished prefix; whoever runs them holds the locks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wetlands.environments import probing
from wetlands.environments.disk import remove_tree, sweep_trash
from wetlands.environments.interpreters import choose
from wetlands.environments.lock import ensure_lock
from wetlands.environments.probing import Interpreter, fingerprint_of
from wetlands.environments.progress import Stage
from wetlands.environments.recipe import Recipe
from wetlands.environments.records import Record, write_record
from wetlands.environments.venv import fill_venv, make_venv
from wetlands.environments.workspace import Workspace


def build(
    work: Workspace, recipe: Recipe, identity: Mapping[str, Any], key: str, cache: Path
) -> Record:
    """Build the prefix in place and declare it whole.

    What a dead builder left is removed first. What fails half-way is removed as well, as far as
    possible; without its marker it would not be used anyway.

    Raises:
        InterpreterNotFoundError: No Python fits.
        EnvironmentBuildError: The recipe can't be resolved or installed.
    """
    layout = work.layout
    layout.log.unlink(missing_ok=True)
    sweep_trash(layout.folder)
    interpreter = _choose(work, recipe, cache)
    work.reporter.stage(Stage.LOCKING, "resolving its dependencies")
    ensure_lock(work, recipe, key, interpreter)
    # Only now: an environment outlives a recipe that was to replace it and can't be resolved.
    layout.marker.unlink(missing_ok=True)
    try:
        made = _make(work, recipe, interpreter)
    except BaseException:
        remove_tree(layout.prefix)
        raise
    record = Record(
        name=work.reporter.name,
        key=key,
        recipe=identity,
        lock=hashlib.sha256(layout.lock.read_bytes()).hexdigest(),
        interpreter=made,
        base=fingerprint_of(made.base_executable or made.executable),
    )
    write_record(layout, record)
    return record


def _choose(work: Workspace, recipe: Recipe, cache: Path) -> Interpreter:
    wish = recipe.python or "the host's own version"
    work.reporter.stage(Stage.INTERPRETER, f"looking for Python {wish}")
    return choose(recipe.python, cache=cache)


def _make(work: Workspace, recipe: Recipe, interpreter: Interpreter) -> Interpreter:
    work.reporter.stage(Stage.CREATING, f"making a venv from {interpreter.describe()}")
    make_venv(work, interpreter, pip=bool(recipe.commands))
    work.reporter.stage(Stage.INSTALLING, "installing its packages")
    fill_venv(work, recipe)
    made = probing.probe(work.layout.python)
    if recipe.commands:
        work.shell(recipe.commands, made)
        made = probing.probe(work.layout.python)  # pyzmq may have come with them
    return made
