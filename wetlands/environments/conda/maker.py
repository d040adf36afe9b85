"""Makes Conda environments: py-rattler's part first, then uv's on top of it.

What Conda put into a prefix stays as it is: uv is told that these packages exist, in exactly these
versions, and is asked for the rest. For that the Conda part has to be looked at, so when there is
something for uv to resolve, it is installed into a scratch prefix, which costs hard links.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wetlands.environments import probing
from wetlands.environments.conda.engine import Engine, check_prefix
from wetlands.environments.conda.helper_process import require_rattler
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.conda.specs import python_spec, split_spec
from wetlands.environments.conda.stubs import constraints_for
from wetlands.environments.disk import read_json, remove_tree, write_json
from wetlands.environments.lock import keep_lock, resolve, resolve_locked
from wetlands.environments.locks.conda_lock import channels, conda_packages
from wetlands.environments.locks.platforms import here
from wetlands.environments.probing import Interpreter
from wetlands.environments.progress import Stage
from wetlands.environments.recipe import Recipe
from wetlands.environments.upkeep.manifests import Manifest
from wetlands.environments.venv import fill_prefix, seed
from wetlands.environments.workspace import Workspace

FORMAT = 1


def specs_of(recipe: Recipe) -> list[str]:
    """Return the match specs of a recipe, that of its Python included: the host's by default."""
    if any(split_spec(spec)[1] == "python" for spec in recipe.conda):
        return [*recipe.conda]
    own = f"=={sys.version_info[0]}.{sys.version_info[1]}.*"
    return [python_spec(recipe.python or own), *recipe.conda]


@contextmanager
def conda_maker(work: Workspace, recipe: Recipe, root: Path) -> Iterator[CondaMaker]:
    """Give what makes a Conda environment, with one helper for all that it needs of py-rattler.

    Args:
        work: The environment's folder.
        recipe: What it is made of.
        root: The root of all environments.
    """
    with Engine(root, work.reporter, pass_fds=work.descriptors(), log=work.told) as engine:
        yield CondaMaker(work, recipe, engine)


class CondaMaker:
    """Makes a Conda environment; see `Maker`.

    Args:
        work: The environment's folder.
        recipe: What it is made of.
        engine: What solves for, and installs, its packages.
    """

    def __init__(self, work: Workspace, recipe: Recipe, engine: Engine) -> None:
        self._work = work
        self._recipe = recipe
        self._engine = engine
        self._content: dict[str, Any] = read_json(work.layout.conda_lock) or {}

    def prepare(self) -> None:
        """Check what can be checked before anything is fetched."""
        check_prefix(self._work.layout.prefix)
        require_rattler()

    def lock(self, key: str) -> None:
        """Have ``conda-packages.json``, and ``pylock.toml`` if uv has a part in it.

        Both are resolved before either is written: an environment that is there keeps its own.
        """
        layout = self._work.layout
        title = f"wetlands Conda lock {FORMAT}, recipe {key}"
        kept = self._content.get("title") == title
        if not kept:
            self._content = {"title": title, **self._solved()}
        if self._recipe.empty:
            layout.lock.unlink(missing_ok=True)
        else:
            # Other Conda packages make it another lock.
            about = f"recipe {key}, {self._conda_digest()}, {layout.lock}"
            keep_lock(layout.lock, about, self._pip_lock)
        if not kept:
            write_json(layout.conda_lock, self._content)

    @property
    def packages(self) -> list[CondaPackage]:
        """The Conda packages of the lock."""
        return [CondaPackage.from_json(package) for package in self._content.get("packages", ())]

    def make(self) -> bool:
        """Make the prefix what the locks say."""
        layout = self._work.layout
        remove_tree(layout.prefix)
        self._work.reporter.stage(Stage.INSTALLING, "installing its Conda packages")
        if weak := [package.name for package in self.packages if not package.sha256]:
            self._work.told(f"checked by md5 alone, for want of a sha256: {', '.join(weak)}")
        self._engine.install(self.packages, layout.prefix, self._recipe.channels)
        if not self._recipe.empty:
            self._work.reporter.stage(Stage.INSTALLING, "installing its packages for Python")
            fill_prefix(self._work, self._recipe)
        if self._recipe.commands and not any(p.name == "pip" for p in self.packages):
            seed(self._work)
        return False

    def keep(self, manifests: Sequence[Manifest]) -> None:
        """Keep nothing: py-rattler and uv have caches."""

    def interpreter(self) -> Interpreter:
        """Return the Python of the prefix."""
        return probing.probe(self._work.layout.python)

    def digest(self) -> str:
        """Return a hash of both locks."""
        pip = b"" if self._recipe.empty else self._work.layout.lock.read_bytes()
        return hashlib.sha256(self._conda_digest().encode() + pip).hexdigest()

    def _conda_digest(self) -> str:
        listed = sorted(f"{package.url}#{package.sha256}" for package in self.packages)
        return hashlib.sha256("\n".join(listed).encode()).hexdigest()

    def _solved(self) -> dict[str, object]:
        if self._recipe.lock:
            document = self._recipe.lock.document
            locked = conda_packages(document, here())
            packages = [package.to_json() for package in locked]
            return {"channels": list(channels(document)), "packages": packages}
        solution = self._engine.solve(
            specs_of(self._recipe), self._recipe.channels, alone=self._recipe.conda_alone
        )
        packages = [package.to_json() for package in solution.packages]
        return {"channels": list(solution.channels), "packages": packages}

    def _pip_lock(self) -> str:
        if self._recipe.lock:
            return resolve_locked(self._work, self._recipe, self._recipe.lock)
        with self._work.scratch() as scratch, self._draft() as interpreter:
            options = constraints_for(interpreter.prefix, scratch)
            return resolve(self._work, self._recipe, interpreter, scratch, options)

    @contextmanager
    def _draft(self) -> Iterator[Interpreter]:
        """Give the Python of a prefix with the Conda part alone, for a moment."""
        # As long as the name of the prefix itself, so that it can't be too long on its own.
        prefix = self._work.layout.folder / ".draft"
        try:
            self._engine.install(self.packages, prefix, self._recipe.channels)
            yield probing.probe(self._work.layout.python_of(prefix))
        finally:
            remove_tree(prefix)
