"""Who is there, and at what: a look at the workers of a pool when somebody asks, and only then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wetlands.core.pool import SlotState
from wetlands.runtime.hearing import Hearing
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.looking import Sight, look_at
from wetlands.runtime.staff import Staff
from wetlands.worker_info import WorkerInfo, WorkerStatus

if TYPE_CHECKING:
    from wetlands.runtime.driver import Driver

_STATUSES = {
    SlotState.STARTING: WorkerStatus.STARTING,
    SlotState.IDLE: WorkerStatus.IDLE,
    SlotState.BUSY: WorkerStatus.BUSY,
}


class Roster:
    """Tells of the workers that there are. For the holder of the loop's role."""

    def __init__(self, driver: Driver, staff: Staff, hearing: Hearing) -> None:
        self._driver = driver
        self._staff = staff
        self._hearing = hearing

    def read(self) -> list[WorkerInfo]:
        """Return what the pool knows of them, by their numbers."""
        links = sorted(self._staff.links.values(), key=lambda link: link.id)
        for link in links:
            self._hearing.take_notes(link)  # a task may have ended, and not be told of yet
        return [self._info(link) for link in links]

    def _info(self, link: WorkerLink) -> WorkerInfo:
        slot = self._driver.core.slots[link.id.slot]
        status = WorkerStatus.ENDING  # one whose slot has another one by now, too
        if slot.worker == link.id:
            status = _STATUSES.get(slot.state, WorkerStatus.ENDING)
        entry = None if link.busy_with is None else self._driver.entries.get(link.busy_with[0])
        pid = None if link.process is None else link.process.pid
        if entry is None:
            return WorkerInfo(link.id.slot, pid, status)
        started = entry.task._started
        now = time.monotonic()
        silence = max(0.0, now - max(now if started is None else started, link.heard))
        return WorkerInfo(link.id.slot, pid, status, entry.task, silence)


def measured(workers: Sequence[WorkerInfo], interval: float) -> list[WorkerInfo]:
    """Return the same, and what their processes do meanwhile; for any thread.

    Args:
        workers: What the pool knows of them.
        interval: The seconds over which their processor time is measured; 0: it is not.
    """
    before = [_look(worker) for worker in workers]
    if not interval:
        return [_seen(worker, sight) for worker, sight in zip(workers, before, strict=True)]
    begin = time.monotonic()
    time.sleep(interval)
    after = [_look(worker) for worker in workers]
    passed = time.monotonic() - begin
    return [
        _seen(worker, then, max(0.0, then.seconds - first.seconds) / passed)
        for worker, first, then in zip(workers, before, after, strict=True)
    ]


def _look(worker: WorkerInfo) -> Sight:
    return Sight() if worker.pid is None else look_at(worker.pid)


def _seen(worker: WorkerInfo, sight: Sight, cpu: float | None = None) -> WorkerInfo:
    if worker.pid is None:
        return worker
    status = WorkerStatus.STOPPED if sight.stopped else worker.status
    return worker._replace(status=status, cpu=cpu)
