"""`OpenEnvironments`: those of one root that are open here, and what one can do with all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from wetlands.activation import Commands
from wetlands.environment import Environment
from wetlands.environments.disk import make_folder
from wetlands.environments.registry import Prefix, Registry
from wetlands.errors import EnvironmentConflictError

if TYPE_CHECKING:
    import subprocess

    from wetlands.environments.upkeep.pruning import Pruned
    from wetlands.environments.upkeep.usage import DiskUsage

Own = TypeVar("Own", bound="OpenEnvironments")


class OpenEnvironments:
    """The environments of one root; see `EnvironmentManager`, which is one of these.

    Args:
        root: The folder of all environments; it is made if it is not there.
        progress: Whether a progress bar may be drawn while one is made.
    """

    def __init__(self, root: Path, progress: bool) -> None:
        self.root = root
        make_folder(root)
        self.environments: dict[str, Environment] = {}
        self._registry = Registry(root, bar=progress)
        self._prefixes: dict[str, Prefix] = {}
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.root)!r}, {len(self.environments)} open>"

    def environment_exists(self, name: str) -> bool:
        """Tell whether an environment of this name lies under the root, ready to be loaded."""
        return name in self._registry.names()

    def prune(self, unused_days: float = 30, *, trial: bool = False) -> Pruned:
        """Remove environments that nobody used for a while, and caches that none needs.

        Environments in which workers run, of whatever process, and those that are just built stay.
        An environment counts as used when it is created again, loaded, launched or exited.

        Args:
            unused_days: For how many days nobody must have used it; 0 for all that are not in use.
            trial: Remove nothing, and only say what would be removed.

        Raises:
            ConfigurationError: The number can't be right.
            ProvisioningError: Something can't be removed.
        """
        return self._registry.upkeep.prune(unused_days, trial=trial)

    def disk_usage(self) -> DiskUsage:
        """Return how much space the root takes: all of it, each environment, each cache.

        A file with several names, as most have that environments share, is counted once.
        """
        return self._registry.upkeep.disk_usage()

    # -- using them --------------------------------------------------------------------------------

    def install(
        self,
        environment: Environment,
        dependencies: Mapping[str, Any],
        additional_install_commands: Commands | None = None,
    ) -> list[str]:
        """Install more packages into an environment: the same as its own ``install()``."""
        return environment.install(dependencies, additional_install_commands)

    def execute_commands(
        self,
        environment: Environment,
        commands: Commands,
        additional_activate_commands: Commands | None = None,
        popen_kwargs: Mapping[str, Any] | None = None,
        wait: bool = False,
    ) -> subprocess.Popen[Any]:
        """Run shell commands in an environment: the same as its own ``execute_commands()``."""
        return environment.execute_commands(
            commands, additional_activate_commands, popen_kwargs, wait
        )

    def exit(self) -> None:
        """End the workers of every environment; the environments stay on disk.

        Does nothing the second time. The manager may be used again.

        Raises:
            Exception: What the first environment that failed to exit raised, after all others
                were exited.
        """
        with self._lock:
            opened = list(self.environments.values())
        failure: BaseException | None = None
        for environment in opened:
            try:
                environment.exit()
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.exit()

    # -- inside ------------------------------------------------------------------------------------

    def _open(self, find: Callable[[], Prefix]) -> Environment:
        prefix = find()
        with self._lock:
            known = self._prefixes.get(prefix.name)
            if known is not None and _same(known, prefix):
                return self.environments[prefix.name]
            if known is not None and not (known.managed and prefix.managed):
                raise _already_open(known)
            # An open one without workers was replaced under its object: that object is of no use.
            environment = Environment(prefix, self._registry, on_exit=self._forget)
            self.environments[prefix.name] = environment
            self._prefixes[prefix.name] = prefix
            return environment

    def _refuse_other(self, name: str, *, managed: bool) -> None:
        """Refuse early what `_open` would refuse after a build."""
        with self._lock:
            known = self._prefixes.get(name)
        if known is not None and known.managed is not managed:
            raise _already_open(known)

    def _forget(self, environment: Environment) -> None:
        with self._lock:
            if self.environments.get(environment.name) is environment:
                del self.environments[environment.name]
                del self._prefixes[environment.name]


def _same(known: Prefix, prefix: Prefix) -> bool:
    return (known.path, known.key, known.managed) == (prefix.path, prefix.key, prefix.managed)


def _already_open(known: Prefix) -> EnvironmentConflictError:
    return EnvironmentConflictError(
        f"environment {known.name!r} is open already, from {str(known.path)!r}: exit that one "
        "first, or use another name"
    )
