"""Files that were just linked from the installer's cache: are they what their packages say?

A file of an environment and the one in the cache are the same one (hard links cost no time and no
space), so whoever edits it in one environment also edits the cache, and every environment made
later would get it. Hashing all would take longer than installing. A file that was written to after
its package was unpacked is newer than the package's own description, or of another size: only
those are hashed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from wetlands.environments.entries import canonical_name
from wetlands.environments.upkeep.manifests import Manifest, ManifestFile
from wetlands.environments.upkeep.verification import matches


def damaged(manifests: Iterable[Manifest]) -> list[str]:
    """Return the names of the wheels of which a file is missing or was edited."""
    wheels = (each for each in manifests if each.kind == "pip")
    return sorted({canonical_name(each.name) for each in wheels if not _whole(each)})


def _whole(manifest: Manifest) -> bool:
    try:
        unpacked = os.stat(manifest.place / "METADATA").st_mtime_ns
    except OSError:
        return not manifest.files
    return all(_plausible(file, unpacked) or matches(file) for file in manifest.files)


def _plausible(file: ManifestFile, unpacked: int) -> bool:
    try:
        status = os.stat(file.path)
    except OSError:
        return file.path.endswith(".pyc")
    return status.st_mtime_ns <= unpacked and file.size in (-1, status.st_size)
