"""Puts packages into a channel."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.conda.archive import Package, dump, read_index, write_package
from tests.support.conda.cpython import pack_python
from tests.support.conda.samples import samples
from tests.support.conda.wheels import pack_installed, pack_wheel
from tests.support.pythons import base_python

#: The channel's folder for the packages of this platform.
SUBDIR = "linux-aarch64" if platform.machine() in ("aarch64", "arm64") else "linux-64"


@dataclass(frozen=True)
class Channel:
    """A channel on disk."""

    path: Path

    @property
    def url(self) -> str:
        """Its address."""
        return self.path.as_uri()

    def file(self, name: str, version: str = "") -> Path:
        """Return the file of a package; the newest one without a version."""
        found = sorted(self.path.glob(f"*/{name}-{version or '[0-9]'}*.conda"))
        assert found, f"no package {name} {version} in {self.path}"
        return found[-1]

    def copy(self, path: Path) -> Channel:
        """Return a copy that may be changed; the files of packages are shared until then."""
        for file in self.path.glob("*/*"):
            target = path / file.relative_to(self.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)
        return Channel(path)

    def add(self, package: Package) -> Path:
        """Write a package into it; `index` has to follow."""
        (self.path / package.subdir / f"{package.stem}.conda").unlink(missing_ok=True)
        return write_package(self.path, package)

    def index(self, **changes: dict[str, Any]) -> None:
        """Write its indexes anew, with changes by the name of the package."""
        for subdir in (SUBDIR, "noarch"):  # which every client looks for
            (self.path / subdir).mkdir(parents=True, exist_ok=True)
        for folder in sorted(path for path in self.path.iterdir() if path.is_dir()):
            records = {file.name: _record(file) for file in sorted(folder.glob("*.conda"))}
            for record in records.values():
                record.update(changes.get(record["name"], {}))
            content = {
                "info": {"subdir": folder.name}, "packages": {}, "packages.conda": records,
                "removed": [], "repodata_version": 1,
            }  # fmt: skip
            _replace(folder / "repodata.json", dump(content))


def build_channel(
    path: Path,
    *,
    pythons: Iterable[str] = (),
    wheels: Iterable[Path] = (),
    installed: Iterable[str] = ("numpy",),
) -> Channel:
    """Make a channel.

    Args:
        path: Its folder.
        pythons: Interpreters to pack; the running one's base without any.
        wheels: Wheels to repack.
        installed: Binary distributions of the running Python to repack.
    """
    channel = Channel(path)
    for interpreter in list(pythons) or [base_python()]:
        channel.add(pack_python(interpreter, SUBDIR))
    for wheel in wheels:
        channel.add(pack_wheel(wheel, SUBDIR))
    for name in installed:
        channel.add(pack_installed(name, f"cp{sys.version_info[0]}{sys.version_info[1]}", SUBDIR))
    for package in samples(SUBDIR):
        channel.add(package)
    channel.index()
    return channel


def _replace(file: Path, data: bytes) -> None:
    file.unlink(missing_ok=True)  # a copy of this channel has the old one
    file.write_bytes(data)


def _record(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    hashes = {"sha256": hashlib.sha256(data).hexdigest(), "md5": hashlib.md5(data).hexdigest()}
    return {**read_index(file), "size": len(data), **hashes}
