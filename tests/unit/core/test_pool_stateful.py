"""Whatever the user, the processes and the clock do, the pool keeps its promises.

``WETLANDS_EXAMPLES=20000`` makes it look harder than ``--long`` does.
"""

from __future__ import annotations

import os

from chances import walk
from hypothesis import HealthCheck, settings
from pool_machine import PoolMachine, PoolWorld

EXAMPLES = int(os.environ.get("WETLANDS_EXAMPLES", "0")) or settings().max_examples

TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_walks_at_random():
    for seed in range(3 * EXAMPLES):
        try:
            walk(PoolWorld, seed, steps=50)
        except Exception as error:
            raise AssertionError(f"see walk(PoolWorld, {seed}, steps=50)") from error
