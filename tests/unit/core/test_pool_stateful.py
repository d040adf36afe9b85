"""Whatever the user, the processes and the clock do, the pool keeps its promises.

``WETLANDS_EXAMPLES=20000`` makes it look harder than ``--long`` does.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from pool_machine import PoolMachine

TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=int(os.environ.get("WETLANDS_EXAMPLES", "0")) or settings().max_examples,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
