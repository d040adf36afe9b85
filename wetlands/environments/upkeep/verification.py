"""`Verification`: every file of an environment against what its package says of it.

Compiled bytecode in ``__pycache__`` is passed over: Python writes it anew whenever it likes.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from wetlands.environments.entries import canonical_name
from wetlands.environments.upkeep.manifests import (
    ManifestFile,
    is_bytecode,
    read_manifests,
    read_skeleton,
    walk,
)

_THREADS = 4  # hashing leaves the interpreter free
_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileFault:
    """A file that is not as it should be.

    Attributes:
        path: Where it lies, or should lie.
        package: The package that it belongs to; empty for a file of the venv itself.
    """

    path: Path
    package: str = ""


@dataclass(frozen=True)
class Verification:
    """What was found out about the files of an environment.

    Attributes:
        checked: How many files were compared with their record.
        missing: Files that a package has on record and that are not there.
        changed: Files with another content than on record.
        untracked: Files that nothing has on record. They need not be a fault: install commands and
            programs may write where they like.
    """

    checked: int
    missing: tuple[FileFault, ...] = ()
    changed: tuple[FileFault, ...] = ()
    untracked: tuple[Path, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every file on record is there, unchanged."""
        return not (self.missing or self.changed)

    @property
    def broken(self) -> tuple[str, ...]:
        """The packages with a file that is missing or changed, sorted by name."""
        return tuple(sorted({each.package for each in (*self.missing, *self.changed)} - {""}))

    def summary(self) -> str:
        """Return it in one line."""
        return (
            f"{self.checked} files checked: {len(self.missing)} missing, {len(self.changed)} "
            f"changed, {len(self.untracked)} untracked"
        )


def verify(prefix: Path, skeleton: Path | None = None) -> Verification:
    """Compare every file of a prefix with its record.

    Args:
        prefix: The prefix; nobody should install into it meanwhile.
        skeleton: The note of what belongs to no package, if there is one.
    """
    expected: dict[str, list[ManifestFile]] = defaultdict(list)
    owners: dict[str, str] = {}
    for package, file in _files(prefix, skeleton):
        if not is_bytecode(file.path):
            expected[file.path].append(file)
            owners.setdefault(file.path, package)
    with ThreadPoolExecutor(_THREADS, "wetlands-verify") as executor:
        states = list(executor.map(_state, expected.values()))
    found = defaultdict(list)
    for path, state in zip(expected, states, strict=True):
        found[state].append(FileFault(Path(path), owners[path]))
    return Verification(
        len(expected), tuple(found["missing"]), tuple(found["changed"]),
        tuple(_untracked(prefix, expected)),
    )  # fmt: skip


def _files(prefix: Path, skeleton: Path | None) -> Iterator[tuple[str, ManifestFile]]:
    for manifest in read_manifests(prefix):
        yield from ((canonical_name(manifest.name), file) for file in manifest.files)
    if skeleton is not None:
        yield from (("", file) for file in read_skeleton(skeleton, prefix))


def _state(said: list[ManifestFile]) -> str:
    """Return "missing", "changed" or "whole"; packages that share a file may differ about it."""
    if not os.path.lexists(said[0].path):
        return "missing"
    return "whole" if any(map(matches, said)) else "changed"


def matches(file: ManifestFile) -> bool:
    """Whether a file that is there is the one on record."""
    try:
        if file.target:
            return os.readlink(file.path) == file.target
        if file.size >= 0 and os.stat(file.path).st_size != file.size:
            return False
        return not file.sha256 or sha256_of(file.path) == file.sha256
    except OSError:  # a link to nowhere, something else in its place, no permission
        return False


def sha256_of(path: str | Path) -> str:
    """Return the sha256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def _untracked(prefix: Path, expected: Iterable[str]) -> Iterator[Path]:
    known = set(expected)
    meta = os.path.join(prefix, "conda-meta") + os.sep
    for path in sorted(walk(prefix)):
        if path not in known and not is_bytecode(path) and not path.startswith(meta):
            yield Path(path)
