"""One root for the session, so that pyzmq and what interpreters say are fetched once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for uv: what is edited in an environment is edited there, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", str(tmp_path_factory.mktemp("uv-cache")))
        yield
