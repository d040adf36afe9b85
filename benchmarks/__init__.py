"""Measurements of wetlands beside its peers: ``python -m benchmarks``.

Everything is measured in one run, ours and theirs in turn, because the speed of a machine changes
from minute to minute: compare ratios, not microseconds.
"""
