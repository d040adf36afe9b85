"""How many workers a pool has: making it larger and smaller, waking it up, starting it anew."""

from __future__ import annotations

import math

from wetlands.core.crew import Crew
from wetlands.core.slot import Slot, SlotState


class Staff(Crew):
    """A crew whose number changes."""

    def wake(self, demand: int) -> None:
        """Start workers that were let go, as many as there is work for."""
        while self.asleep and self.starting < demand:
            self.spawn(next(iter(self.asleep.values())))

    def resize(self, size: int) -> None:
        """Have ``size`` workers; those in the slots from there on end when they are idle."""
        for index in range(len(self.slots), size):
            slot = Slot(index)
            slot.state, slot.wanted = SlotState.DORMANT, False
            self.slots.append(slot)
        self.deadlines.grow(len(self.slots))
        for index, slot in enumerate(self.slots):
            if slot.wanted != (index < size):
                self._want(slot, index < size)
        self.wanted = size
        self.spent = sum(slot.wanted and slot.state is SlotState.RETIRED for slot in self.slots)

    def restart(self) -> None:
        """Replace every worker when it is idle next, and forgive every slot."""
        for slot in self.slots:
            slot.failures = 0
            if slot.state in (SlotState.STARTING, SlotState.BUSY):
                slot.leaving = True
                self.fill(slot)
            elif slot.state is SlotState.IDLE:
                self.stop(slot, "restart")
            elif slot.state in (SlotState.VACANT, SlotState.RETIRED) and slot.wanted:
                self.spawn(slot)

    def _want(self, slot: Slot, wanted: bool) -> None:
        slot.wanted = wanted
        if slot.state is SlotState.DORMANT and wanted:
            self.spawn(slot)
        elif slot.state is SlotState.DORMANT:
            self.asleep.pop(slot.worker.slot, None)
        elif slot.state is SlotState.RETIRED and wanted:
            self.spawn(slot)
        elif slot.state is SlotState.VACANT:
            self.move(slot, SlotState.DORMANT, math.inf, "the pool is smaller")
        elif slot.state is SlotState.IDLE and not wanted:
            self.stop(slot, "the pool is smaller")
        elif slot.state is SlotState.BUSY:
            self.fill(slot)
