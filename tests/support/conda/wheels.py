"""Python packages as Conda packages: from a wheel, or from what is installed here."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from tests.support.conda.archive import File, Link, Package

_WHEEL = re.compile(r"(.+?)-(.+?)(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl")
_SCHEME = re.compile(r"[^/]+\.data/(?:purelib|platlib)/(.*)")
_TESTS = re.compile(r"(^|/)tests?/")


def pack_wheel(wheel: Path, subdir: str) -> Package:
    """Return a wheel as a package, without its scripts and what it requires."""
    found = _WHEEL.fullmatch(wheel.name)
    assert found, wheel
    name, version, python, _, platform = found.groups()
    files: dict[str, File] = {}
    with zipfile.ZipFile(wheel) as archive:
        for item in archive.infolist():
            inside = _SCHEME.sub(r"\1", item.filename)
            if item.is_dir() or ".data/" in inside.split("/")[0] + "/":
                continue
            mode = 0o755 if (item.external_attr >> 16) & 0o100 else 0o644
            files[inside] = File(archive.read(item), mode)
    return _package(name, version, files, "" if platform == "any" else python, subdir)


def pack_installed(name: str, python: str, subdir: str) -> Package:
    """Return a distribution that the running Python has as a package, without its tests.

    Args:
        name: The distribution's name.
        python: The tag of the running Python, ``"cp311"``, or the empty text if it is pure.
        subdir: The channel's folder for this platform.
    """
    distribution = metadata.distribution(name)
    files: dict[str, File] = {}
    for path in distribution.files or ():
        place = Path(str(distribution.locate_file(path)))
        inside = path.as_posix()
        left_out = inside.startswith("..") or inside.endswith(".pyc") or _TESTS.search(inside)
        if not left_out and place.is_file():
            files[inside] = File(place.read_bytes(), place.stat().st_mode & 0o777)
    return _package(name, distribution.version, files, python, subdir)


def _package(
    name: str, version: str, files: Mapping[str, File], python: str, subdir: str
) -> Package:
    """Return a package; ``python`` is a tag such as ``"cp311"``, or empty for any Python."""
    files = dict(files)
    info = next(path.rpartition("/")[0] for path in files if path.endswith(".dist-info/METADATA"))
    files[f"{info}/INSTALLER"] = File(b"conda\n")
    name = name.lower().replace("_", "-")
    if not python:
        placed = _under("site-packages", files)
        return Package(name, version, placed, "py_0", noarch="python", depends=["python"])
    major, minor = python[2], int(python[3:])
    depends = [f"python >={major}.{minor},<{major}.{minor + 1}"]
    placed = _under(f"lib/python{major}.{minor}/site-packages", files)
    return Package(name, version, placed, f"{python}_0", subdir, depends=depends)


def _under(folder: str, files: Mapping[str, File]) -> dict[str, File | Link]:
    return {f"{folder}/{path}": file for path, file in files.items()}
