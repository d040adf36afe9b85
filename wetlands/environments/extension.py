"""More packages for an environment that is there already.

It happens in place, while workers run: that is what the user asks for, for instance to try
something out. The recipe's key stays; what was added is listed in the marker, and is gone when the
environment is built anew. For packages that shall stay, the recipe is the place.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wetlands.environments import recipe as recipes
from wetlands.environments import records
from wetlands.environments.conda.stubs import pins_of
from wetlands.environments.lock import requirement_options
from wetlands.environments.prefix import Prefix
from wetlands.environments.probing import probe
from wetlands.environments.progress import Stage
from wetlands.environments.recipe import Recipe
from wetlands.environments.workspace import Workspace
from wetlands.errors import ConfigurationError


def parse_additions(dependencies: Mapping[str, Any]) -> Recipe:
    """Return what to add.

    Raises:
        ConfigurationError: It can't be right, or is no package.
    """
    recipe = recipes.parse_recipe(dependencies)
    if recipe.python:
        raise ConfigurationError(
            "install() can't change the Python of an environment: leave out 'python', or create "
            "another environment"
        )
    return recipe


def extend(work: Workspace, prefix: Prefix, recipe: Recipe, root: Path) -> list[str]:
    """Install what is to be added, and return the lines that the installers wrote.

    Raises:
        EnvironmentBuildError: It can't be installed.
    """
    work.reporter.stage(Stage.INSTALLING, "installing more packages")
    lines = _conda(work, prefix, recipe, root) if recipe.is_conda else []
    lines += _pip(work, prefix, recipe)
    if prefix.managed:
        _record(work, recipe, lines)
    work.reporter.stage(Stage.READY, "ready")
    return lines


def _conda(work: Workspace, prefix: Prefix, recipe: Recipe, root: Path) -> list[str]:
    from wetlands.environments.conda.adding import add
    from wetlands.environments.conda.engine import Engine

    with Engine(root, work.reporter, pass_fds=work.descriptors(), log=work.told) as engine:
        return add(engine, prefix.path, recipe)


def _pip(work: Workspace, prefix: Prefix, recipe: Recipe) -> list[str]:
    base = ["pip", "install", "--python", str(prefix.interpreter.executable)]
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="wetlands-") as scratch:
        inputs = requirement_options(recipe, Path(scratch))
        base += pins_of(prefix.path, Path(scratch))
        calls = [["--requirements", source] for source in inputs]
        if recipe.no_deps:
            calls.append(["--no-deps", *recipe.no_deps])
        for arguments in calls:
            lines += work.uv([*base, *arguments], "its packages can't be installed", Path(scratch))
    return lines


def _record(work: Workspace, recipe: Recipe, lines: list[str]) -> None:
    record = records.read_record(work.layout)
    if record is None:
        return
    wanted = {key: value for key, value in recipes.identity(recipe).items() if value}
    addition = {"recipe": wanted, "changes": [line for line in lines if line[:3] in (" + ", " - ")]}
    interpreter = probe(work.layout.python)  # pyzmq may have come with it
    records.write_record(
        work.layout,
        record._replace(additions=[*record.additions, addition], interpreter=interpreter),
    )


@contextlib.contextmanager
def log_elsewhere() -> Iterator[Path]:
    """Give a folder for the tool's log where the environment has none of ours."""
    with tempfile.TemporaryDirectory(prefix="wetlands-") as folder:
        yield Path(folder)
