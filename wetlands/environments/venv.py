"""Makes a venv and fills it from its lock."""

from __future__ import annotations

from wetlands.environments.disk import remove_tree
from wetlands.environments.lock import folder_of, requirement_options
from wetlands.environments.probing import Interpreter
from wetlands.environments.recipe import Recipe
from wetlands.environments.workspace import Workspace


def make_venv(work: Workspace, interpreter: Interpreter, *, pip: bool) -> None:
    """Make an empty venv in place of whatever lies there.

    Args:
        work: The environment's folder.
        interpreter: The Python to make it from.
        pip: Whether pip is put into it, for install commands that call it: the next pip on PATH
            would be the host's, and change the host.

    Raises:
        EnvironmentBuildError: uv failed.
        ProvisioningError: What lies there can't be removed.
    """
    remove_tree(work.layout.prefix)
    options = ["--seed"] if pip else []
    work.uv(
        ["venv", "--no-project", "--python", str(interpreter.executable),
         "--prompt", work.reporter.name, *options, str(work.layout.prefix)],
        "its venv can't be made",
    )  # fmt: skip


def fill_venv(work: Workspace, recipe: Recipe) -> None:
    """Install what the recipe's lock lists; every hash is verified.

    A file that brings its own hashes is installed from directly: locking it anew would put the
    index's hashes in the place of those that its author vouched for.

    Raises:
        EnvironmentBuildError: A package can't be fetched, verified, built or installed.
    """
    if recipe.empty:
        return
    with work.scratch() as scratch:
        if recipe.config and recipe.config.hashed:
            sources = requirement_options(recipe, scratch)
        else:
            sources = [str(work.layout.lock)]
        install(work, [word for source in sources for word in ("--requirements", source)], recipe)
        if recipe.lock and recipe.local:
            own = Recipe(local=recipe.local)
            options = requirement_options(own, scratch)
            install(work, ["--no-deps", "--requirements", *options], own)


def install(work: Workspace, sources: list[str], recipe: Recipe) -> list[str]:
    """Install requirements files or a lock into the environment's prefix."""
    return work.uv(
        ["pip", "install", "--preview-features", "pylock",
         "--python", str(work.layout.python), *sources],
        "its packages can't be installed",
        cwd=folder_of(recipe),
    )  # fmt: skip
