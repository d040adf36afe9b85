"""Measurements of wetlands beside its peers: ``python -m benchmarks``.

Everything is measured in one run, ours and theirs in turn, because the speed of a machine changes
from minute to minute: compare ratios, not microseconds. ``docs/performance.md`` says how to read
what comes out.

`cli` runs *parts* (`parts` lists them), each of which returns *series* of values (`timing`) and has
*bars* (`bars`), the promises that the series are held against. `results` keeps runs.
"""
