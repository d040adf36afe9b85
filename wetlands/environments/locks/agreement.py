"""Whether a lock is one for a recipe, and the recipe that both together are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from wetlands.environments.conda.specs import split_spec
from wetlands.environments.entries import canonical_name
from wetlands.environments.locks.lock import Lock
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import here
from wetlands.environments.locks.pylock import lowest
from wetlands.environments.python_request import fits, parse_python
from wetlands.environments.recipe import Recipe
from wetlands.errors import ConfigurationError


def given_lock(value: object) -> Lock:
    """Return what was given as a lock: one, or the path of one.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(value, Lock):
        return value
    if isinstance(value, (str, os.PathLike)):
        return Lock.read(value)
    raise ConfigurationError(f"lock must be a Lock or the path of one, not {type(value).__name__}")


def locked(recipe: Recipe, lock: Lock) -> Recipe:
    """Return the recipe that installs what the lock says, here.

    Args:
        recipe: What was asked for beside the lock, if anything: its requirements are checked
            against the lock, its local packages and commands are added to it.
        lock: What to install.

    Raises:
        ConfigurationError: The lock is not for this platform, or the two contradict each other;
            each contradiction is listed.
    """
    lock.check_platform(here().name)
    if faults := [*_python(recipe, lock), *_packages(recipe, lock), *_local(recipe, lock)]:
        raise ConfigurationError(
            "the recipe and the lock contradict each other:"
            + "".join(f"\n  {fault}" for fault in faults)
            + "\nLock the recipe anew with manager.lock(recipe), or leave one of the two out"
        )
    wishes = [wish for wish in (recipe.python, lock.python) if wish]
    return recipe._replace(lock=lock, python=parse_python(",".join(wishes)))


def _python(recipe: Recipe, lock: Lock) -> Iterator[str]:
    if not recipe.python or not lock.python:
        return
    versions = ((3, minor, micro) for minor in range(7, 30) for micro in range(40))
    if not any(fits(recipe.python, each) and fits(lock.python, each) for each in versions):
        yield f"python {recipe.python}: the lock is for {lock.python}"


def _packages(recipe: Recipe, lock: Lock) -> Iterator[str]:
    packages = lock.packages()
    conda = {package.name: package for package in packages if package.kind == "conda"}
    for text in (*recipe.conda, *recipe.conda_alone):
        yield from _conda(text, conda)
    # Conda may be what gives a package that pip's part asks for.
    given = {canonical_name(package.name): package for package in conda.values()}
    found = {**given, **{package.name: package for package in packages if package.kind == "pip"}}
    for text in (*recipe.pip, *recipe.no_deps, *_listed(recipe)):
        yield from _pip(text, found, lowest(lock.python))


def _conda(text: str, found: dict[str, LockedPackage]) -> Iterator[str]:
    """Compare a match spec; the version only if it is written as most are."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    _, name, rest = split_spec(text)
    package = found.get(name)
    if package is None:
        yield f"{text}: the lock does not have it"
        return
    version = re.sub(r"(^|,)\s*=?(?=\d)([\d.]*\d)(\.\*)?", r"\1==\2.*", rest.split(" ")[0])
    try:
        fine = SpecifierSet(version).contains(package.version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return
    if not fine:
        yield f"{text}: the lock has {package.name} {package.version}"


def _listed(recipe: Recipe) -> Iterator[str]:
    """Give the lines of a requirements file; what a project asks for, only its resolver knows."""
    if recipe.config and recipe.config.kind == "requirements":
        yield from recipe.config.content


def _pip(text: str, found: dict[str, LockedPackage], python: str) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return  # an option, or the address of a package whose name only its build knows
    if wanted.marker and not wanted.marker.evaluate(here().variables(python)):
        return
    package = found.get(canonical_name(wanted.name))
    if package is None:
        yield f"{text}: the lock does not have it"
    elif package.version and not wanted.specifier.contains(package.version, prereleases=True):
        yield f"{text}: the lock has {package.name} {package.version}"


def _local(recipe: Recipe, lock: Lock) -> Iterator[str]:
    """Compare local packages, for locks that say which they were made with."""
    if lock.local is None:
        return
    names = {canonical_name(each.name.partition("[")[0]): each for each in recipe.local}
    for name in sorted(set(lock.local) - set(names)):
        yield f"the lock was made with the local package {name!r}, and the recipe does not have it"
    for name in sorted(set(names) - set(lock.local)):
        yield f"local package {name!r}: what it depends on is not in the lock"
