"""A task that was submitted, as its pool keeps it until it ends."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wetlands.core.events import TaskSubmitted, WorkerId
from wetlands.result_proxy import ResultProxy
from wetlands.retry import RetryPolicy
from wetlands.task import Task

if TYPE_CHECKING:
    from wetlands.runtime.batch import Batch
    from wetlands.runtime.driver import Driver
    from wetlands.runtime.link import WorkerLink


@dataclass(slots=True, eq=False)
class Entry:
    """What to send, how long it may run, and what to do if it fails; queues itself when called.

    An object for all of that: of those that wait in a long queue the garbage collector looks at
    each again and again.
    """

    client: Driver
    task: Task[Any]
    payload: tuple[bytes, ...]
    timeout: float
    worker: WorkerId | None = None  #: the only one that can run it
    proxies: Sequence[ResultProxy] = ()  #: kept from being released
    retry: RetryPolicy | None = None  #: None for a task that runs once
    block: bool = True  #: whether to wait for room in the queue
    kind: str | None = None  #: tasks of one take about as long
    shares: bytes | None = None  #: what it calls, if it may go together with others that do
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
        plan, dice = None, 0.5
        if self.retry is not None:
            plan, dice = self.retry.plan, random.random()
        return TaskSubmitted(self.task.number, self.timeout, self.worker, plan, dice, self.kind)
