"""Writing ``.conda`` files: a zip of two tar files, each in a Zstandard frame.

Sources: the Conda package format 2 (https://docs.conda.io/projects/conda-build, "Package
specification") and, for the frame, RFC 8878: it may consist of raw blocks, so that no library for
Zstandard is needed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Long, so that any shorter prefix fits over it in a binary file.
PLACEHOLDER = "/opt/build_env_" + "placehold_" * 24
_TIMESTAMP = 1_700_000_000  # one for all: the same input gives the same bytes
_ZIP_DATE = (2023, 11, 14, 0, 0, 0)
_BLOCK = 128 * 1024
_MAGIC = b"\x28\xb5\x2f\xfd\x00\x50"  # no flags; a window of 1 MiB


@dataclass(frozen=True)
class File:
    """A file of a package.

    Attributes:
        data: Its content.
        mode: Its permissions.
        mtime: When it was changed, in seconds since 1970.
        prefix: "text" or "binary" if it has the placeholder in it.
    """

    data: bytes
    mode: int = 0o644
    mtime: int = _TIMESTAMP
    prefix: str | None = None


@dataclass(frozen=True)
class Link:
    """A symbolic link of a package, its target relative to its own folder."""

    target: str


@dataclass(frozen=True)
class Package:
    """What a ``.conda`` file is made of; ``files`` are by their path in the prefix."""

    name: str
    version: str
    files: Mapping[str, File | Link]
    build: str = "0"
    subdir: str = "noarch"
    noarch: str | None = None
    depends: Sequence[str] = ()
    constrains: Sequence[str] = ()
    entry_points: Sequence[str] = ()
    extra_info: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name of its file, without the suffix."""
        return f"{self.name}-{self.version}-{self.build}"

    def index(self) -> dict[str, Any]:
        """Return its ``index.json``."""
        system, _, machine = self.subdir.partition("-")
        content = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": 0,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "subdir": self.subdir,
            "timestamp": _TIMESTAMP * 1000,
            "platform": system if machine else None,
            "arch": "x86_64" if machine == "64" else machine or None,
        }
        return {**content, **({"noarch": self.noarch} if self.noarch else {})}


def write_package(channel: Path, package: Package) -> Path:
    """Write a package into its folder of a channel; return its file."""
    target = channel / package.subdir / f"{package.stem}.conda"
    target.parent.mkdir(parents=True, exist_ok=True)
    members = {
        "metadata.json": dump({"conda_pkg_format_version": 2}),
        f"pkg-{package.stem}.tar.zst": frame(_tar(package.files)),
        f"info-{package.stem}.tar.zst": frame(_tar(_info(package))),
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), data)
    return target


def read_index(package: Path) -> dict[str, Any]:
    """Return the ``index.json`` of a package that `write_package` wrote."""
    with zipfile.ZipFile(package) as archive:
        packed = unframe(archive.read(f"info-{package.stem}.tar.zst"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        member = tar.extractfile("info/index.json")
        assert member is not None
        content: dict[str, Any] = json.load(member)
    return content


def _info(package: Package) -> dict[str, File]:
    info = {
        "info/index.json": dump(package.index()),
        "info/paths.json": dump({"paths": _paths(package.files), "paths_version": 1}),
        "info/files": "".join(f"{path}\n" for path in sorted(package.files)).encode(),
        "info/about.json": dump({"summary": "made for tests"}),
        **package.extra_info,
    }
    if package.noarch == "python":
        noarch = {"type": "python", "entry_points": list(package.entry_points)}
        info["info/link.json"] = dump({"noarch": noarch, "package_metadata_version": 1})
    return {path: File(data) for path, data in info.items()}


def _paths(files: Mapping[str, File | Link]) -> list[dict[str, Any]]:
    entries = []
    for path in sorted(files):
        file = files[path]
        entry: dict[str, Any] = {"_path": path, "path_type": "hardlink"}
        if isinstance(file, Link):
            entry["path_type"] = "softlink"
            target = os.path.normpath(os.path.join(os.path.dirname(path), file.target))
            if target not in files:
                entries.append(entry)  # it leads out of the package, as in those that are evil
                continue
            behind = files[target]
            assert isinstance(behind, File), f"{path} links to a link"
            file = behind
        elif file.prefix:
            entry.update(file_mode=file.prefix, prefix_placeholder=PLACEHOLDER)
        entry.update(sha256=hashlib.sha256(file.data).hexdigest(), size_in_bytes=len(file.data))
        entries.append(entry)
    return entries


def _tar(files: Mapping[str, File | Link]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(files):
            file, info = files[path], tarfile.TarInfo(path)
            info.mtime = _TIMESTAMP
            if isinstance(file, Link):
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, file.target, 0o777
                tar.addfile(info)
            else:
                info.size, info.mode, info.mtime = len(file.data), file.mode, file.mtime
                tar.addfile(info, io.BytesIO(file.data))
    return buffer.getvalue()


def frame(data: bytes) -> bytes:
    """Return a Zstandard frame of raw blocks."""
    parts = [_MAGIC]
    for start in range(0, len(data), _BLOCK) or [0]:
        block = data[start : start + _BLOCK]
        last = int(start + _BLOCK >= len(data))
        parts += [struct.pack("<I", len(block) << 3 | last)[:3], block]
    return b"".join(parts)


def unframe(framed: bytes) -> bytes:
    """Return the data of what `frame` made."""
    assert framed.startswith(_MAGIC)
    blocks, place, last = [], len(_MAGIC), 0
    while not last:
        (head,) = struct.unpack("<I", framed[place : place + 3] + b"\0")
        last, size = head & 1, head >> 3
        blocks.append(framed[place + 3 : place + 3 + size])
        place += 3 + size
    return b"".join(blocks)


def dump(value: object) -> bytes:
    """Return JSON, the same for the same value."""
    return json.dumps(value, indent=1, sort_keys=True).encode()
