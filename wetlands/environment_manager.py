"""`EnvironmentManager`: where environments come from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetlands.activation import Commands
from wetlands.environment import Environment
from wetlands.errors import ConfigurationError
from wetlands.opened import OpenEnvironments

if TYPE_CHECKING:
    from wetlands.environments.cancellation import Cancellation
    from wetlands.environments.locks.lock import Lock
    from wetlands.environments.progress import ProgressCallback
    from wetlands.environments.recipe import Dependencies, Recipe

PathLike = str | os.PathLike[str]


class EnvironmentManager(OpenEnvironments):
    """Creates, finds and loads environments; at the end it ends all their workers.

    Environments lie under a root and stay there: the next run finds them again in milliseconds. Any
    number of managers, in any number of processes, may share a root. As a context manager it exits
    at the end. Safe to use from any thread.

    Args:
        root: The folder of all environments; by default the user's data folder. It is made if it
            is not there. Nothing else happens before it is needed.
        wetlands_instance_path: An older name of ``root``.
        progress: Draw a progress bar while an environment is made, if stderr is a terminal.

    Attributes:
        root: The folder, absolute.
        environments: The environments that were created or loaded here and not exited, by name.

    Raises:
        ConfigurationError: An option can't be right.
        ProvisioningError: The root can't be made.
    """

    def __init__(
        self,
        root: PathLike | None = None,
        *,
        wetlands_instance_path: PathLike | None = None,
        progress: bool = True,
    ) -> None:
        super().__init__(_root(root, wetlands_instance_path), progress)

    # -- getting environments ----------------------------------------------------------------------

    def create(
        self,
        name: str,
        dependencies: Dependencies | Mapping[str, Any] | None = None,
        additional_install_commands: Commands | None = None,
        *,
        lock: Lock | PathLike | None = None,
        replace_existing: bool = False,
        on_progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> Environment:
        """Return the environment of this name, made of these dependencies.

        If it exists, made from the same, it is reused as it is, whichever process made it. Created
        again with what it is made of, an environment that is open here is the same object.

        Args:
            name: Its name, which is also the name of its folder.
            dependencies: ``{"python": "3.10", "pip": ["numpy<2"], "local": [{"name": "mine",
                "path": "/folder", "editable": True}]}``; every key may be left out. Without
                ``python`` the host's own version is used.
            additional_install_commands: Shell commands to run in it after installation: a list, or
                lists for ``"all"``, ``"linux"``, ``"mac"`` and ``"windows"``. A part of the recipe.
            lock: What exactly to install, as `lock` returned it, or the path of such a file. Then
                dependencies may be left out; those given must be met by the lock, and local
                packages among them are installed beside what it lists.
            replace_existing: Build it anew if it was made from something else.
            on_progress: Called with a `ProvisioningEvent` for each step, in this thread. What it
                raises is logged.
            cancellation: With its ``cancel()`` another thread ends the creation.

        Raises:
            ConfigurationError: The name or the dependencies can't be right, or contradict the lock.
            EnvironmentConflictError: It exists, made from something else.
            EnvironmentInUseError: It has to be replaced, and workers run in it.
            InterpreterNotFoundError: No Python here fits.
            EnvironmentBuildError: The dependencies can't be resolved or installed.
            CreationCanceledError: It was canceled; nothing of it is left.
        """
        from wetlands.environments.recipe import parse_recipe

        recipe = parse_recipe(dependencies, additional_install_commands)
        if lock is not None:
            from wetlands.environments.locks.agreement import given_lock, locked

            recipe = locked(recipe, given_lock(lock))
        return self._create(name, recipe, replace_existing, on_progress, cancellation)

    async def create_async(
        self,
        name: str,
        dependencies: Dependencies | Mapping[str, Any] | None = None,
        additional_install_commands: Commands | None = None,
        **options: Any,
    ) -> Environment:
        """Do the same as `create`, in a thread of its own, for asyncio.

        Canceling the task that awaits it cancels the creation, and ends when that has ended.
        ``on_progress`` is called in that thread. Arguments and errors are those of `create`.
        """
        from wetlands.creating import in_a_thread
        from wetlands.environments.cancellation import Cancellation

        cancellation = options.pop("cancellation", None) or Cancellation()
        return await in_a_thread(
            lambda: self.create(
                name, dependencies, additional_install_commands, cancellation=cancellation,
                **options,
            ),
            cancellation,
        )  # fmt: skip

    def create_from_config(
        self,
        name: str,
        path: PathLike | None = None,
        optional_dependencies: Sequence[str] | None = None,
        additional_install_commands: Commands | None = None,
        *,
        config_path: PathLike | None = None,
        install_project: bool = False,
        replace_existing: bool = False,
        on_progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> Environment:
        """Return the environment of this name, made of what a file asks for.

        Args:
            name: As for `create`.
            path: ``requirements.txt``, ``pyproject.toml``, ``pixi.toml``, ``pylock.toml`` or
                ``environment.yml``.
            optional_dependencies: Extras and dependency groups of a ``pyproject.toml``; features
                and environments of pixi.
            additional_install_commands: As for `create`.
            config_path: An older name of ``path``.
            install_project: Install the project of a ``pyproject.toml`` too, and not only what it
                needs.
            replace_existing: As for `create`.
            on_progress: As for `create`.
            cancellation: As for `create`.

        Raises:
            ConfigurationError: The file is not there, can't be read, or is of an unknown kind.
            Otherwise as `create`.
        """
        from wetlands.environments.config_files import read_config

        recipe = read_config(
            _either("path", path, "config_path", config_path),
            optional_dependencies=optional_dependencies,
            install_project=install_project,
            commands=additional_install_commands,
        )
        return self._create(name, recipe, replace_existing, on_progress, cancellation)

    def lock(
        self,
        recipe: Dependencies | Mapping[str, Any] | PathLike | None,
        platforms: Sequence[str] | None = None,
        *,
        on_progress: ProgressCallback | None = None,
    ) -> Lock:
        """Return what a recipe is resolved to, for one platform or several; install nothing.

        Args:
            recipe: As for `create`, or the path of a file as for `create_from_config`.
            platforms: ``"linux-64"``, ``"linux-arm64"``, ``"osx-64"``, ``"osx-arm64"``,
                ``"win-64"``, ``"win-arm64"``; by default this machine's alone.
            on_progress: As for `create`.

        Raises:
            ConfigurationError: The recipe or a platform can't be right.
            InterpreterNotFoundError: No Python here fits.
            EnvironmentBuildError: The recipe can't be resolved for one of the platforms.
        """
        return self._registry.lock(recipe, platforms, on_progress)

    def load(
        self,
        name: str,
        path: PathLike | None = None,
        *,
        environment_path: PathLike | None = None,
    ) -> Environment:
        """Return an environment that exists already.

        Args:
            name: What it was created as under this root, or what to call the one at ``path``.
            path: A venv, a Conda environment (of conda, mamba, micromamba or pixi), a pixi project,
                an installation of Python, or its interpreter: for instance ``sys.executable``, the
                host's own. It is used as it is, and stays its
                owner's: it is never deleted. None: one that was created under this root.
            environment_path: An older name of ``path``.

        Raises:
            EnvironmentNotFoundError: There is none; the message lists those that are known.
            ConfigurationError: The name or the Python found can't be right.
            EnvironmentConflictError: Another environment of this name is open here.
        """
        given = path if path is not None else environment_path
        if path is not None and environment_path is not None:
            raise ConfigurationError("path and environment_path are the same option: give one")
        if given is None:
            self._refuse_other(name, managed=True)
            return self._open(lambda: self._registry.open(name))
        self._refuse_other(name, managed=False)
        return self._open(lambda: self._registry.adopt(name, given))

    # -- inside ------------------------------------------------------------------------------------

    def _create(
        self,
        name: str,
        recipe: Recipe,
        replace_existing: bool,
        on_progress: ProgressCallback | None,
        cancellation: Cancellation | None,
    ) -> Environment:
        # No lock here: a build takes minutes, and the registry lets only one thread do it.
        self._refuse_other(name, managed=True)
        return self._open(
            lambda: self._registry.ensure(
                name, recipe, replace_existing=replace_existing, on_progress=on_progress,
                cancellation=cancellation,
            )
        )  # fmt: skip


def _root(root: PathLike | None, older: PathLike | None) -> Path:
    if root is None and older is None:
        import platformdirs

        return Path(platformdirs.user_data_dir("wetlands", appauthor=False))
    return Path(os.path.abspath(_either("root", root, "wetlands_instance_path", older)))


def _either(name: str, value: PathLike | None, older_name: str, older: PathLike | None) -> Path:
    """Return what was given under one of two names."""
    if value is not None and older is not None:
        raise ConfigurationError(f"{name} and {older_name} are the same option: give one of them")
    given = older if value is None else value
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise ConfigurationError(
            f"{name} must be the path of a file or folder, not {type(given).__name__}: {given!r}"
        )
    return Path(os.fsdecode(given)).expanduser()
