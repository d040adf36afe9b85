"""Where the files of a lock come from, which a lock may leave to whoever installs it.

The standard (PEP 751) wants an address or a path for every file. A lock without addresses has
paths: of files that would lie beside it. Those that do are taken; the others are looked for on the
index that this machine's user has, by name and version, and must be the locked ones by their hash.
So one lock serves people behind a mirror, and tells nobody which one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wetlands.environments.locks.wheels import name_of
from wetlands.errors import ConfigurationError

Document = dict[str, Any]


def left_out(document: Document, folder: Path) -> Document:
    """Return a lock whose files are named as if they lay in a folder.

    Files that are no index's keep their address: nothing else tells where they are.
    """
    changed = copy.deepcopy(document)
    for entry in changed.get("packages", ()):
        entry.pop("index", None)
        for table in _files(entry):
            if "url" in table:
                table["path"] = str(folder / name_of(table))
                del table["url"]
    return changed


def _files(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from entry.get("wheels", ())
    if "sdist" in entry:
        yield entry["sdist"]


def indexed(document: Document, index: str) -> Document:
    """Return the lock with the index noted of packages that say none and have files.

    Args:
        document: The lock.
        index: Where they came from; empty if that is not known.
    """
    changed = copy.deepcopy(document)
    for entry in changed.get("packages", ()):
        if index and "archive" not in entry and any("url" in table for table in _files(entry)):
            entry.setdefault("index", index)
    return changed


def lacking(entry: Mapping[str, Any]) -> bool:
    """Whether a package has files, and none that can be fetched or lies here."""
    files = list(_files(entry))
    return bool(files) and not any(map(_is_there, files))


def requirement(entry: Mapping[str, Any]) -> str:
    """Return what asks an index for a package."""
    return f"{entry['name']}=={entry['version']}" if "version" in entry else str(entry["name"])


def _is_there(table: Mapping[str, Any]) -> bool:
    return "url" in table or Path(table.get("path", "")).is_file()


def filled_in(document: Document, offered: Document) -> Document:
    """Return a lock with the addresses under which an index offers what it lacks.

    Args:
        document: The lock, whose packages are all wanted here.
        offered: What the index has of the packages that lack files, as a lock.

    Raises:
        ConfigurationError: The index has no file of a package that is one of the locked.
    """
    by_name = {entry["name"]: entry for entry in offered.get("packages", ())}
    entries = document.get("packages", ())
    filled = [_filled(e, by_name.get(e["name"], {})) if lacking(e) else _here(e) for e in entries]
    return {**document, "packages": filled}


def _filled(entry: Document, offer: Mapping[str, Any]) -> Document:
    locked = {table["hashes"].get("sha256") for table in _files(entry)} - {None}
    kept: Document = {
        "wheels": [each for each in offer.get("wheels", ()) if _digest(each) in locked]
    }
    if _digest(offer.get("sdist", {})) in locked:
        kept["sdist"] = offer["sdist"]
    if not any(kept.values()):
        raise ConfigurationError(
            f"the package index has no file of {entry['name']} {entry.get('version', '')} that is "
            "the locked one, for this platform: ask another index, put the file beside the lock, "
            "or lock again"
        )
    rest = {key: value for key, value in entry.items() if key not in ("wheels", "sdist")}
    index = {"index": offer["index"]} if "index" in offer else {}
    return {**rest, **index, **{key: value for key, value in kept.items() if value}}


def _digest(table: Mapping[str, Any]) -> str:
    return str(table.get("hashes", {}).get("sha256", ""))


def _here(entry: Document) -> Document:
    """Return a package without the files that neither lie here nor have an address."""
    kept = {**entry}
    if "wheels" in entry:
        kept["wheels"] = [each for each in entry["wheels"] if _is_there(each)]
    if "sdist" in entry and not _is_there(entry["sdist"]):
        del kept["sdist"]
    return {key: value for key, value in kept.items() if value != []}
