"""Whatever the user, the processes and the clock do, the pool keeps its promises.

``WETLANDS_EXAMPLES=20000`` makes it look harder.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from pool_machine import PoolMachine

TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=int(os.environ.get("WETLANDS_EXAMPLES", "300")),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
