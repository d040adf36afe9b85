"""``conda-lock.yml`` (version 1, as conda-lock writes it) as functions over plain data."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.entries import canonical_name
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import PLATFORMS, Platform
from wetlands.environments.masking import without_user
from wetlands.errors import ConfigurationError

Document = dict[str, Any]

VERSION = 1

#: The name of an archive in a channel.
ARCHIVE = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.(?:conda|tar\.bz2)")


def check(content: object, place: str) -> Document:
    """Return the content of a lock if it can be understood, and lets every file be verified.

    Raises:
        ConfigurationError: It can't, or names a file without its hash.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("package"), list):
        raise ConfigurationError(f"{place} is no conda-lock.yml: it has no list of packages")
    if content.get("version") != VERSION:
        raise ConfigurationError(
            f"{place} has version {content.get('version')!r}, and this version of wetlands reads "
            f"{VERSION}: update wetlands, or lock again with conda-lock 1 or newer"
        )
    for entry in content["package"]:
        _check_entry(entry, place)
    return dict(content)


def _check_entry(entry: object, place: str) -> None:
    names = ("name", "version", "manager", "platform", "url")
    if not isinstance(entry, Mapping) or not all(isinstance(entry.get(n), str) for n in names):
        raise ConfigurationError(f"{place} is damaged: it has the package {entry!r}")
    hashes = entry.get("hash") or {}
    wanted = ("sha256",) if entry["manager"] == "pip" else ("sha256", "md5")
    if not any(hashes.get(kind) for kind in wanted):
        raise ConfigurationError(
            f"{place} names a file of {entry['name']!r} without its sha256, so that it can't be "
            "verified: lock again with a tool that writes hashes"
        )


def platforms(document: Document) -> tuple[str, ...]:
    """Return the platforms that a lock has packages for."""
    subdirs = {entry["platform"] for entry in document["package"]}
    subdirs |= set(document.get("metadata", {}).get("platforms", ()))
    return tuple(each.name for each in PLATFORMS.values() if each.subdir in subdirs)


def channels(document: Document) -> tuple[str, ...]:
    """Return the channels that a lock was made from, the one to prefer first."""
    listed = document.get("metadata", {}).get("channels", ())
    return tuple(each["url"] if isinstance(each, Mapping) else str(each) for each in listed)


def notes(document: Document) -> Mapping[str, str]:
    """Return what is noted in a lock that its format has no place for."""
    return document.get("metadata", {}).get("custom_metadata") or {}


def _entries(document: Document, platform: Platform, manager: str) -> Iterator[Mapping[str, Any]]:
    """Give what is installed without a wish for optional parts, such as development tools."""
    for entry in document["package"]:
        place = (entry["platform"], entry["manager"], entry.get("category", "main"))
        if place == (platform.subdir, manager, "main") and not entry.get("optional"):
            yield entry


def packages(document: Document, platform: Platform) -> list[LockedPackage]:
    """Return what is installed on a platform."""
    conda = (
        LockedPackage(
            package.name, package.version, "conda", package.url, package.sha256, package.md5,
            package.build, package.size or 0,
        )
        for package in conda_packages(document, platform)
    )  # fmt: skip
    pip = (
        LockedPackage(
            canonical_name(entry["name"]), entry["version"], "pip",
            entry["url"].partition("#")[0], entry["hash"]["sha256"],
        )
        for entry in _entries(document, platform, "pip")
    )  # fmt: skip
    return [*conda, *pip]


def conda_packages(document: Document, platform: Platform) -> list[CondaPackage]:
    """Return the Conda packages that are installed on a platform.

    Raises:
        ConfigurationError: The address of one does not have the form that addresses in channels
            have.
    """
    return [_conda(entry) for entry in _entries(document, platform, "conda")]


def _conda(entry: Mapping[str, Any]) -> CondaPackage:
    url = entry["url"].partition("#")[0]
    folder, name = posixpath.split(url)
    found = ARCHIVE.fullmatch(name)
    if found is None:
        raise ConfigurationError(f"the lock has {url!r}, which is no address of a Conda package")
    channel, subdir = posixpath.split(folder)
    depends = tuple(
        f"{name} {spec}".strip() for name, spec in (entry.get("dependencies") or {}).items()
    )
    python = any(each.partition(" ")[0] == "python" for each in depends)
    return CondaPackage(
        entry["name"], entry["version"], found["build"], url,
        entry["hash"].get("sha256") or "", entry["hash"].get("md5") or "",
        subdir=subdir, channel=channel, depends=depends,
        noarch=None if subdir != "noarch" else "python" if python else "generic",
    )  # fmt: skip


# -- made here -------------------------------------------------------------------------------------


def build(
    solved: Sequence[tuple[Platform, Sequence[CondaPackage], Sequence[LockedPackage]]],
    wanted_channels: Sequence[str],
    noted: Mapping[str, str],
) -> Document:
    """Return one lock of what was resolved for each platform by itself.

    Args:
        solved: Each platform with its Conda packages and what pip's part consists of.
        wanted_channels: The channels, the one to prefer first.
        noted: What the format has no place for.
    """
    entries = [
        entry
        for platform, conda, pip in solved
        for entry in (
            *(_conda_entry(package, platform) for package in conda),
            *(_pip_entry(package, platform) for package in pip),
        )
    ]
    entries.sort(key=lambda entry: (entry["name"], entry["manager"], entry["platform"]))
    subdirs = [platform.subdir for platform, _, _ in solved]
    return {
        "version": VERSION,
        "metadata": {
            "content_hash": {subdir: _content_hash(entries, subdir) for subdir in subdirs},
            "channels": [{"url": url, "used_env_vars": []} for url in wanted_channels],
            "platforms": subdirs,
            "sources": [],
            "custom_metadata": dict(noted),
        },
        "package": entries,
    }


def _content_hash(entries: Sequence[Mapping[str, Any]], subdir: str) -> str:
    chosen = [entry for entry in entries if entry["platform"] == subdir]
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _conda_entry(package: CondaPackage, platform: Platform) -> Document:
    depends: dict[str, str] = {}
    for wanted in package.depends:
        name, _, spec = wanted.partition(" ")
        depends[name] = ",".join(filter(None, (depends.get(name), spec.strip())))
    hashes = {"md5": package.md5, "sha256": package.sha256}
    return _entry(package, "conda", platform, depends, hashes)


def _pip_entry(package: LockedPackage, platform: Platform) -> Document:
    shared = replace(package, url=without_user(package.url))
    return _entry(shared, "pip", platform, {}, {"sha256": package.sha256})


def _entry(
    package: CondaPackage | LockedPackage,
    manager: str,
    platform: Platform,
    depends: Mapping[str, str],
    hashes: Mapping[str, str],
) -> Document:
    return {
        "name": package.name,
        "version": package.version,
        "manager": manager,
        "platform": platform.subdir,
        "dependencies": dict(depends),
        "url": package.url,
        "hash": {kind: value for kind, value in hashes.items() if value},
        "category": "main",
        "optional": False,
    }


def content(document: Document) -> list[Any]:
    """Return what decides what a lock installs, wherever its files are fetched from."""
    return sorted(
        [entry["platform"], entry["manager"], entry["name"], entry["version"],
         entry["hash"].get("sha256") or entry["hash"].get("md5"),
         entry.get("category", "main"), bool(entry.get("optional"))]
        for entry in document["package"]
    )  # fmt: skip


def dump(document: Document) -> str:
    """Return a lock as the text of a file."""
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
