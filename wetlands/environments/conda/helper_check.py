"""In the helper: the archives of this machine against their hashes, which py-rattler leaves out.

Each time, and not only when the cache lacks a package: if its files there turn out to be damaged,
py-rattler reads the archive again. All archives at once, on threads, because hashing needs no
interpreter.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wetlands.environments.conda.helper import HashError
from wetlands.environments.conda.helper_report import tell
from wetlands.environments.conda.package import CondaPackage

_PIECE = 1 << 20


async def check(packages: Sequence[CondaPackage]) -> None:
    """Check that every package has a hash, and that the archives of this machine have theirs.

    Raises:
        HashError: One has not.
        FileNotFoundError: An archive is not there.
    """
    for package in packages:
        if not (package.sha256 or package.md5):
            raise HashError(
                f"{package.url} has neither a sha256 nor an md5 in its channel's index or lock, so "
                "that nobody could tell whether it is the right file"
            )
    await asyncio.gather(*(_check(each) for each in packages if each.url.startswith("file:")))


async def _check(package: CondaPackage) -> None:
    kind, wanted = ("sha256", package.sha256) if package.sha256 else ("md5", package.md5)
    found, size = await asyncio.to_thread(_hash, _path(package.url), kind)
    tell("check", package.name, size, size)
    if found != wanted.lower():
        raise HashError(
            f"hash mismatch of {package.url}: its {kind} should be {wanted}, and is {found}"
        )


def _hash(path: Path, kind: str) -> tuple[str, int]:
    hashed, size = hashlib.new(kind), 0
    with open(path, "rb") as archive:
        while piece := archive.read(_PIECE):
            hashed.update(piece)
            size += len(piece)
    return hashed.hexdigest(), size


def _path(url: str) -> Path:
    place = unquote(urlsplit(url).path)
    if os.name != "nt":
        return Path(place)
    from urllib.request import url2pathname  # brings a whole HTTP client with it

    return Path(url2pathname(place))
