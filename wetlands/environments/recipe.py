"""What an environment is made of, as the user asked for it.

A `Recipe` is plain data in canonical form: two spellings of one wish are equal, so the order of a
list, spaces in a requirement or ``"3.10"`` against ``"==3.10.*"`` never make another environment.
Parsing touches nothing outside its argument; what lies on disk (local packages, config files)
enters in `identity`, from which the key is computed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from wetlands.activation import Commands, for_this_system
from wetlands.environments import entries
from wetlands.environments.local_sources import ConfigFile, LocalPackage
from wetlands.environments.masking import mask
from wetlands.environments.python_request import parse_python
from wetlands.errors import ConfigurationError

if TYPE_CHECKING:
    from wetlands.environments.locks.lock import Lock

# Enters every key: raise it when the same recipe must give another prefix than before.
LAYOUT = 1


class Dependency(TypedDict, total=False):
    """A requirement with options.

    ``name`` is a PEP 508 requirement, ``platforms`` the only ones where it is wanted
    (``"linux-64"``, ``"osx-arm64"``, ``"win-64"``, ...), ``optional`` skips it silently elsewhere,
    and ``dependencies=False`` installs it without what it depends on.
    """

    name: str
    platforms: Sequence[str]
    optional: bool
    dependencies: bool


class Local(TypedDict, total=False):
    """A package in a folder of this machine; ``editable`` (the default) installs a link to it."""

    name: str
    path: str | os.PathLike[str]
    editable: bool


class Dependencies(TypedDict, total=False):
    """What ``create()`` takes: every key may be left out."""

    python: str
    pip: Sequence[str | Dependency]
    local: Sequence[Local]
    conda: Sequence[str | Dependency]
    channels: Sequence[str]


KEYS = tuple(sorted(Dependencies.__annotations__))


class Recipe(NamedTuple):
    """Everything that decides what lies in a prefix.

    Attributes:
        python: Canonical version specifier; empty when any Python will do.
        pip: Requirements, sorted; ``no_deps`` those to install without their dependencies.
        local: Packages from folders of this machine.
        conda: Conda packages, as match specs, python itself left out; ``conda_alone`` those to
            install without what they depend on.
        channels: Conda channels, in order of priority.
        commands: Shell lines to run in the environment after installation.
        variables: Environment variables, with their values, for whatever runs in it.
        config: A file that is handed to the installer as it is.
        lock: What exactly is installed, where that is known already; the requirements above were
            checked against it then, and only ``local`` is installed beside it.
    """

    python: str = ""
    pip: tuple[str, ...] = ()
    no_deps: tuple[str, ...] = ()
    local: tuple[LocalPackage, ...] = ()
    conda: tuple[str, ...] = ()
    conda_alone: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    config: ConfigFile | None = None
    lock: Lock | None = None

    @property
    def is_conda(self) -> bool:
        """Whether it is for a Conda environment, and not for a venv."""
        return bool(self.conda or self.conda_alone or (self.lock and self.lock.kind == "conda"))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to install, Conda packages aside."""
        if self.lock:
            return not (self.local or self.lock.has_pip_part)
        return not (self.pip or self.no_deps or self.local or self.config)


def parse_recipe(
    dependencies: Mapping[str, Any] | None,
    commands: Commands | None = None,
    *,
    platform: str | None = None,
) -> Recipe:
    """Check what the user wrote and bring it into canonical form.

    Args:
        dependencies: What ``create()`` takes.
        commands: Shell lines to run in the environment after installation.
        platform: For which platform; this machine's by default.

    Raises:
        ConfigurationError: A key, a type or an entry is wrong; names it and what to write.
    """
    given = _check_mapping(dependencies)
    wanted = platform or entries.this_platform()
    pip, no_deps = entries.parse_pip(given.get("pip"), wanted)
    python, conda, alone = entries.parse_conda(given.get("conda"), "dependencies['conda']", wanted)
    request = parse_python(given.get("python")) or parse_python(python or None)
    return Recipe(
        python=request,
        pip=pip,
        no_deps=no_deps,
        local=entries.parse_local(given.get("local")),
        conda=conda,
        conda_alone=alone,
        channels=tuple(entries.strings(given.get("channels"), "dependencies['channels']")),
        commands=parse_commands(commands),
    )


def _check_mapping(dependencies: object) -> Mapping[str, Any]:
    if dependencies is None:
        return {}
    if not isinstance(dependencies, Mapping):
        raise ConfigurationError(
            f"dependencies must be a dict such as {{'python': '3.11', 'pip': ['numpy']}}, "
            f"not {type(dependencies).__name__}"
        )
    for key in dependencies:
        if key not in KEYS:
            raise ConfigurationError(
                f"dependencies has the unknown key {key!r}: the keys are {', '.join(KEYS)}"
            )
    return dependencies


def parse_commands(commands: Commands | None) -> tuple[str, ...]:
    """Return the shell lines that apply to this operating system, those for all first.

    Raises:
        ConfigurationError: They are no lists of strings, or are keyed by something else.
    """
    if not isinstance(commands, Mapping):
        entries.strings(commands, "additional_install_commands")
    return tuple(for_this_system(commands))


def identity(recipe: Recipe) -> dict[str, Any]:
    """Return what makes this recipe itself, as JSON values without credentials.

    Reads local packages and config files: their content is a part of it, where they lie is not,
    except for an editable package, which is a link to its folder.
    """
    description: dict[str, Any] = {
        "layout": LAYOUT,
        "platform": f"{sys.platform}-{entries.machine()}",
        "local": [package.identity() for package in recipe.local],
        "commands": recipe.commands,
        **({"variables": dict(recipe.variables)} if recipe.variables else {}),
        **(_locked(recipe.lock) if recipe.lock else _open(recipe)),
    }
    masked: dict[str, Any] = json.loads(mask(json.dumps(description)))
    return masked


def _locked(lock: Lock) -> dict[str, Any]:
    # What was asked for led to the lock, or was checked against it, and says nothing more.
    return {"lock": lock.digest}


def _open(recipe: Recipe) -> dict[str, Any]:
    return {
        "python": recipe.python,
        "pip": recipe.pip,
        "pip without dependencies": recipe.no_deps,
        "conda": recipe.conda,
        **({"conda without dependencies": recipe.conda_alone} if recipe.conda_alone else {}),
        "channels": recipe.channels,
        "config": recipe.config.identity() if recipe.config else None,
    }


def key_of(description: Mapping[str, Any]) -> str:
    """Return the key of an identity: 16 hexadecimal digits."""
    import hashlib

    canonical = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one line for each part in which two identities differ."""
    parts = sorted({*old, *new})
    return [
        f"{part}: {_show(old.get(part))} -> {_show(new.get(part))}"
        for part in parts
        if old.get(part) != new.get(part)
    ]


def _show(value: object) -> str:
    return json.dumps(value) if value else "(none)"
