"""All parts, in the order in which they are measured."""

from __future__ import annotations

from benchmarks import (
    environments,
    faults,
    idle,
    latency,
    mixed,
    pools,
    queueing,
    startup,
    throughput,
    values,
    waiting,
)
from benchmarks.bars import Bar
from benchmarks.part import Part

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        pools.PART,
        latency.PART,
        throughput.PART,
        queueing.PART,
        mixed.PART,
        waiting.PART,
        startup.PART,
        environments.PART,
        idle.PART,
        faults.PART,
        values.PART,
    )
}


def bars() -> list[Bar]:
    """Return the bars of all parts."""
    return [bar for part in PARTS.values() for bar in part.bars]
