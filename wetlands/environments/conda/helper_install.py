"""In the helper: puts packages into a prefix; every archive is checked against its hash before.

py-rattler checks archives that it fetches over the network while they come; those of this machine
are hashed before it is called. What is in the cache already was checked when it came, and is
compared file by file with what its archive listed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rattler import install as rattler_install
from rattler.package_cache import PackageCache, PackageCacheLayer, ValidationMode

from wetlands.environments.conda.helper import StallError, fail
from wetlands.environments.conda.helper_check import check
from wetlands.environments.conda.helper_client import client_of, configured
from wetlands.environments.conda.helper_paths import check_paths
from wetlands.environments.conda.helper_records import to_record
from wetlands.environments.conda.helper_report import LineReporter
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.flock import FileLock


async def run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Make a prefix consist of exactly these packages."""
    packages = [CondaPackage.from_json(package) for package in request["packages"]]
    with FileLock(Path(request["lock"])) as lock:
        lock.acquire(shared=True)
        await check(packages, Path(request["archives"]))
        await _install(request, packages)
    return {}


async def _install(request: Mapping[str, Any], packages: Sequence[CondaPackage]) -> None:
    layer = PackageCacheLayer(request["cache"]).with_validation_mode(ValidationMode.full())
    config = configured(request)
    cached = {package.name: Path(request["cache"], package.stem) for package in packages}
    reporter = LineReporter(len(packages), lambda name: _check_paths(cached[name]))
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


def _check_paths(folder: Path) -> None:
    """End this process before a package is linked that must not be; on a thread of py-rattler."""
    try:
        check_paths(folder)
    except Exception as error:  # py-rattler would go on in spite of it
        fail(error)


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
