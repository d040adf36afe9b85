"""Recipes from ``pyproject.toml``."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wetlands.environments.entries import canonical_name
from wetlands.environments.local_sources import METADATA_FILES, ConfigFile, LocalPackage
from wetlands.environments.python_request import parse_python
from wetlands.environments.recipe import Recipe
from wetlands.errors import ConfigurationError


def read_project(file: Path, wanted: Sequence[str], install_project: bool) -> Recipe:
    """Return what a project needs to run.

    Raises:
        ConfigurationError: There is no ``[project]`` in it, or no such extra or group.
    """
    content = load_toml(file)
    project = _table(content, "project")
    if not project.get("name"):
        raise ConfigurationError(
            f"{str(file)!r} has no [project] table with a name: write one (PEP 621), or give the "
            "dependencies to create()"
        )
    extras, groups = _sort_out(file, content, wanted)
    config = ConfigFile("project", str(file), extras, groups, _deciding(file, content))
    return Recipe(
        python=parse_python(project.get("requires-python")),
        local=_itself(file, project["name"], extras) if install_project else (),
        config=config,
    )


def _itself(file: Path, name: str, extras: Sequence[str]) -> tuple[LocalPackage, ...]:
    label = f"{name}[{','.join(extras)}]" if extras else name
    return (LocalPackage.at(label, file.parent, editable=False),)


def _sort_out(
    file: Path, content: Mapping[str, Any], wanted: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    project = _table(content, "project")
    # Extras that a build computes can't be known here: the installer will say if they don't exist.
    dynamic = "optional-dependencies" in project.get("dynamic", ())
    extras = {canonical_name(name) for name in _table(project, "optional-dependencies")}
    groups = {canonical_name(name) for name in _table(content, "dependency-groups")}
    names = [canonical_name(name) for name in wanted]
    for name in names:
        if name not in extras | groups and not dynamic:
            known = ", ".join(sorted(extras | groups)) or "none"
            raise ConfigurationError(
                f"{str(file)!r} has no optional dependencies {name!r}: those it has are {known}"
            )
    chosen = tuple(name for name in names if name in extras or name not in groups)
    return chosen, tuple(name for name in names if name not in chosen)


def _deciding(file: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what in a project's files decides what it needs: not its linter's options."""
    project = _table(content, "project")
    if {"dependencies", "optional-dependencies"} & set(project.get("dynamic", ())):
        files = (file.parent / name for name in METADATA_FILES)
        return tuple(path.read_text(encoding="utf-8") for path in files if path.is_file())
    keys = ("dependencies", "optional-dependencies", "requires-python")
    parts = {key: project.get(key) for key in keys}
    parts["groups"] = content.get("dependency-groups")
    parts["uv"] = _table(_table(content, "tool"), "uv")
    return (json.dumps(parts, sort_keys=True, default=str),)


def load_toml(file: Path) -> Mapping[str, Any]:
    """Return the content of a TOML file.

    Raises:
        ConfigurationError: It is none.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{str(file)!r} is no valid TOML: {error}") from error
    return parse_toml(text, repr(str(file)))


def parse_toml(text: str, place: str) -> Mapping[str, Any]:
    """Return the content of TOML text; ``place`` says where it came from.

    Raises:
        ConfigurationError: It is none.
    """
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        content: Mapping[str, Any] = parser.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{place} is no valid TOML: {error}") from error
    return content


def _table(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key, {})
    return value if isinstance(value, Mapping) else {}
