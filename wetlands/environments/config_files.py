"""Recipes from the files that projects have.

A file in a format of the installer is handed to it as it is: requirement files know nested files,
constraints, hashes, markers, options and paths, and reading them halfway would silently install
something else. We read them only as far as the key needs: which lines decide the outcome.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wetlands.activation import Commands
from wetlands.environments import entries
from wetlands.environments.conda.pixi_files import has_pixi, read_pixi
from wetlands.environments.locks.agreement import locked
from wetlands.environments.locks.formats import is_lock
from wetlands.environments.locks.lock import Lock
from wetlands.environments.project_files import read_project
from wetlands.environments.python_request import parse_python
from wetlands.environments.recipe import Recipe, parse_commands
from wetlands.environments.requirement_files import inline_requirements, read_requirements
from wetlands.errors import ConfigurationError

SUPPORTED = (
    "requirements.txt, pyproject.toml, pixi.toml, environment.yml, pylock.toml, conda-lock.yml, "
    "pixi.lock"
)


def read_config(
    path: str | os.PathLike[str],
    *,
    optional_dependencies: Sequence[str] | None = None,
    install_project: bool = False,
    commands: Commands | None = None,
) -> Recipe:
    """Return the recipe that a file describes.

    Args:
        path: A requirements file (any ``.txt`` or ``.in``), ``pyproject.toml``, ``pixi.toml``,
            ``environment.yml`` (any ``.yml`` or ``.yaml``), or a lock: ``pylock.toml``,
            ``pylock.<name>.toml``, ``conda-lock.yml``, ``<name>.conda-lock.yml``, ``pixi.lock``.
        optional_dependencies: Extras or dependency groups of a ``pyproject.toml``; features or
            environments of pixi.
        install_project: Install the project of a ``pyproject.toml`` too, not only what it needs.
        commands: Shell lines to run in the environment after installation.

    Raises:
        ConfigurationError: There is no such file, its kind is unknown, or its content is wrong.
    """
    file = _check_path(path)
    wanted = tuple(sorted(set(entries.strings(optional_dependencies, "optional_dependencies"))))
    kind = _kind(file)
    if kind not in ("project", "pixi") and (wanted or install_project):
        raise ConfigurationError(
            f"{file.name} has no optional dependencies and is no project: optional_dependencies "
            "and install_project go with a pyproject.toml or a pixi.toml"
        )
    if kind == "project":
        recipe = read_project(file, wanted, install_project)
    elif kind == "pixi":
        recipe = read_pixi(file, wanted, install_project)
    elif kind == "lock":
        recipe = locked(Recipe(), Lock.read(file))
    elif kind == "requirements":
        recipe = Recipe(config=read_requirements(file))
    else:
        recipe = _read_environment(file)
    return recipe._replace(commands=parse_commands(commands))


def _check_path(path: object) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(f"a config file is given by its path, not {type(path).__name__}")
    file = Path(os.fsdecode(path)).expanduser().absolute()
    if not file.is_file():
        raise ConfigurationError(f"there is no config file {str(file)!r}")
    return file


def _kind(file: Path) -> str:
    if file.name == "pyproject.toml":
        return "pixi" if has_pixi(file) else "project"
    if file.name == "pixi.toml":
        return "pixi"
    if is_lock(file):
        return "lock"
    if file.suffix in (".txt", ".in"):
        return "requirements"
    if file.suffix in (".yml", ".yaml"):
        return "environment"
    raise ConfigurationError(
        f"{file.name} is no config file that can be read: the supported ones are {SUPPORTED}"
    )


def _read_environment(file: Path) -> Recipe:
    content = _load_yaml(file)
    conda, pip = _split(entries.items(content.get("dependencies"), f"{file.name}: dependencies"))
    python, packages, alone = entries.parse_conda(
        conda, f"{file.name}: dependencies", entries.this_platform()
    )
    return Recipe(
        python=parse_python(python or None),
        conda=packages,
        conda_alone=alone,
        channels=tuple(entries.strings(content.get("channels"), f"{file.name}: channels")),
        config=inline_requirements(file, entries.strings(pip, f"{file.name}: pip")),
        variables=_variables(content.get("variables"), f"{file.name}: variables"),
    )


def _variables(value: object, label: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{label} must map names to values, and is {value!r}")
    for name, content in value.items():
        if not isinstance(name, str) or not name or "=" in name:
            raise ConfigurationError(f"{label} has {name!r}, which is no name of a variable")
        if isinstance(content, bool) or not isinstance(content, (str, int, float)):
            raise ConfigurationError(  # without the value: it may be a secret
                f"{label} has a value of type {type(content).__name__} for {name!r}: write it as "
                "text, in quotes"
            )
    return tuple(sorted((name, str(content)) for name, content in value.items()))


def _load_yaml(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{str(file)!r} is no valid YAML: {error}") from error
    if not isinstance(content, Mapping) or "dependencies" not in content:
        raise ConfigurationError(f"{str(file)!r} has no 'dependencies' list")
    return content


def _split(listed: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    conda: list[Any] = []
    pip: list[Any] = []
    for entry in listed:
        if isinstance(entry, Mapping) and set(entry) == {"pip"}:
            pip.extend(entries.items(entry["pip"], "dependencies: pip"))
        else:
            conda.append(entry)
    return conda, pip
