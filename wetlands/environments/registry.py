"""Every environment of one root: made once, found again in milliseconds, changed by one at a time.

This is the face of the layer; how processes keep out of each other's way is told in `claims`, what
a finished environment is in `records`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetlands.environments.flock import Lease
from wetlands.environments.names import check_name
from wetlands.environments.prefix import Prefix
from wetlands.errors import (
    ConfigurationError,
    EnvironmentConflictError,
    EnvironmentNotFoundError,
)

# What builds environments is imported where it is needed: a host that only imports the package, or
# finds its environment ready, doesn't pay for it.
if TYPE_CHECKING:
    from wetlands.environments.cancellation import Cancellation
    from wetlands.environments.layout import Layout
    from wetlands.environments.locks.lock import Lock
    from wetlands.environments.locks.making import Given
    from wetlands.environments.probing import Interpreter
    from wetlands.environments.progress import ProgressCallback, Reporter
    from wetlands.environments.recipe import Recipe
    from wetlands.environments.upkeep.face import Upkeep

__all__ = ["Lease", "Prefix", "Registry"]


class Registry:
    """The environments under one root.

    Args:
        root: A folder; it is made when something is first written to it.
        bar: Whether a progress bar may be drawn on a terminal.

    Safe to use from any thread, and by any number of processes at once.
    """

    def __init__(self, root: Path, *, bar: bool = False) -> None:
        self.root = root
        self._bar = bar
        self._guard = threading.Lock()
        # What this process was given by name: the recipe's key, or None for an adopted prefix.
        self._given: dict[str, str | None] = {}

    # -- getting environments ----------------------------------------------------------------------

    def ensure(
        self,
        name: str,
        recipe: Recipe,
        *,
        replace_existing: bool = False,
        on_progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> Prefix:
        """Return the environment of this name and recipe, building it if need be.

        Args:
            name: Its name.
            recipe: What it is made of.
            replace_existing: Build it anew when one of this name has another recipe.
            on_progress: Called with each `ProvisioningEvent`, in this thread.
            cancellation: What ends it early.

        Raises:
            ConfigurationError: The name or the recipe can't be right.
            EnvironmentConflictError: One of this name has another recipe.
            EnvironmentInUseError: It has to be replaced, and workers run in it.
            ProvisioningError: It can't be built; see its subclasses.
        """
        from wetlands.environments.creation import find, find_or_build, wish_for

        wish = wish_for(self.root, check_name(name), recipe, replace=replace_existing)
        with self._reporter(name, on_progress, cancellation) as reporter:
            record = find(wish) or find_or_build(wish, reporter)
            reporter.ready("ready")
        return self._remember(record.prefix(wish.layout))

    def open(self, name: str) -> Prefix:
        """Return an environment that was created before, by any process.

        Raises:
            EnvironmentNotFoundError: There is none of this name that is whole.
        """
        from wetlands.environments import records

        layout = self._layout(check_name(name))
        record = records.read_record(layout)
        whole = records.find_intact(layout, record, self._cache) if record else None
        if whole is None:
            raise self._not_found(name)
        return self._remember(whole.prefix(layout))

    def adopt(self, name: str, path: str | os.PathLike[str]) -> Prefix:
        """Return an environment that exists anywhere, made by anyone; it stays its owner's.

        Raises:
            EnvironmentNotFoundError: There is no Python at this path.
            ConfigurationError: The Python there can't run workers.
        """
        from wetlands.environments.adoption import adopt

        prefix = adopt(check_name(name), path, self._cache)
        with self._guard:
            self._given.setdefault(name, None)
        return prefix

    def lock(
        self,
        given: Given,
        platforms: Sequence[str] | None,
        on_progress: ProgressCallback | None = None,
    ) -> Lock:
        """Return what a recipe is resolved to on each platform.

        Raises:
            ConfigurationError: The recipe or a platform can't be right.
            InterpreterNotFoundError: No Python fits.
            EnvironmentBuildError: It can't be resolved.
        """
        from wetlands.environments.locks.making import make_lock, recipes_for
        from wetlands.environments.locks.platforms import parse_platforms

        wanted = parse_platforms(platforms)
        recipes = recipes_for(given, wanted)
        with self._reporter("lock", on_progress) as reporter:
            lock = make_lock(recipes, wanted, self.root, reporter)
            reporter.ready("locked")
        return lock

    def names(self) -> list[str]:
        """Return the names of all environments that are whole."""
        from wetlands.environments.creation import folders

        return sorted(name for name in folders(self.root) if self._layout(name).marker.exists())

    # -- using, extending and removing them --------------------------------------------------------

    def sidecar(
        self, interpreter: Interpreter, on_progress: ProgressCallback | None = None
    ) -> Path | None:
        """Return the folder that holds pyzmq for this Python, None when it has its own.

        Raises:
            EnvironmentBuildError: It is not there yet, and can't be installed.
        """
        from wetlands.environments.sidecar import ensure_sidecar

        with self._reporter(interpreter.abi, on_progress) as reporter:
            return ensure_sidecar(self.root / "sidecar", interpreter, reporter)

    def lease(self, name: str) -> Lease | None:
        """Keep a created environment from being replaced or deleted; None for an adopted one.

        Raises:
            EnvironmentNotFoundError: It was deleted meanwhile.
            EnvironmentConflictError: It was replaced meanwhile.
            EnvironmentInUseError: It is being replaced or deleted right now.
        """
        from wetlands.environments.claims import take_lease

        with self._guard:
            if name in self._given and self._given[name] is None:
                return None
        layout = self._layout(check_name(name))
        try:
            lease = take_lease(layout)
        except FileNotFoundError:
            raise self._not_found(name) from None
        try:
            self._check_unchanged(name)
        except BaseException:
            lease.close()
            raise
        return lease

    def activated(self, prefix: Prefix, environ: Mapping[str, str]) -> dict[str, str]:
        """Return environment variables as activating an environment leaves them, and not the one
        that the host runs in.

        Args:
            prefix: The environment.
            environ: The variables before, with its programs first on ``PATH``.

        Raises:
            WorkerStartError: Its activation scripts could not be run.
        """
        from wetlands.environments.conda.activation import switched

        python = prefix.interpreter.executable
        folder = self.root / "activations"
        return switched(prefix.path, environ, python, folder, prefix.variables)

    def install(
        self,
        prefix: Prefix,
        dependencies: Mapping[str, Any],
        on_progress: ProgressCallback | None = None,
    ) -> list[str]:
        """Install more packages into an environment, whether workers run in it or not.

        Returns:
            The lines that the installer wrote.

        Raises:
            ConfigurationError: The dependencies can't be right, or name a Python.
            EnvironmentBuildError: They can't be installed.
        """
        from wetlands.environments.claims import building
        from wetlands.environments.disk import explained
        from wetlands.environments.extension import extend, log_elsewhere, parse_additions
        from wetlands.environments.layout import Layout
        from wetlands.environments.workspace import Workspace

        recipe = parse_additions(dependencies)
        with self._reporter(prefix.name, on_progress) as reporter:
            if not prefix.managed:
                with log_elsewhere() as folder:
                    return extend(Workspace(Layout(folder), reporter), prefix, recipe, self.root)
            layout = self._layout(prefix.name)
            with building(layout, reporter) as lock:
                self._check_unchanged(prefix.name)
                with explained("write to", layout.folder):
                    return extend(Workspace(layout, reporter, [lock]), prefix, recipe, self.root)

    def delete(self, prefix: Prefix) -> None:
        """Remove a created environment completely, with its lock and its log.

        Raises:
            ConfigurationError: It was adopted, and is not ours to remove.
            EnvironmentInUseError: It is in use, or being built, by any process.
        """
        from wetlands.environments.removal import remove

        if not prefix.managed:
            raise ConfigurationError(
                f"environment {prefix.name!r} was loaded from {str(prefix.path)!r}, not created "
                "here: remove it with the tool that made it"
            )
        layout = self._layout(prefix.name)
        if layout.folder.exists():
            remove(layout)

    @property
    def upkeep(self) -> Upkeep:
        """What becomes of environments after they were made."""
        from wetlands.environments.upkeep.face import Upkeep

        return Upkeep(self.root, bar=self._bar)

    # -- inside ------------------------------------------------------------------------------------

    def _check_unchanged(self, name: str) -> None:
        from wetlands.environments import records

        record = records.read_record(self._layout(name))
        if record is None:
            raise self._not_found(name)
        with self._guard:
            given = self._given.get(name)
        if given is not None and given != record.key:
            raise EnvironmentConflictError(
                f"environment {name!r} was replaced by another process since it was created or "
                "loaded here: create it or load it again"
            )

    def _not_found(self, name: str) -> EnvironmentNotFoundError:
        known = ", ".join(map(repr, self.names())) or "none yet"
        return EnvironmentNotFoundError(
            f"there is no environment {name!r} in {str(self.root)!r}: those created there are "
            f"{known}; create it, or give load() the path of an existing one"
        )

    def _remember(self, prefix: Prefix) -> Prefix:
        from wetlands.environments.upkeep.last_use import note_use

        note_use(self._layout(prefix.name))
        with self._guard:
            self._given[prefix.name] = prefix.key
        return prefix

    def _layout(self, name: str) -> Layout:
        from wetlands.environments.layout import Layout

        return Layout(self.root / "envs" / name)

    @property
    def _cache(self) -> Path:
        return self.root / "interpreters"

    def _reporter(
        self,
        name: str,
        on_progress: ProgressCallback | None,
        cancellation: Cancellation | None = None,
    ) -> Reporter:
        from wetlands.environments.progress import Reporter

        return Reporter(name, on_progress, bar=self._bar, cancellation=cancellation)
