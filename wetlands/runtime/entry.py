"""A task that was submitted, as its pool keeps it until it ends."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from wetlands.core.events import TaskSubmitted, WorkerId
from wetlands.result_proxy import ResultProxy
from wetlands.retry import RetryPolicy
from wetlands.task import Task

if TYPE_CHECKING:
    from wetlands.runtime.batch import Batch
    from wetlands.runtime.driver import Driver
    from wetlands.runtime.link import WorkerLink


class Terms(NamedTuple):
    """What is special about a few tasks.

    Attributes:
        timeout: Seconds that it may run.
        worker: The only one that can run it.
        proxies: Those among its arguments, which are kept from being released.
        retry: What to do when it fails; None for a task that runs once.
        block: Whether to wait for room in the queue.
    """

    timeout: float = math.inf
    worker: WorkerId | None = None
    proxies: Sequence[ResultProxy] = ()
    retry: RetryPolicy | None = None
    block: bool = True


USUAL = Terms()
NOT_WAITING = Terms(block=False)


@dataclass(slots=True, eq=False)
class Entry:
    """What to send, and on which terms; queues itself when called.

    An object for all of that: of those that wait in a long queue the garbage collector looks at
    each again and again.
    """

    client: Driver
    task: Task[Any]
    payload: tuple[bytes, ...]
    terms: Terms
    kind: str | None  #: tasks of one take about as long
    shares: bytes | None  #: what it calls, if it may go together with others that do
    out_of_gate: bool = False  #: it counts as queued no more
    batch: Batch | None = None  #: what it is a part of
    attempt: int = 0  #: how many times it was sent in a batch
    order: int = 0  #: the number of its Run, while a worker has that batch
    canceled: bool = False  #: so that it is not queued again

    def __call__(self) -> None:
        """Queue it; for the holder of the loop's role."""
        self.client.submit(self)

    @property
    def run(self) -> tuple[int, int]:
        """What a worker calls it, when it was sent in a batch."""
        return (self.task.number, self.attempt)

    def is_with(self, worker: WorkerLink, attempt: int) -> bool:
        """Whether a worker has it, in a batch, and for which attempt."""
        return self.batch is not None and self.batch.worker is worker and self.attempt == attempt

    def submission(self) -> TaskSubmitted:
        """Return the event that queues it."""
        plan, dice, terms = None, 0.5, self.terms
        if terms.retry is not None:
            plan, dice = terms.retry.plan, random.random()
        number, kind = self.task.number, self.kind
        return TaskSubmitted(number, terms.timeout, terms.worker, plan, dice, kind)
