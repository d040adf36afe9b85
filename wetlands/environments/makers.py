"""`Maker`: what makes a kind of environment. There are two kinds, venvs and Conda environments.

What both have in common is in `builder`: who may build, in which order, what is declared when.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from wetlands.environments.probing import Interpreter
from wetlands.environments.recipe import Recipe
from wetlands.environments.upkeep.manifests import Manifest
from wetlands.environments.workspace import Workspace


class Maker(Protocol):
    """Makes the prefix of one environment, in three steps, and says what was made."""

    def prepare(self) -> None:
        """Find what is needed; nothing is fetched or changed yet.

        Raises:
            ConfigurationError: What the recipe asks for is not possible here.
            InterpreterNotFoundError: No Python here fits.
        """

    def lock(self, key: str) -> None:
        """Have a lock for the recipe of this key beside the prefix, which is left as it is.

        Raises:
            EnvironmentBuildError: The recipe can't be resolved.
        """

    def make(self) -> bool:
        """Make the prefix what the lock says.

        Returns:
            Whether its files were looked at, and those of no package noted; see `builder`.

        Raises:
            EnvironmentBuildError: A package can't be fetched, verified, built or installed.
        """

    def interpreter(self) -> Interpreter:
        """Return the Python of the prefix, once it is made; may be called in another thread.

        Raises:
            ConfigurationError: It does not start.
        """

    def keep(self, manifests: Sequence[Manifest]) -> None:
        """Keep of a prefix that was just made, and looked at, what helps to make the next."""

    def digest(self) -> str:
        """Return a hash of the lock."""


@contextmanager
def maker_for(work: Workspace, recipe: Recipe, root: Path) -> Iterator[Maker]:
    """Give what makes an environment of this recipe."""
    if recipe.is_conda:
        from wetlands.environments.conda.maker import conda_maker

        with conda_maker(work, recipe, root) as maker:
            yield maker
    else:
        from wetlands.environments.venv import VenvMaker

        yield VenvMaker(work, recipe, root)


@contextmanager
def maker_again(work: Workspace, recipe: Recipe, made: Interpreter, root: Path) -> Iterator[Maker]:
    """Give what makes an environment again from the locks beside it.

    Args:
        work: The environment's folder.
        recipe: What is to be done beside installing what the locks list.
        made: The Python that it had.
        root: The root of all environments.
    """
    if work.layout.conda_lock.exists():
        from wetlands.environments.conda.maker import conda_maker

        with conda_maker(work, recipe, root) as maker:
            yield maker
    else:
        from wetlands.environments.venv import VenvMaker

        yield VenvMaker(work, recipe, root, made)
