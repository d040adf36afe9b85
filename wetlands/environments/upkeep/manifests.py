"""What the packages in a prefix say about themselves and their files.

Wheels leave ``<name>-<version>.dist-info/`` beside their modules (the standard of recording
installed projects, PEP 376 and 627), Conda packages ``conda-meta/<name>-<version>-<build>.json``. A
Conda package of Python modules has both: it is Conda's. A venv's own files belong to no package;
they are noted when it is made.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from wetlands.environments.disk import read_json

#: Held by who reads or looks at the files of many packages: that is thousands of short calls of the
#: system, each of which lets go of the interpreter, so that threads which make them side by side
#: take turns at each, and all take longer than one after the other.
taking_turns = threading.Lock()


class ManifestFile(NamedTuple):
    """A file as its package describes it; there are thousands, hence no dataclass.

    Attributes:
        path: Where it lies, absolute.
        digest: The hash of its content as it is recorded, which few ever need to read; see
            `sha256`.
        size: In bytes; -1 if nothing is said.
        target: What it points to, if it is a link and that is said.
    """

    path: str
    digest: str = ""
    size: int = -1
    target: str = ""

    @property
    def sha256(self) -> str:
        """The hash of its content, in hexadecimal digits; empty if nothing is said."""
        name, encoded, value = self.digest.partition("=")
        if not encoded:
            return name
        if name != "sha256":
            return ""
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()


@dataclass(frozen=True)
class Manifest:
    """What a package says about itself.

    Attributes:
        name: Its name, as it writes it.
        version: Its version.
        kind: ``"pip"`` or ``"conda"``.
        place: The folder or file that says it.
        source: Where it came from, as far as that is known: an address, or a folder.
        build: The build string of a Conda package.
        editable: Whether it is a link to a folder.
        files: What belongs to it.
        details: All that Conda notes.
    """

    name: str
    version: str
    kind: str
    place: Path
    source: str = ""
    build: str = ""
    editable: bool = False
    files: tuple[ManifestFile, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read_manifests(prefix: Path) -> list[Manifest]:
    """Return what all packages of a prefix say, those that can't be read left out."""
    conda = list(_conda(prefix))
    owned = {file.path for manifest in conda for file in manifest.files}
    pip = (
        manifest
        for folder in site_folders(prefix)
        for manifest in _wheels(folder)
        if not {str(manifest.place / "METADATA"), str(manifest.place / "PKG-INFO")} & owned
    )
    return [*conda, *pip]


def site_folders(prefix: Path) -> list[Path]:
    """Return the folders of a prefix in which packages for Python lie, each once."""
    patterns = ("lib*/python3*/site-packages", "Lib/site-packages", "lib*/python3*/dist-packages")
    found: dict[str, Path] = {}
    for pattern in patterns:
        for folder in sorted(prefix.glob(pattern)):  # lib before lib64, which may be a link to it
            found.setdefault(os.path.realpath(folder), folder)
    return list(found.values())


# -- wheels ----------------------------------------------------------------------------------------


def _wheels(folder: Path) -> Iterator[Manifest]:
    for place in sorted([*folder.glob("*.dist-info"), *folder.glob("*.egg-info")]):
        text = _text(place / "METADATA") or _text(place / "PKG-INFO") or ""
        headers = dict(_headers(text))
        if "name" in headers:
            source, editable = _origin(read_json(place / "direct_url.json"))
            yield Manifest(
                headers["name"], headers.get("version", ""), "pip", place, source,
                editable=editable, files=tuple(_recorded(folder, _text(place / "RECORD"))),
            )  # fmt: skip


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _headers(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if not line:
            return
        name, colon, value = line.partition(": ")
        if colon and name in ("Name", "Version"):
            yield name.lower(), value.strip()


def _origin(direct: Mapping[str, Any] | None) -> tuple[str, bool]:
    """Return where a package came from that did not come from an index (PEP 610)."""
    if not direct:
        return "", False
    url = str(direct.get("url", ""))
    version = direct.get("vcs_info")
    if isinstance(version, Mapping):
        url = f"{version.get('vcs', 'git')}+{url}@{version.get('commit_id', '')}"
    return url, bool((direct.get("dir_info") or {}).get("editable"))


def _recorded(folder: Path, record: str | None) -> Iterator[ManifestFile]:
    base = os.path.join(os.path.abspath(folder), "")
    for row in csv.reader((record or "").splitlines()):
        if row and row[0]:
            path, digest, size = row if len(row) == 3 else (*row, "", "")[:3]
            place = base + path
            if path[0] in "./" or os.sep != "/":  # as few are, and most files are of one kind
                place = os.path.normpath(place)
            yield ManifestFile(place, digest, int(size) if size.isdigit() else -1)


# -- Conda packages --------------------------------------------------------------------------------


def _conda(prefix: Path) -> Iterator[Manifest]:
    for place in sorted(prefix.glob("conda-meta/*.json")):
        details = read_json(place)
        if details and isinstance(details.get("name"), str):
            yield Manifest(
                details["name"], str(details.get("version", "")), "conda", place,
                str(details.get("url") or details.get("channel") or ""),
                str(details.get("build", "")),
                files=tuple(_linked(prefix, details)), details=details,
            )  # fmt: skip


def _linked(prefix: Path, details: Mapping[str, Any]) -> Iterator[ManifestFile]:
    known = (details.get("paths_data") or {}).get("paths") or []
    listed: Iterable[Mapping[str, Any]] = known or [{"_path": p} for p in details.get("files", ())]
    for entry in listed:
        # A file that names its prefix is another one in each: then there is a hash of its own.
        digest = entry.get("sha256_in_prefix") or entry.get("sha256") or ""
        replaced = entry.get("sha256_in_prefix") not in (None, entry.get("sha256"))
        size = -1 if replaced else entry.get("size_in_bytes")
        path = os.path.join(prefix, os.path.normpath(entry["_path"]))
        if entry.get("path_type") == "softlink":  # tools differ about what the hash is of
            yield ManifestFile(path)
        else:
            yield ManifestFile(path, digest, -1 if size is None else int(size))


# -- the venv itself -------------------------------------------------------------------------------


def skeleton_of(
    prefix: Path, manifests: Iterable[Manifest], digest: Callable[[str], str]
) -> dict[str, str]:
    """Return the files of a prefix that belong to no package, with hash or what they link to.

    Args:
        prefix: The prefix.
        manifests: What its packages say.
        digest: Returns the sha256 of the file at a path.
    """
    owned = {file.path for manifest in manifests for file in manifest.files}
    entries = {}
    for path in walk(prefix):
        if path not in owned and not is_bytecode(path):
            relative = os.path.relpath(path, prefix)
            link = os.path.islink(path)
            entries[relative] = f"-> {os.readlink(path)}" if link else digest(path)
    return entries


def write_skeleton(note: Path, entries: Mapping[str, str]) -> None:
    """Note the files of a prefix that belong to no package, when it was just made."""
    note.write_text(json.dumps(entries, indent=0), encoding="utf-8")


def read_skeleton(note: Path, prefix: Path) -> list[ManifestFile]:
    """Return the files of a prefix that belong to no package, as they were noted."""
    files = []
    for name, noted in (read_json(note) or {}).items():
        path = os.path.join(prefix, name)
        link = str(noted).startswith("-> ")
        files.append(
            ManifestFile(path, target=noted[3:]) if link else ManifestFile(path, str(noted))
        )
    return files


def walk(prefix: Path) -> Iterator[str]:
    """Give every file and link below a folder; links to folders are not followed."""
    folders: list[str | os.DirEntry[str]] = [os.fspath(prefix)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry)
                else:
                    yield entry.path


def is_bytecode(path: str) -> bool:
    """Whether Python compiled this file, and may do so again at any time."""
    return path.endswith(".pyc") and os.path.basename(os.path.dirname(path)) == "__pycache__"
