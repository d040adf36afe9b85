"""In the helper: puts packages into a prefix; every archive is checked against its hash before.

py-rattler checks archives that it fetches over the network while they come, and leaves those of
``file://`` unchecked: these are hashed here. What is in the cache already was checked when it came;
its archive is not read again, and its files are compared with what the archive listed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rattler import install as rattler_install
from rattler.package_cache import PackageCache, PackageCacheLayer, ValidationMode

from wetlands.environments.conda.cache import has
from wetlands.environments.conda.helper import HashError, StallError
from wetlands.environments.conda.helper_client import client_of, configured
from wetlands.environments.conda.helper_records import to_record
from wetlands.environments.conda.helper_report import LineReporter, tell
from wetlands.environments.conda.package import CondaPackage

_PIECE = 1 << 20


async def run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Make a prefix consist of exactly these packages."""
    packages = [CondaPackage.from_json(package) for package in request["packages"]]
    cache = Path(request["cache"])
    for package in packages:
        if not (package.sha256 or package.md5):
            raise HashError(
                f"{package.url} has neither a sha256 nor an md5 in its channel's index or lock, so "
                "that nobody could tell whether it is the right file"
            )
        if package.url.startswith("file:") and not has(cache, package):
            _check(package)
    layer = PackageCacheLayer(cache).with_validation_mode(ValidationMode.full())
    config = configured(request)
    reporter = LineReporter(len(packages))
    installing = asyncio.ensure_future(
        rattler_install(
            [to_record(package) for package in packages],
            target_prefix=request["prefix"],
            package_cache=PackageCache.from_layers([layer]),
            client=client_of(request, config),
            config=config,
            show_progress=False,
            execute_link_scripts=False,
            reporter=reporter,
        )
    )
    await _watched(installing, reporter, request["patience"])
    return {}


async def _watched(
    installing: asyncio.Future[None], reporter: LineReporter, patience: float
) -> None:
    """Wait for an installation, unless nothing comes for too long.

    Raises:
        StallError: Nothing does. The installation goes on, but this process is to end now.
    """
    while not installing.done():
        await asyncio.wait([installing], timeout=min(1.0, patience / 4))
        if reporter.silence() > patience and not installing.done():
            raise StallError(f"a download has stood still for {patience:g} seconds")
    installing.result()


def _check(package: CondaPackage) -> None:
    """Hash an archive of this machine.

    Raises:
        HashError: It is another one.
        FileNotFoundError: It is not there.
    """
    path = _path(package.url)
    kind, wanted = ("sha256", package.sha256) if package.sha256 else ("md5", package.md5)
    hashed, done, total = hashlib.new(kind), 0, path.stat().st_size
    with open(path, "rb") as archive:
        while piece := archive.read(_PIECE):
            hashed.update(piece)
            done += len(piece)
    tell("check", package.name, done, total)
    if hashed.hexdigest() != wanted.lower():
        raise HashError(
            f"hash mismatch of {package.url}: its {kind} should be {wanted}, and is "
            f"{hashed.hexdigest()}"
        )


def _path(url: str) -> Path:
    place = unquote(urlsplit(url).path)
    if os.name != "nt":
        return Path(place)
    from urllib.request import url2pathname  # brings a whole HTTP client with it

    return Path(url2pathname(place))
