"""An environment as packages on disk: what lies in it, and how to change and mend it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetlands import activation
from wetlands.activation import Commands
from wetlands.errors import EnvironmentBuildError

if TYPE_CHECKING:
    import subprocess

    from wetlands.environments.locks.lock import Lock
    from wetlands.environments.probing import Interpreter
    from wetlands.environments.progress import ProgressCallback
    from wetlands.environments.registry import Prefix, Registry
    from wetlands.environments.upkeep.inventory import InstalledPackage
    from wetlands.environments.upkeep.verification import Verification


class InstalledEnvironment:
    """A Python with packages, in a folder. Safe to use from any thread."""

    def __init__(self, prefix: Prefix, registry: Registry) -> None:
        self._prefix = prefix
        self._registry = registry

    @property
    def name(self) -> str:
        """The name that it was created or loaded under."""
        return self._prefix.name

    @property
    def path(self) -> Path:
        """The folder in which its Python and packages lie."""
        return self._prefix.path

    @property
    def interpreter(self) -> Interpreter:
        """Its Python."""
        return self._prefix.interpreter

    def install(
        self, dependencies: Mapping[str, Any], additional_install_commands: Commands | None = None
    ) -> list[str]:
        """Install further packages; return what the installer said, line by line.

        Workers that run already keep what they have imported.

        Raises:
            EnvironmentBuildError: Installing failed.
        """
        lines = self._registry.install(self._prefix, dependencies)
        if additional_install_commands:
            import subprocess

            process = self.execute_commands(
                additional_install_commands,
                popen_kwargs={"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
            )
            output = process.communicate()[0].decode(errors="replace")
            if process.returncode != 0:
                raise EnvironmentBuildError(
                    f"additional_install_commands {additional_install_commands!r} failed with "
                    f"status {process.returncode} in environment {self.name!r}:\n{output}",
                    command=[str(process.args)],
                    returncode=process.returncode,
                    log_tail=output,
                )
            lines += output.splitlines()
        return lines

    def execute_commands(
        self,
        commands: Commands,
        additional_activate_commands: Commands | None = None,
        popen_kwargs: Mapping[str, Any] | None = None,
        wait: bool = False,
    ) -> subprocess.Popen[Any]:
        """Run shell commands with the environment's programs first on PATH.

        Args:
            commands: A list of commands, or lists for "all", "linux", "mac" and "windows".
            additional_activate_commands: Commands to run before, in the same shell.
            popen_kwargs: Options of `subprocess.Popen`.
            wait: Whether to wait for their end.

        Returns:
            The shell's process; the first command that fails ends it.

        Raises:
            ConfigurationError: The commands are no lists of strings.
        """
        import subprocess

        lines = activation.for_this_system(additional_activate_commands)
        lines += activation.for_this_system(commands)
        options: dict[str, Any] = {"env": self._base_environ(), **(popen_kwargs or {})}
        process = subprocess.Popen([*activation.shell(), "\n".join(["set -e", *lines])], **options)
        if wait:
            process.wait()
        return process

    def packages(self) -> list[InstalledPackage]:
        """Return the packages that lie in it: name, version, kind, source, size; sorted by name.

        Read from the files that packages leave, whoever installed them; nothing is run.
        """
        return self._registry.upkeep.packages(self._prefix)

    def verify(self) -> Verification:
        """Compare every file with what its package says of it; return what does not match.

        Compiled bytecode is passed over. Of an environment that was loaded by path, files that
        belong to no package are untracked.
        """
        return self._registry.upkeep.verify(self._prefix)

    def repair(self, on_progress: ProgressCallback | None = None) -> Verification:
        """Build it anew from its lock if a file is missing or changed; return what was found.

        What was installed later, by `install`, is gone then.

        Args:
            on_progress: As for `EnvironmentManager.create`.

        Raises:
            EnvironmentInUseError: Workers of some process run in it.
            ConfigurationError: It was loaded by path, and is not ours to change.
            EnvironmentBuildError: A package can't be fetched.
        """
        return self._registry.upkeep.repair(self._prefix, on_progress)

    def lock(self) -> Lock:
        """Return the lock that gives this environment, as it is now.

        Raises:
            EnvironmentBuildError: What was installed later is not on the package index.
        """
        return self._registry.upkeep.lock(self._prefix)

    def export(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return it as the text of a file for others, and write that file if a path is given.

        Args:
            path: Of an ``environment.yml`` (any ``.yml`` or ``.yaml``), with names and versions,
                or of a lock (``pylock.toml``), with every file and its hash. None: the text of
                an ``environment.yml``, which is not written.

        Raises:
            ConfigurationError: No such file is called like that.
            EnvironmentBuildError: As for `lock`.
            ProvisioningError: The file can't be written.
        """
        return self._registry.upkeep.export(self._prefix, path)

    def _base_environ(self) -> dict[str, str]:
        from wetlands.runtime.launcher import base_environ

        environ = base_environ(self.path, self.interpreter.executable)
        return self._registry.activated(self._prefix, environ)

    def _place(self) -> str:
        version = ".".join(str(part) for part in self.interpreter.version)
        return f"environment {self.name!r} (Python {version})"
