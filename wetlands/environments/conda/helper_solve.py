"""In the helper: which packages an environment is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from rattler import (
    Gateway,
    GenericVirtualPackage,
    MatchSpec,
    RepoDataRecord,
    Version,
    VirtualPackage,
    VirtualPackageOverrides,
)
from rattler import solve as rattler_solve
from rattler.channel import ChannelPriority
from rattler.package import BuildString, PackageName

from wetlands.environments.conda.helper import StallError
from wetlands.environments.conda.helper_client import channels_of, configured, gateway_of
from wetlands.environments.conda.helper_records import from_record, to_record
from wetlands.environments.conda.package import CondaPackage


async def run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the packages that satisfy a request, each under the name of its archive."""
    config = configured(request)
    gateway = gateway_of(request, config)
    channels = channels_of(request, config)
    platforms = [request["platform"], "noarch"]
    solving = rattler_solve(
        channels,
        [MatchSpec(spec) for spec in request["specs"]],
        gateway=gateway,
        platforms=platforms,
        locked_packages=_records(request["locked"]),
        virtual_packages=_virtual_packages(request["virtual_packages"]),
        channel_priority=ChannelPriority[request["sources"]["priority"].capitalize()],
        constraints=request["constraints"],
    )
    try:
        records = await asyncio.wait_for(solving, request["patience"])
    except asyncio.TimeoutError:
        patience = request["patience"]
        message = f"the channels were not read and solved for within {patience:g} seconds"
        raise StallError(message) from None
    alone = await asyncio.gather(
        *(_alone(gateway, channels, platforms, spec) for spec in request["alone"])
    )
    chosen = {record.name.normalized: record for record in [*records, *alone]}
    packages = [from_record(record) for record in chosen.values()]
    packages.sort(key=lambda package: package.name)
    return {"packages": [package.to_json() for package in packages], "channels": channels}


def _records(packages: Sequence[Mapping[str, Any]]) -> list[RepoDataRecord]:
    return [to_record(CondaPackage.from_json(package)) for package in packages]


async def _alone(
    gateway: Gateway, channels: Sequence[str], platforms: Sequence[str], spec: str
) -> RepoDataRecord:
    """Return the newest package that fits, whatever it depends on."""
    wanted = MatchSpec(spec)
    for channel in channels:
        found = await gateway.query([channel], platforms, [wanted], recursive=False)
        fitting = [record for listed in found for record in listed if wanted.matches(record)]
        if fitting:
            return max(fitting, key=lambda record: (record.version, record.build_number))
    raise LookupError(f"no candidates were found for {unquote(spec)} in {', '.join(channels)}")


def _virtual_packages(
    given: Mapping[str, str] | None,
) -> list[VirtualPackage | GenericVirtualPackage]:
    """Return what the machine has, or what is said of it; ``CONDA_OVERRIDE_*`` count."""
    if given is None:
        return [*VirtualPackage.detect(VirtualPackageOverrides.from_env())]
    return [
        GenericVirtualPackage(
            PackageName(name), Version(text.partition("=")[0] or "0"),
            BuildString(text.partition("=")[2] or "0"),
        )
        for name, text in given.items()
    ]  # fmt: skip
