"""The numbers that the pool decides by. Durations are seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """How often a task that failed is tried again, and when.

    Attributes:
        on_error: Further runs after runs that failed in a worker which lives on.
        on_lost: Further runs after runs that took their worker with them.
        delay: Pause before the second run, in seconds.
        backoff: What the pause is multiplied with before each further one; from 1 to 1000.
        max_delay: The longest pause.
        jitter: The part of a pause, from 0 to 1, that chance may add or take away.
        judged: Whether somebody is asked before each further run.
    """

    on_error: int = 0
    on_lost: int = 0
    delay: float = 0.0
    backoff: float = 1.0
    max_delay: float = math.inf
    jitter: float = 0.0
    judged: bool = False

    def pause(self, failures: int, dice: float) -> float:
        """Return the seconds before the next run after ``failures`` of them, 1 at least.

        One throw of the dice does for all runs of a task: the golden ratio spreads them evenly.
        """
        grown = self.backoff ** min(failures - 1, 100) if self.delay else 0.0
        chance = (dice + failures * _GOLDEN) % 1.0
        spread = 1.0 + self.jitter * (2.0 * chance - 1.0)
        return min(self.delay * grown * spread, self.max_delay)


@dataclass(frozen=True)
class PoolConfig:
    """What a pool promises and how patient it is."""

    size: int = 1
    #: From the start of a process to its hello. Generous: a cold disk or a virus scanner is slow.
    startup_timeout: float = 60.0
    #: Silence of a running task that is taken for a hang; infinite unless the user says so,
    #: because honest work in C code can be silent for hours.
    worker_timeout: float = math.inf
    #: How long a worker that has something to do may stand still because a signal stopped it, and
    #: how often, about, somebody looks at one that says nothing.
    frozen_timeout: float = math.inf
    look_period: float = 1.0
    #: Tasks after which a worker is replaced.
    max_tasks: float = math.inf
    #: Bytes that a worker may take while a task runs; and the part of that beyond which it is
    #: replaced after its task, before the next one has to pay for what this one has left.
    max_memory: float = math.inf
    memory_share: float = 0.8
    #: Seconds without work after which a worker is let go, until there is work again.
    idle_timeout: float = math.inf
    #: Expected seconds of work that a worker is given at once, in how many calls about; and for how
    #: long nothing may come back before somebody looks. After the same time once more it is taken
    #: for busy with a long task, and what it has not begun goes to others when they are idle.
    credit: float = 0.001
    credit_limit: int = 128
    stall_timeout: float = 0.002
    #: The longest expected seconds of a task during which its worker is given the next one.
    relay: float = 0.1
    #: Expected seconds of work that a worker is given at once before an idle one is woken for more.
    wake: float = 0.00025
    #: From the interrupt of a task that ran out of time to the kill of its worker.
    interrupt_grace: float = 1.0
    #: From the request to exit to the kill, for an idle worker.
    stop_grace: float = 1.0
    #: Between two kills of a process that won't die (a hung file system), and how often.
    kill_retry: float = 1.0
    kill_limit: int = 5
    #: How often a task is sent at most, when its workers die before beginning it: then it is lost.
    delivery_limit: int = 3
    #: Workers that one task may cost before it is called poison and gets no other one.
    poison_limit: int = 3
    #: Deaths in a row, of a slot's workers that were not running a task, before it is retired.
    restart_limit: int = 5
    #: Pause before a replacement, doubled with every death in a row.
    backoff_base: float = 0.1
    backoff_cap: float = 30.0
    #: A worker that lived this long after its hello was no crash loop: the count starts again.
    stable_after: float = 10.0

    @property
    def frozen_looks(self) -> int:
        """How many looks in a row, after the first one, must find a worker standing still.

        Looks are counted, not seconds: one that is late, as its host was suspended, proves no more.
        """
        if self.frozen_timeout == math.inf:
            return 1
        return math.ceil(self.frozen_timeout / self.look_period)

    @property
    def look_after(self) -> float:
        """The seconds between two looks; infinite if nobody needs to look."""
        return self.frozen_timeout / self.frozen_looks

    def backoff(self, failures: int) -> float:
        """Return the pause before the next start after ``failures`` deaths in a row."""
        if failures == 0:
            return 0.0
        return float(min(self.backoff_cap, self.backoff_base * 2.0 ** min(failures - 1, 30)))
