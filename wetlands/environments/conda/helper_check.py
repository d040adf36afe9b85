"""In the helper: the archives of this machine against their hashes, which py-rattler leaves out.

Also when the cache has a package: if its files there turn out to be damaged, py-rattler reads the
archive again. All archives at once, on threads, because hashing needs no interpreter. What was
found is kept until the archive changes, which shows in when, how large and which file it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wetlands.environments import answers
from wetlands.environments.conda.helper import HashError
from wetlands.environments.conda.helper_report import tell
from wetlands.environments.conda.package import CondaPackage

_PIECE = 1 << 20
#: How long a file must not have changed, so that the next change is sure to show in its times.
_SETTLED = timedelta(seconds=2)


async def check(packages: Sequence[CondaPackage], known: Path) -> None:
    """Check that every package has a hash, and that the archives of this machine have theirs.

    Args:
        packages: The packages.
        known: Where hashes of archives are kept.

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
    local = (package for package in packages if package.url.startswith("file:"))
    await asyncio.gather(*(_check(package, known) for package in local))


async def _check(package: CondaPackage, known: Path) -> None:
    kind, wanted = ("sha256", package.sha256) if package.sha256 else ("md5", package.md5)
    found, size = await asyncio.to_thread(_known_hash, _path(package.url), kind, known)
    tell("check", package.name, size, size)
    if found != wanted.lower():
        raise HashError(
            f"hash mismatch of {package.url}: its {kind} should be {wanted}, and is {found}"
        )


def _known_hash(path: Path, kind: str, known: Path) -> tuple[str, int]:
    status = os.stat(path)
    state = [kind, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]
    if found := answers.recall(known, path, state):
        return found["hash"], status.st_size
    digest, size = _hash(path, kind)
    changed = datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), timezone.utc)
    if datetime.now(timezone.utc) - changed > _SETTLED:
        answers.remember(known, path, state, {"hash": digest})
    return digest, size


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
