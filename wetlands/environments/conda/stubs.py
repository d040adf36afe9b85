"""Tells uv what Conda put into a prefix, so that it neither replaces nor fetches it.

uv resolves from an index, and what Conda has need not be there, or not in this version. So for each
Python package in the prefix a wheel is made that has its name and version and nothing else, in a
folder that uv is told to look into; a constraint makes that version the only one. What it depends
on is left out on purpose: Conda has seen to that, under names of its own. In the lock these
packages don't appear, since they are there already.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path

from wetlands.environments.entries import canonical_name


def constraints_for(prefix: Path, scratch: Path) -> list[str]:
    """Return the options that make ``uv pip compile`` leave a prefix as it is.

    Args:
        prefix: The prefix.
        scratch: A folder for the files that the options name, for as long as they are used.
    """
    return leave_alone(dict(_distributions(prefix)), scratch)


def leave_alone(found: Mapping[str, str], scratch: Path) -> list[str]:
    """Return the options that make ``uv pip compile`` leave packages alone.

    Args:
        found: Their names, as a package index has them, and their versions.
        scratch: A folder for the files that the options name, for as long as they are used.
    """
    if not found:
        return []
    folder = scratch / "stubs"
    folder.mkdir()
    for name, version in found.items():
        _write_stub(folder, name, version)
    links = [str(folder), *filter(None, os.environ.get("UV_FIND_LINKS", "").split(","))]
    return [
        "--constraints", _constraints(found.items(), scratch),
        *(word for link in links for word in ("--find-links", link)),
        *(word for name in found for word in ("--no-emit-package", name)),
    ]  # fmt: skip


def pins_of(prefix: Path, scratch: Path) -> list[str]:
    """Return the options that make ``uv pip install`` leave alone what Conda put into a prefix."""
    found = list(_distributions(prefix)) if (prefix / "conda-meta").is_dir() else []
    return ["--constraints", _constraints(found, scratch)] if found else []


def _constraints(found: Iterable[tuple[str, str]], scratch: Path) -> str:
    file = scratch / "constraints.txt"
    lines = (f"{name}=={version}\n" for name, version in found)
    file.write_text("".join(lines), encoding="utf-8")
    return str(file)


def _distributions(prefix: Path) -> Iterator[tuple[str, str]]:
    """Yield name and version of the Python packages that Conda put into a prefix."""
    for places in ("lib/python*/site-packages", "Lib/site-packages"):
        for info in sorted(prefix.glob(f"{places}/*.dist-info/METADATA")):
            if not _is_condas(info.parent):
                continue
            with open(info, encoding="utf-8", errors="replace") as stream:
                headers = HeaderParser().parse(stream)
            if headers["Name"] and headers["Version"]:
                yield canonical_name(headers["Name"]), headers["Version"]


def _is_condas(info: Path) -> bool:
    try:
        installer = (info / "INSTALLER").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return True  # those who leave none are Conda's
    return installer not in ("uv", "pip", "poetry", "pdm")


def _write_stub(folder: Path, name: str, version: str) -> None:
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    members = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: wetlands\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        "RECORD": "".join(f"{info}/{each},,\n" for each in ("METADATA", "WHEEL", "RECORD")),
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for member, text in members.items():
            wheel.writestr(f"{info}/{member}", text)
