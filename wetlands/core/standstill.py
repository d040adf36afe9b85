"""Workers that stand still: a signal (SIGSTOP, job control) has stopped the process.

Nothing tells of that but a look at the process, and nobody needs to know of it while there is
nothing for the worker to do. So somebody looks at a worker that has something to do and has said
nothing for a while, again and again, and never at one that is idle, or that goes on talking. When
enough looks in a row have found the very same standstill, the worker is replaced.

What it has not begun has cost nothing, the first task not either that was sent to a worker which
stood still already. Only its exit tells what it has begun: should somebody have it go on at this
very moment, a task that is sent elsewhere would run twice.
"""

from __future__ import annotations

from wetlands.core.commands import LookAtWorker
from wetlands.core.credit import Credit
from wetlands.core.events import WorkerSeen
from wetlands.core.policy import PoolConfig
from wetlands.core.slot import Slot, SlotState


class Standstill(Credit):
    """What a pool does about workers that a signal has stopped."""

    def __init__(self, config: PoolConfig) -> None:
        super().__init__(config)
        self._frozen_looks = config.frozen_looks

    def _look(self, slot: Slot) -> None:
        slot.look_due = self._crew.now + self._look_after
        self._crew.commands.append(LookAtWorker(slot.worker))

    def _on_worker_seen(self, event: WorkerSeen) -> None:
        slot = self._crew.live(event.worker)
        if slot is None or slot.state is not SlotState.BUSY:
            return
        if event.standstill is None or event.standstill != slot.standstill:
            slot.standstill, slot.still = event.standstill, 0
            return
        slot.still += 1
        if slot.still >= self._frozen_looks:
            self._replace_frozen(slot)

    def _replace_frozen(self, slot: Slot) -> None:
        """Kill the worker; its exit decides about all that it has."""
        if slot.has_more():
            self._reclaim(slot)
        task, slot.task = slot.task, None
        assert task is not None
        slot.ahead[task.id] = task
        slot.ahead.move_to_end(task.id, last=False)
        slot.blameless = slot.undecided = True
        reason = f"it was frozen (stopped by a signal) for {self.config.frozen_timeout:g} s"
        self._crew.kill(slot, reason)
        self._lose_bound(slot, reason)
