"""``pixi.lock`` (versions 6 and 7) -> the same as a ``conda-lock.yml``."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wetlands.environments.locks import conda_lock
from wetlands.errors import ConfigurationError

_FILES = (".conda", ".tar.bz2", ".whl", ".tar.gz", ".zip")


def convert(content: object, file: Path, environment: str = "default") -> conda_lock.Document:
    """Return one environment of a pixi lock as a Conda lock.

    Args:
        content: What the YAML file holds.
        file: Where it came from.
        environment: The name of the environment in it.

    Raises:
        ConfigurationError: It can't be understood, or has something in it that is no file with a
            hash.
    """
    place = repr(str(file))
    if not isinstance(content, Mapping) or not isinstance(content.get("packages"), list):
        raise ConfigurationError(f"{place} is no pixi.lock: it has no list of packages")
    if content.get("version") not in (6, 7):
        raise ConfigurationError(
            f"{place} has version {content.get('version')!r}, and this version of wetlands reads 6 "
            "and 7: run `pixi lock` with a newer pixi"
        )
    known = {_address(entry): entry for entry in content["packages"]}
    chosen = (content.get("environments") or {}).get(environment)
    if not isinstance(chosen, Mapping):
        raise ConfigurationError(f"{place} has no environment {environment!r}")
    entries = [
        _entry(known.get(_address(reference), reference), subdir, file)
        for subdir, references in (chosen.get("packages") or {}).items()
        for reference in references
    ]
    metadata = {
        "channels": [{"url": url, "used_env_vars": []} for url in _channels(chosen)],
        "platforms": list(chosen.get("packages") or ()),
        "content_hash": {},
        "sources": [],
    }
    document = {"version": conda_lock.VERSION, "metadata": metadata, "package": entries}
    return conda_lock.check(document, place)


def _channels(environment: Mapping[str, Any]) -> Iterator[str]:
    for channel in environment.get("channels") or ():
        yield str(channel["url"] if isinstance(channel, Mapping) else channel).rstrip("/")


def _address(entry: Mapping[str, Any]) -> tuple[str, str]:
    manager = "conda" if "conda" in entry else "pypi"
    return manager, str(entry.get(manager, ""))


def _entry(entry: Mapping[str, Any], subdir: str, file: Path) -> conda_lock.Document:
    manager, address = _address(entry)
    if "://" not in address:
        if not address.partition("#")[0].endswith(_FILES):
            raise ConfigurationError(
                f"{str(file)!r} has {address!r}, which is a folder and no file: give it as a local "
                "package of the recipe"
            )
        path, mark, fragment = address.partition("#")
        address = Path(os.path.abspath(file.parent / path)).as_uri() + mark + fragment
    url, _, fragment = address.partition("#")
    base = {"platform": subdir, "url": url, "category": "main", "optional": False}
    if manager == "pypi":
        digest = entry.get("sha256") or fragment.partition("sha256=")[2]
        named = {"name": entry.get("name"), "version": str(entry.get("version", ""))}
        return {**base, **named, "manager": "pip", "dependencies": {}, "hash": {"sha256": digest}}
    found = conda_lock.ARCHIVE.fullmatch(posixpath.basename(url))
    depends = (each.partition(" ") for each in entry.get("depends") or ())
    return {
        **base,
        "name": entry.get("name") or (found["name"] if found else None),
        "version": str(entry.get("version") or (found["version"] if found else "")),
        "manager": "conda",
        "dependencies": {name: spec for name, _, spec in depends},
        "hash": {kind: entry[kind] for kind in ("md5", "sha256") if entry.get(kind)},
    }
