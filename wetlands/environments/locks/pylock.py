"""``pylock.toml`` (PEP 751) as functions over plain data.

In memory every path in a lock is absolute; in a file it is relative to the file's folder where that
is possible, so that a lock and the wheels beside it can be moved together.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from wetlands.environments.entries import canonical_name
from wetlands.environments.local_sources import LocalPackage
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import PLATFORMS, Platform
from wetlands.environments.locks.wheels import best_wheel
from wetlands.environments.masking import without_user
from wetlands.environments.project_files import parse_toml
from wetlands.errors import ConfigurationError

Document = dict[str, Any]

LOCK_VERSION = 1

_FILES = ("archive", "sdist")  # one table each; wheels are a list of the same
_PACKAGE = re.compile(r"^\[\[packages\]\]$", re.MULTILINE)
_NAME = re.compile(r'^name = "([^"]+)"$', re.MULTILINE)
_INLINE = re.compile(r"^packages = \[$", re.MULTILINE)
_STRONG = ("sha256", "sha384", "sha512", "blake2b")


def parse(text: str, place: str) -> Document:
    """Return the content of a lock; see `check`."""
    return check(parse_toml(text, place), place)


def check(content: Mapping[str, Any], place: str) -> Document:
    """Return the content of a lock if it can be understood, and lets every file be verified.

    Args:
        content: What the TOML file holds.
        place: Where it came from, for messages.

    Raises:
        ConfigurationError: It can't, or names a file without its hash.
    """
    version, listed = content.get("lock-version"), content.get("packages", [])
    if not isinstance(version, str) or not isinstance(listed, list):
        raise ConfigurationError(f"{place} is no pylock.toml: it has no 'lock-version'")
    if version.partition(".")[0] != str(LOCK_VERSION):
        raise ConfigurationError(
            f"{place} has lock-version {version!r}, and this version of wetlands reads "
            f"{LOCK_VERSION}.x: update wetlands, or lock again with an older tool"
        )
    for entry in listed:
        _check_package(entry, place)
    return dict(content)


def _check_package(entry: object, place: str) -> None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ConfigurationError(f"{place} is damaged: a package in it has no name")
    for table in _tables(entry):
        hashes = table.get("hashes")
        if not isinstance(hashes, Mapping) or not any(hashes.get(name) for name in _STRONG):
            raise ConfigurationError(
                f"{place} names a file of {entry['name']!r} without its sha256, so that it can't "
                "be verified: lock again with a tool that writes hashes"
            )


def _tables(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the tables of a package that name a file."""
    yield from entry.get("wheels", ())
    yield from (entry[key] for key in _FILES if key in entry)


def _placed(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the tables of a package that may have a path."""
    yield from _tables(entry)
    if "directory" in entry:
        yield entry["directory"]


def absolute(document: Document, folder: Path) -> Document:
    """Return the lock with paths that count from a folder made absolute."""
    return _with_paths(document, lambda path: os.path.normpath(folder / path))


def relative(document: Document, folder: Path) -> Document:
    """Return the lock with its paths as they are written into a file in this folder."""

    def shorten(path: str) -> str:
        try:
            return PurePath(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive of Windows
            return PurePath(path).as_posix()

    return _with_paths(document, shorten)


def _with_paths(document: Document, change: Callable[[str], str]) -> Document:
    changed = copy.deepcopy(document)
    for entry in changed.get("packages", ()):
        for table in _placed(entry):
            if isinstance(table.get("path"), str):
                table["path"] = change(table["path"])
    return changed


def without_credentials(document: Document) -> Document:
    """Return the lock as others may see it: who needs credentials has them where uv looks."""
    changed = copy.deepcopy(document)
    for entry in changed.get("packages", ()):
        for table in (entry, *_tables(entry), entry.get("vcs", {})):
            for key in ("url", "index"):
                if isinstance(table.get(key), str):
                    table[key] = without_user(table[key])
    return changed


def packages(document: Document, platform: Platform, python: str) -> list[LockedPackage]:
    """Return what is installed on a platform, with a version of Python such as ``"3.10.2"``."""
    found = wanted(document, platform, python)["packages"]
    major, minor = (int(part) for part in platform.variables(python)["python_version"].split("."))
    return [_package(entry, platform, (major, minor)) for entry in found]


def wanted(document: Document, platform: Platform, python: str) -> Document:
    """Return the lock with what is installed on a platform, and nothing else."""
    variables = platform.variables(python)
    found = [entry for entry in document.get("packages", ()) if _holds(entry, variables)]
    return {**document, "packages": found}


def _holds(entry: Mapping[str, Any], variables: Mapping[str, str]) -> bool:
    if not entry.get("marker"):
        return True
    from packaging.markers import InvalidMarker, Marker

    try:
        # Locks may also ask for extras and groups; without a wish for any there are none.
        wanted = {**variables, "extras": set(), "dependency_groups": set()}
        return Marker(entry["marker"]).evaluate(wanted)  # type: ignore[arg-type]
    except InvalidMarker as error:
        raise ConfigurationError(
            f"the lock has the marker {entry['marker']!r} for {entry['name']!r}: {error}"
        ) from error


def _package(
    entry: Mapping[str, Any], platform: Platform, python: tuple[int, int]
) -> LockedPackage:
    sources = (entry.get(key) for key in ("archive", "sdist", "vcs", "directory"))
    wheel = best_wheel(entry.get("wheels", ()), platform, python)
    table = wheel or next(filter(None, sources), {})
    url = table.get("url") or (Path(table["path"]).as_uri() if table.get("path") else "")
    return LockedPackage(
        canonical_name(entry["name"]),
        str(entry.get("version", "")),
        "pip",
        url,
        table.get("hashes", {}).get("sha256", ""),
        size=table.get("size", 0),
    )


def merged(
    solved: Sequence[tuple[Platform, Document]], python: str, notes: Mapping[str, Any]
) -> Document:
    """Return one lock of what was resolved for each platform by itself.

    Args:
        solved: Each platform with its lock.
        python: The versions of Python that it is for, as a specifier.
        notes: What is put into the table that the standard leaves to tools.
    """
    by_identity: dict[tuple[str, ...], Document] = {}
    for platform, document in solved:
        for entry in document.get("packages", ()):
            known = by_identity.setdefault(_identity(entry), {**entry, "wheels": [], "on": []})
            known["on"].append(platform)
            known["wheels"] += [w for w in entry.get("wheels", ()) if w not in known["wheels"]]
    every = [platform for platform, _ in solved]
    return {
        "lock-version": "1.0",
        "environments": [platform.marker for platform in every],
        "requires-python": python,
        "created-by": "wetlands",
        "packages": [_finished(each, every) for _, each in sorted(by_identity.items())],
        "tool": {"wetlands": dict(notes)},
    }


def _identity(entry: Mapping[str, Any]) -> tuple[str, ...]:
    sources = (str(entry.get(key, "")) for key in ("vcs", "directory", "archive"))
    return (entry["name"], str(entry.get("version", "")), *sources)


def _finished(entry: Document, every: Sequence[Platform]) -> Document:
    here: list[Platform] = entry.pop("on")
    # What the resolver said of one platform is true there; which platforms it is for is ours.
    entry.pop("marker", None)
    first = {"name": entry["name"]}
    if "version" in entry:
        first["version"] = entry["version"]
    if len(here) < len(every):
        first["marker"] = " or ".join(f"({platform.marker})" for platform in here)
    return {key: value for key, value in {**first, **entry}.items() if value != []}


def platforms(document: Document) -> tuple[str, ...]:
    """Return the platforms that a lock says it is for; all of them when it does not say."""
    wanted = document.get("environments")
    if not wanted:
        return tuple(PLATFORMS)
    return tuple(
        platform.name for platform in PLATFORMS.values() if _any_holds(wanted, platform, document)
    )


def _any_holds(markers: Iterable[str], platform: Platform, document: Document) -> bool:
    python = lowest(str(document.get("requires-python", "")))
    variables = platform.variables(python)
    return any(_holds({"name": "it", "marker": marker}, variables) for marker in markers)


def lowest(requires_python: str) -> str:
    """Return the lowest version that a specifier names, as one to evaluate markers with."""
    found = re.search(r"\d+\.\d+(\.\d+)?", requires_python)
    return found[0] if found else "3.12"


def without_folders(document: Document) -> tuple[Document, list[str]]:
    """Return the lock without packages that are folders of this machine, and their names."""
    listed = document.get("packages", ())
    folders = [entry["name"] for entry in listed if "directory" in entry]
    kept = [entry for entry in listed if "directory" not in entry]
    return {**document, "packages": kept}, folders


def of_files(found: Iterable[LockedPackage]) -> Document:
    """Return a lock that consists of these files."""
    entries: list[Document] = []
    for package in found:
        table = {"url": package.url, "hashes": {"sha256": package.sha256}}
        wheel = urlsplit(package.url).path.endswith(".whl")
        files: Document = {"wheels": [table]} if wheel else {"sdist": table}
        entries.append({"name": package.name, "version": package.version, **files})
    return {"lock-version": "1.0", "created-by": "wetlands", "packages": entries}


def with_folders(document: Document, local: Iterable[LocalPackage]) -> Document:
    """Return the lock with packages added that are folders of this machine."""
    added = [
        {
            "name": canonical_name(package.name.partition("[")[0]),
            "directory": {"path": package.path, "editable": package.editable},
        }
        for package in local
    ]
    return {**document, "packages": [*document.get("packages", ()), *added]}


def content(document: Document) -> list[Any]:
    """Return what decides what a lock installs, wherever its files are fetched from."""
    return sorted(
        (
            [entry["name"], str(entry.get("version", "")), entry.get("marker", ""), *_proofs(entry)]
            for entry in document.get("packages", ())
        ),
        key=str,
    )


def _proofs(entry: Mapping[str, Any]) -> Iterator[object]:
    """Give what proves that a package is the one that was locked."""
    yield sorted(
        digest for table in _tables(entry) for name, digest in table["hashes"].items()
        if name in _STRONG
    )  # fmt: skip
    if "vcs" in entry:
        yield entry["vcs"]
    if "directory" in entry:
        where = entry["directory"]
        editable = bool(where.get("editable"))
        yield LocalPackage.at(entry["name"], where["path"], editable=editable).identity()


def dump(document: Document) -> str:
    """Return a lock as the text of a file, one table a package; see `packages_in`."""
    import tomli_w

    # By itself tomli_w writes packages in one line that fit into one.
    tables = [
        tomli_w.dumps({"packages": package}).replace("[packages]", "[[packages]]", 1)
        for package in document.get("packages", ())
    ]
    rest = {name: value for name, value in document.items() if name != "packages" or not tables}
    return "\n".join([tomli_w.dumps(rest), *tables])


def packages_in(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what comes before the packages in a lock that `dump` or uv wrote; and of each package
    the name and the text, without its first line.

    Raises:
        ValueError: It is not one table a package.
    """
    head, *tables = _PACKAGE.split(text)
    if _INLINE.search(head):
        raise ValueError("packages in one line")
    found = []
    for table in tables:
        name = _NAME.search(table)
        if name is None:
            raise ValueError("a package without a name")
        found.append((name[1], table))
    return head.replace("packages = []\n", ""), found
