"""What happens to workers: they get ready, exit, misbehave, are measured, become more or fewer."""

from __future__ import annotations

from wetlands.core.events import (
    Outcome,
    ResizeRequested,
    RestartRequested,
    WorkerExited,
    WorkerFaulted,
    WorkerMeasured,
    WorkerPinned,
    WorkerReady,
    WorkerWorn,
)
from wetlands.core.slot import SlotState
from wetlands.core.standstill import Standstill


class WorkerEvents(Standstill):
    """The events of a pool that are about workers; those about tasks are in `PoolCore`."""

    def _on_worker_ready(self, event: WorkerReady) -> None:
        slot = self._crew.live(event.worker)
        if slot and slot.state is SlotState.STARTING:
            slot.ready_at = self._crew.now
            self._crew.rest(slot, "hello")
            self._run_bound(slot)

    def _on_worker_exited(self, event: WorkerExited) -> None:
        slot = self._crew.live(event.worker)
        if slot is None:
            return
        slot.blameless = slot.blameless or slot.worn  # it may go before it is asked to
        # Those behind it first, as each of them is put back at the front.
        further = self._lose_ahead(slot, event.started, event.detail)
        task, slot.task = slot.task, None
        if task and not further and event.started != (task.id, task.attempt):
            self._redeliver(slot, task, event.detail)
        elif task:
            slot.blameless = True
            self._conclude(task, Outcome.LOST, slot, event.detail)
        self._lose_bound(slot, event.detail)
        self._crew.vacate(slot, replace=not self.closing)

    def _on_worker_faulted(self, event: WorkerFaulted) -> None:
        slot = self._crew.live(event.worker)
        if slot and slot.state is not SlotState.KILLING:
            self._kill(slot, Outcome.LOST, event.reason)

    def _on_worker_measured(self, event: WorkerMeasured) -> None:
        slot = self._crew.live(event.worker)
        if slot is None:
            return
        slot.memory = event.memory
        if slot.state is SlotState.BUSY and event.memory > self.config.max_memory:
            reason = f"it took more than {self.config.max_memory / 2**20:.0f} MiB of memory"
            self._kill(slot, Outcome.OUT_OF_MEMORY, reason)
        elif slot.state is SlotState.IDLE and event.memory > self._recycled_beyond:
            slot.worn = True
            self._crew.stop_if_due(slot)

    def _on_worker_worn(self, event: WorkerWorn) -> None:
        slot = self._crew.live(event.worker)
        if slot is None or not slot.runs:
            return  # one that its initializer wears out would be followed by another, for ever
        slot.worn = True
        if slot.state is SlotState.BUSY:
            self._crew.fill(slot)
        elif slot.state is SlotState.IDLE:
            self._crew.stop_if_due(slot)

    def _on_worker_pinned(self, event: WorkerPinned) -> None:
        slot = self._crew.live(event.worker)
        if slot is not None:
            self._crew.pin(slot, event.pinned)

    def _on_resize_requested(self, event: ResizeRequested) -> None:
        if not self.closing and not self.broken:
            self._crew.resize(event.size)

    def _on_restart_requested(self, event: RestartRequested) -> None:
        if not self.closing:
            self.broken = False
            self._crew.restart()
