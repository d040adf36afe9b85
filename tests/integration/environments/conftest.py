"""One root for the session, so that pyzmq and what interpreters say are fetched once."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wetlands.environments.interpreters import Interpreter, find_interpreters
from wetlands.environments.prefix import Prefix
from wetlands.environments.recipe import parse_recipe
from wetlands.environments.registry import Registry

Create = Callable[..., Prefix]

_numbers = itertools.count()


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a space in its path, because users have such."""
    return tmp_path_factory.mktemp("the root")


@pytest.fixture
def registry(shared_root: Path) -> Registry:
    """A registry of the shared root."""
    return Registry(shared_root)


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"env-{next(_numbers)}"


@pytest.fixture
def create(registry: Registry, name: str) -> Create:
    """Create an environment of the test's name from dependencies."""

    def make(dependencies: dict[str, Any] | None = None, **options: Any) -> Prefix:
        recipe = parse_recipe(dependencies, options.pop("commands", None))
        return registry.ensure(name, recipe, **options)

    return make


@pytest.fixture(scope="session")
def pythons(shared_root: Path) -> dict[tuple[int, int], Interpreter]:
    """The Pythons of this machine, by minor version."""
    found = find_interpreters(cache=shared_root / "interpreters")
    return {python.version[:2]: python for python in reversed(found)}


@pytest.fixture
def python_of(pythons: dict[tuple[int, int], Interpreter]) -> Callable[[str], Interpreter]:
    """Return the Python of a minor version, or skip the test."""

    def find(minor: str) -> Interpreter:
        major, _, rest = minor.partition(".")
        found = pythons.get((int(major), int(rest)))
        if found is None:
            pytest.skip(f"there is no Python {minor} on this machine")
        return found

    return find


def run_in(prefix: Prefix, program: str) -> str:
    """Return what a program prints in an environment."""
    command = [str(prefix.interpreter.executable), "-I", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def packages_of(prefix: Prefix) -> dict[str, str]:
    """Return the packages of an environment, with their versions."""
    import json

    command = [sys.executable, "-m", "uv", "pip", "list", "--format", "json"]
    command += ["--python", str(prefix.interpreter.executable)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {package["name"]: package["version"] for package in json.loads(output)}


def local_package(folder: Path, name: str = "mine", value: int = 1) -> Path:
    """Write a package with one dependency, one extra, and a small build backend."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        f"""
[build-system]
requires = ["flit_core>=3.9"]
build-backend = "flit_core.buildapi"
[project]
name = "{name}"
version = "1.0"
description = "x"
requires-python = ">=3.8"
dependencies = ["six"]
[project.optional-dependencies]
fast = ["tomli"]
[dependency-groups]
test = ["packaging"]
"""
    )
    (folder / f"{name}.py").write_text(f"value = {value}\n")
    return folder
