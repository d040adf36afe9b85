"""Mutants of what is done about workers that a signal has stopped."""

from __future__ import annotations

from mutation import Mutant

MUTANTS = [
    Mutant(
        "frozen is what moved in between",
        "standstill",
        "event.standstill is None or event.standstill != slot.standstill",
        "event.standstill is None",
    ),
    Mutant(
        "frozen is what does not move",
        "standstill",
        "event.standstill is None or event.standstill != slot.standstill",
        "event.standstill != slot.standstill",
    ),
    Mutant(
        "standstill before a move counts",
        "standstill",
        "slot.standstill, slot.still = event.standstill, 0",
        "slot.standstill = event.standstill",
    ),
    Mutant(
        "frozen one look too early",
        "standstill",
        "if slot.still >= self._frozen_looks:",
        "if slot.still + 1 >= self._frozen_looks:",
    ),
    Mutant(
        "frozen one look too late",
        "standstill",
        "if slot.still >= self._frozen_looks:",
        "if slot.still > self._frozen_looks:",
    ),
    Mutant(
        "standstill of an earlier worker is known",
        "slot",
        "        self.standstill: object = None  #:",
        "        self.standstill: object = getattr(self, 'standstill', None)  #:",
    ),
    Mutant(
        "looked at too often",
        "standstill",
        "        slot.look_due = self._crew.now + self._look_after\n",
        "        slot.look_due = self._crew.now + self._look_after / 2\n",
    ),
    Mutant(
        "looked at once",
        "standstill",
        "        slot.look_due = self._crew.now + self._look_after\n",
        "        slot.look_due = float('inf')\n",
    ),
    Mutant(
        "nobody looks at the first task",
        "actions",
        "        slot.look_due = self._crew.now + self._look_after\n",
        "        slot.look_due = float('inf')\n",
    ),
    Mutant(
        "looked at while updates come",
        "pool",
        "            slot.look_due = self._crew.now + self._look_after\n",
        "",
    ),
    Mutant(
        "looked at while calls end",
        "credit",
        "        slot.look_due = self._crew.now + self._look_after\n",
        "",
    ),
    Mutant(
        "looked at while tasks end",
        "credit",
        "        slot.look_due = now + self._look_after\n",
        "",
    ),
    Mutant(
        "look is no deadline of the slot",
        "slot",
        "self.stall_due, self.look_due)",
        "self.stall_due)",
    ),
    Mutant(
        "idle worker is frozen",
        "standstill",
        "if slot is None or slot.state is not SlotState.BUSY:",
        "if slot is None or slot.state not in (SlotState.BUSY, SlotState.IDLE):",
    ),
    Mutant(
        "frozen worker is killed at every look",
        "standstill",
        "if slot is None or slot.state is not SlotState.BUSY:",
        "if slot is None or slot.state not in (SlotState.BUSY, SlotState.KILLING):",
    ),
    Mutant(
        "frozen worker keeps what it has not begun",
        "standstill",
        "        if slot.has_more():\n            self._reclaim(slot)\n",
        "",
    ),
    Mutant(
        "task of a frozen worker is lost at once",
        "standstill",
        "        self._crew.kill(slot, reason)\n        self._lose",
        "        from wetlands.core.events import Outcome\n"
        "        slot.ahead.popitem(last=False)\n"
        "        self._crew.kill(slot, reason)\n"
        "        self._conclude(task, Outcome.LOST, slot, reason)\n        self._lose",
    ),
    Mutant(
        "task of a frozen worker is behind the others",
        "standstill",
        "        slot.ahead.move_to_end(task.id, last=False)\n",
        "",
    ),
    Mutant(
        "freezing counts as a failure",
        "standstill",
        "slot.blameless = slot.undecided = True",
        "slot.undecided = True",
    ),
    Mutant(
        "nobody is told that the task is undecided",
        "standstill",
        "slot.blameless = slot.undecided = True",
        "slot.blameless = True",
    ),
    Mutant(
        "the successor is undecided, too",
        "slot",
        "        self.undecided = False  #:",
        "        self.undecided = getattr(self, 'undecided', False)  #:",
    ),
    Mutant(
        "frozen worker keeps its bound tasks waiting",
        "standstill",
        "        self._lose_bound(slot, reason)\n",
        "",
    ),
]
