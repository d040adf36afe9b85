"""The numbers that the pool decides by. Durations are seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PoolConfig:
    """What a pool promises and how patient it is."""

    size: int = 1
    #: From the start of a process to its hello. Generous: a cold disk or a virus scanner is slow.
    startup_timeout: float = 60.0
    #: Silence of a running task that is taken for a hang; infinite unless the user says so,
    #: because honest work in C code can be silent for hours.
    worker_timeout: float = math.inf
    #: From the interrupt of a task that ran out of time to the kill of its worker.
    interrupt_grace: float = 1.0
    #: From the request to exit to the kill, for an idle worker.
    stop_grace: float = 1.0
    #: Between two kills of a process that won't die (a hung file system), and how often.
    kill_retry: float = 1.0
    kill_limit: int = 5
    #: How often a task is sent at most, when its workers die before beginning it: then it is lost.
    delivery_limit: int = 3
    #: Deaths in a row, of a slot's workers that were not running a task, before it is retired.
    restart_limit: int = 5
    #: Pause before a replacement, doubled with every death in a row.
    backoff_base: float = 0.1
    backoff_cap: float = 30.0
    #: A worker that lived this long after its hello was no crash loop: the count starts again.
    stable_after: float = 10.0

    def backoff(self, failures: int) -> float:
        """Return the pause before the next start after ``failures`` deaths in a row."""
        if failures == 0:
            return 0.0
        return float(min(self.backoff_cap, self.backoff_base * 2.0 ** min(failures - 1, 30)))
