"""Makes venvs; and fills prefixes, of whatever kind, from a ``pylock.toml``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from wetlands.environments import probing, uv
from wetlands.environments.alias import alias
from wetlands.environments.blank import PROMPT, Blanks, may_be_blank
from wetlands.environments.disk import remove_tree
from wetlands.environments.interpreters import choose
from wetlands.environments.lock import ensure_lock, folder_of, requirement_options
from wetlands.environments.probing import Interpreter
from wetlands.environments.progress import Stage
from wetlands.environments.recipe import Recipe
from wetlands.environments.resolutions import Resolutions
from wetlands.environments.stock import Stock, keys_of
from wetlands.environments.upkeep.manifests import Manifest, write_skeleton
from wetlands.environments.workspace import Workspace
from wetlands.errors import ConfigurationError


class VenvMaker:
    """Makes a venv; see `Maker`.

    Args:
        work: The environment's folder.
        recipe: What it is made of.
        root: The root of all environments.
        made: The Python of the venv that it was, if it is made again.
    """

    def __init__(
        self, work: Workspace, recipe: Recipe, root: Path, made: Interpreter | None = None
    ) -> None:
        self._work = work
        self._recipe = recipe
        self._root = root
        self._cache = root / "interpreters"
        self._known = Resolutions(root)
        self._made = made
        self._stock = Stock(root)
        self._blanks = Blanks(root)

    def prepare(self) -> None:
        """Choose the Python."""
        wish = self._recipe.python or "the host's own version"
        self._work.reporter.stage(Stage.INTERPRETER, f"looking for Python {wish}")
        self._base = self._former() or choose(self._recipe.python, cache=self._cache)

    def _former(self) -> Interpreter | None:
        """Return the Python that the venv was made from before, if it is still the same."""
        if self._made is None:
            return None
        try:
            path = self._made.base_executable or self._made.executable
            base = probing.probe(path, cache=self._cache)
        except ConfigurationError:
            return None
        return base if base.abi == self._made.abi and not base.virtual else None

    def lock(self, key: str) -> None:
        """Have ``pylock.toml``, and it alone."""
        ensure_lock(self._work, self._recipe, key, self._base, self._known)
        self._work.layout.conda_lock.unlink(missing_ok=True)  # of one that is to be replaced

    def make(self) -> bool:
        """Make the venv and fill it."""
        stage = self._work.reporter.stage
        stage(Stage.CREATING, f"making a venv from {self._base.describe()}")
        skeleton = self._make_venv()
        stage(Stage.INSTALLING, "installing its packages")
        if skeleton is not None and self._link():
            write_skeleton(self._work.layout.skeleton, skeleton)
            return True
        with alias(self._work, self._base, self._root) as (work, python):
            fill_prefix(work, self._recipe, python)
        return False

    def _make_venv(self) -> dict[str, str] | None:
        """Make the empty venv; return its skeleton if that is known."""
        work, name = self._work, self._work.reporter.name
        if self._recipe.commands or not may_be_blank(name):
            make_venv(work, self._base, name, pip=bool(self._recipe.commands))
            return None
        if (blank := self._blanks.recall(self._base)) is None:
            make_venv(work, self._base, PROMPT)
            blank = self._blanks.remember(self._base, work.layout.prefix)
        if blank is None:
            make_venv(work, self._base, name)
            return None
        remove_tree(work.layout.prefix)
        return blank.write(work.layout.prefix, name)

    def _link(self) -> bool:
        """Install what the lock lists from what was installed before, if all of it was."""
        keys = self._keys()
        if keys is None or not self._stock.has(keys.values()):
            return False
        if not keys:
            return True
        if self._stock.install(keys.values(), self._work):
            self._work.told(f"linked as they were installed before: {', '.join(keys)}")
            return True
        self._make_venv()  # in place of what was linked of them
        return False

    def keep(self, manifests: Sequence[Manifest]) -> None:
        """Keep what was installed for the next venv."""
        if keys := self._keys():
            self._stock.keep(keys, self._work.layout.prefix, manifests)

    def _keys(self) -> dict[str, str] | None:
        """Return what to look for in the stock; None if it has no part in this venv: one that has
        more in it than wheels, or that is to be mended.
        """
        config = self._recipe.config
        if self._made is not None or self._recipe.commands or (config and config.hashed):
            return None
        if os.name == "nt":  # where nothing is linked
            return None
        return keys_of(self._work.layout.lock.read_text(encoding="utf-8"), self._base)

    def interpreter(self) -> Interpreter:
        """Return the Python of the venv."""
        return probing.venv_of(self._base, self._work.layout.python, self._work.layout.prefix)

    def digest(self) -> str:
        """Return a hash of the lock."""
        return hashlib.sha256(self._work.layout.lock.read_bytes()).hexdigest()


def make_venv(work: Workspace, interpreter: Interpreter, prompt: str, *, pip: bool = False) -> None:
    """Make an empty venv in place of whatever lies there.

    Args:
        work: The environment's folder.
        interpreter: The Python to make it from.
        prompt: What shells show while it is active.
        pip: Whether pip is put into it, for install commands that call it: the next pip on PATH
            would be the host's, and change the host.

    Raises:
        EnvironmentBuildError: uv failed.
        ProvisioningError: What lies there can't be removed.
    """
    remove_tree(work.layout.prefix)
    options = ["--seed"] if pip else []
    work.uv(
        ["venv", "--no-project", "--relocatable", "--python", str(interpreter.executable),
         "--prompt", prompt, *options, str(work.layout.prefix)],
        "its venv can't be made",
    )  # fmt: skip


def fill_prefix(work: Workspace, recipe: Recipe, python: Path | None = None) -> None:
    """Install what the recipe's lock lists; every hash is verified.

    A file that brings its own hashes is installed from directly: locking it anew would put the
    index's hashes in the place of those that its author vouched for.

    Args:
        work: The environment's folder.
        recipe: What it is made of.
        python: The path by which uv is told of its Python, if not the plain one; see `alias`.

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
        words = [word for source in sources for word in ("--requirements", source)]
        install(work, words, recipe, python)


def seed(work: Workspace) -> None:
    """Put pip into a prefix, for install commands that call it; see `make_venv`."""
    work.uv(
        ["pip", "install", "--python", str(work.layout.python), "pip"],
        "pip, which its install commands may call, can't be installed",
    )


def mend(work: Workspace, names: Sequence[str]) -> None:
    """Install packages again that came out of uv's cache edited.

    Raises:
        EnvironmentBuildError: A package can't be fetched.
    """
    work.reporter.line(f"fetching again what was changed in uv's cache: {', '.join(names)}")
    cache = [] if forget(names) else ["--no-cache"]
    again = [word for name in names for word in ("--reinstall-package", name)]
    install(work, [*cache, *again, "--requirements", str(work.layout.lock)], None)


def forget(names: Sequence[str]) -> bool:
    """Remove packages from uv's cache; False if others use it, for whom uv would wait."""
    return uv.query(["cache", "clean", *names], timeout=10.0, UV_LOCK_TIMEOUT="1") is not None


def install(
    work: Workspace, sources: list[str], recipe: Recipe | None, python: Path | None = None
) -> list[str]:
    """Install requirements files or a lock into the environment's prefix."""
    return work.uv(
        ["pip", "install", "--preview-features", "pylock",
         "--python", str(python or work.layout.python), *sources],
        "its packages can't be installed",
        cwd=folder_of(recipe) if recipe else None,
    )  # fmt: skip
