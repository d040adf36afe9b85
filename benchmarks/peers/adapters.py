"""All adapters, by the names of their pools."""

from __future__ import annotations

from benchmarks.peers.adapter import Adapter
from benchmarks.peers.clusters import Dask, Parsl, Ray
from benchmarks.peers.local import (
    Appose,
    Executor,
    Executorlib,
    Loky,
    MultiprocessingPool,
    Pebble,
    Wetlands,
)

ADAPTERS: dict[str, type[Adapter]] = {
    kind.name: kind
    for kind in (
        Wetlands,
        Executor,
        MultiprocessingPool,
        Loky,
        Pebble,
        Appose,
        Executorlib,
        Parsl,
        Dask,
        Ray,
    )
}
OURS = Wetlands.name
#: Those that anybody may be measured against.
PEERS = tuple(name for name in ADAPTERS if name != OURS)
#: Those that need no package.
STDLIB = tuple(name for name in PEERS if not ADAPTERS[name].requirements)
