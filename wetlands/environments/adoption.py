"""Environments that others made: a prefix or an interpreter anywhere, used as it is."""

from __future__ import annotations

import os
from pathlib import Path

from wetlands.environments.interpreters import OLDEST, in_prefix
from wetlands.environments.prefix import Prefix
from wetlands.environments.probing import probe
from wetlands.errors import ConfigurationError, EnvironmentNotFoundError

_MANIFESTS = ("pixi.toml", "pyproject.toml")
_PIXI = Path(".pixi", "envs", "default")


def adopt(name: str, path: str | os.PathLike[str], cache: Path) -> Prefix:
    """Return the environment that a path names.

    Args:
        name: What to call it.
        path: A prefix (venv, Conda environment, installation), its Python, or the manifest or the
            folder of a pixi project, whose default environment is meant.
        cache: Where the answers of interpreters are kept.

    Raises:
        EnvironmentNotFoundError: There is nothing at this path, or no Python in it.
        ConfigurationError: What is there is no Python, or one that is too old for workers.
    """
    interpreter = probe(_python_at(name, path), cache=cache)
    if interpreter.version < OLDEST:
        raise ConfigurationError(
            f"environment {name!r}: {interpreter.describe()} is too old, workers need Python "
            f"{OLDEST[0]}.{OLDEST[1]} or newer"
        )
    return Prefix(name, interpreter.prefix, interpreter, managed=False)


def _python_at(name: str, path: object) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(
            f"environment {name!r}: path must be a str or a Path, not {type(path).__name__}"
        )
    place = Path(os.path.abspath(Path(os.fsdecode(path)).expanduser()))
    if place.name in _MANIFESTS and place.is_file():
        place = place.parent / _PIXI
    elif (place / _MANIFESTS[0]).is_file():
        place = place / _PIXI
    if place.is_dir():
        python = next(in_prefix(place), None)
        if python is None:
            raise EnvironmentNotFoundError(
                f"environment {name!r}: there is no Python in {str(place)!r}; give the folder that "
                "has bin/python (python.exe or Scripts\\python.exe on Windows), or that file"
            )
        return python
    if not place.exists():
        raise EnvironmentNotFoundError(f"environment {name!r}: there is nothing at {str(place)!r}")
    return place
