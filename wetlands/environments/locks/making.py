"""Recipe -> `Lock`, for several platforms at once; nothing is installed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wetlands.environments.interpreters import choose
from wetlands.environments.layout import Layout
from wetlands.environments.lock import resolve
from wetlands.environments.locks import pylock
from wetlands.environments.locks.lock import Lock
from wetlands.environments.locks.platforms import Platform
from wetlands.environments.probing import Interpreter
from wetlands.environments.progress import Reporter, Stage
from wetlands.environments.recipe import Recipe, parse_recipe
from wetlands.environments.workspace import Workspace
from wetlands.errors import ConfigurationError

Given = Mapping[str, Any] | str | os.PathLike[str] | None


def recipes_for(given: Given, platforms: Sequence[Platform]) -> list[Recipe]:
    """Return what was asked for as a recipe for each platform.

    Args:
        given: What ``create()`` takes, or the path of what ``create_from_config()`` takes.
        platforms: The platforms.

    Raises:
        ConfigurationError: It can't be right, or is a lock already.
    """
    if not isinstance(given, (str, os.PathLike)):
        return [parse_recipe(given, platform=platform.name) for platform in platforms]
    from wetlands.environments.config_files import read_config

    recipe = read_config(given)
    if recipe.lock:
        raise ConfigurationError(
            f"{os.fspath(given)!r} is a lock already: read it with Lock.read()"
        )
    return [recipe] * len(platforms)


def make_lock(
    recipes: Sequence[Recipe], platforms: Sequence[Platform], root: Path, reporter: Reporter
) -> Lock:
    """Resolve a recipe for each platform, as it would be on that platform alone.

    Args:
        recipes: One for each platform.
        platforms: The platforms.
        root: The root of all environments.
        reporter: Told about each step.

    Raises:
        InterpreterNotFoundError: No Python here fits.
        EnvironmentBuildError: It can't be resolved; carries all that the resolver said.
    """
    if any(recipe.is_conda for recipe in recipes):
        from wetlands.environments.locks.conda_making import make_conda_lock

        return make_conda_lock(recipes, platforms, root, reporter)
    reporter.stage(Stage.INTERPRETER, "looking for its Python")
    interpreter = choose(recipes[0].python, cache=root / "interpreters")
    solved = []
    with tempfile.TemporaryDirectory(prefix="wetlands-") as folder:
        for platform, recipe in zip(platforms, recipes, strict=True):
            reporter.stage(Stage.LOCKING, f"resolving its dependencies for {platform.name}")
            work = Workspace(Layout(Path(folder)), reporter)
            solved.append((platform, _solve(work, recipe, interpreter, platform)))
    return assemble(solved, interpreter)


def _solve(
    work: Workspace, recipe: Recipe, interpreter: Interpreter, platform: Platform
) -> pylock.Document:
    folder = work.layout.folder
    text = resolve(work, recipe, interpreter, folder, ["--python-platform", platform.target])
    return pylock.absolute(pylock.parse(text, "the resolver's answer"), folder)


def assemble(solved: Sequence[tuple[Platform, pylock.Document]], interpreter: Interpreter) -> Lock:
    """Return one lock of what was resolved for each platform with this Python."""
    major, minor, _ = interpreter.version
    alone, local = [], set[str]()
    for platform, document in solved:
        rest, folders = pylock.without_folders(document)
        alone.append((platform, rest))
        local.update(folders)
    notes = {"local": sorted(local)}
    return Lock.of("venv", pylock.merged(alone, f"=={major}.{minor}.*", notes))
