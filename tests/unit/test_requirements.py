"""The extra `test` names all that the tests import, so that a fresh environment can run them."""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.imports import ROOT, imports

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
#: What pytest imports to find the tests; the others are run in environments of their own.
COLLECTED = sorted(
    path
    for pattern in ("test_*.py", "conftest.py", "support/**/*.py")
    for path in (ROOT / "tests").rglob(pattern)
)


def names_of(requirements: list[str]) -> set[str]:
    """Return the distributions that requirements name, those of our own extras included."""
    found = set()
    for requirement in map(Requirement, requirements):
        if requirement.name == PROJECT["name"]:
            for extra in requirement.extras:
                found |= names_of(PROJECT["optional-dependencies"][extra])
        else:
            found.add(canonicalize_name(requirement.name))
    return found


def is_ours(module: str, path: Path) -> bool:
    """Say whether a module is in the repository, and where the file that imports it finds it."""
    places = (ROOT, ROOT / "examples", path.parent)
    return any((at / module).is_dir() or (at / f"{module}.py").is_file() for at in places)


def test_names_of_the_extras_include_those_of_extras_in_them() -> None:
    assert names_of(PROJECT["optional-dependencies"]["test"]) >= {"pytest", "py-rattler"}


def test_the_tests_import_what_their_extra_names() -> None:
    named = names_of(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"])
    providers = packages_distributions()
    missing = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in COLLECTED
        for name in {module.partition(".")[0] for module in imports(path, at_import=True)}
        if name not in sys.stdlib_module_names and not is_ours(name, path)
        if not named & set(map(canonicalize_name, [name, *providers.get(name, ())]))
    }
    assert missing == set()
