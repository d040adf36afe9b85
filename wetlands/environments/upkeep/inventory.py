"""`InstalledPackage`: which packages an environment has."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wetlands.environments.entries import canonical_name
from wetlands.environments.masking import mask
from wetlands.environments.upkeep.manifests import Manifest, read_manifests


@dataclass(frozen=True)
class InstalledPackage:
    """A package that an environment has.

    Attributes:
        name: Its name, in canonical form.
        version: Its version.
        kind: ``"pip"`` or ``"conda"``.
        source: Where it came from: the address of its file or repository, or its folder as a
            ``file://`` address, credentials hidden; empty for what came from a package index, which
            leaves no note of that.
        build: The build string of a Conda package.
        size: Of its files as they lie there, in bytes.
        editable: Whether it is a link to a folder.
    """

    name: str
    version: str
    kind: str
    source: str = ""
    build: str = ""
    size: int = 0
    editable: bool = False


def packages(prefix: Path) -> list[InstalledPackage]:
    """Return the packages of a prefix, sorted by name."""
    found = (_package(manifest) for manifest in read_manifests(prefix))
    return sorted(found, key=lambda package: (package.name, package.kind))


def _package(manifest: Manifest) -> InstalledPackage:
    return InstalledPackage(
        canonical_name(manifest.name) if manifest.kind == "pip" else manifest.name,
        manifest.version,
        manifest.kind,
        mask(manifest.source),
        manifest.build,
        size_of(file.path for file in manifest.files),
        manifest.editable,
    )


def size_of(paths: Iterable[str]) -> int:
    """Return the bytes of files, as far as they are there."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += os.lstat(path).st_size
    return total
