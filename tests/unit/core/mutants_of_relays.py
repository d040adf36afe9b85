"""Mutants of what a worker has that is at a task of some milliseconds."""

from __future__ import annotations

from mutation import Mutant

MUTANTS = [
    Mutant(
        "no relays",
        "pool",
        "            self._relay()\n",
        "            pass\n",
    ),
    Mutant(
        "a relay in place of a worker that sleeps",
        "pool",
        "if self.ready and self._crew.relays and not self._crew.asleep:",
        "if self.ready and self._crew.relays:",
    ),
    Mutant(
        "a relay for a task of any length",
        "credit",
        "self.config.credit <= task.expected < self.config.relay:",
        "self.config.credit <= task.expected:",
    ),
    Mutant(
        "a relay for who has calls to make",
        "credit",
        "elif not slot.has_more() and self.config.credit",
        "elif not slot.ahead and self.config.credit",
    ),
    Mutant(
        "a relay that can't be sent ahead",
        "credit",
        "if task.kind is None or task.timeout < math.inf or task.calls > 1:",
        "if task.timeout < math.inf or task.calls > 1:",
    ),
    Mutant(
        "a relay with a time limit",
        "credit",
        "if task.kind is None or task.timeout < math.inf or task.calls > 1:",
        "if task.kind is None or task.calls > 1:",
    ),
    Mutant(
        "a relay of several calls",
        "credit",
        "if task.kind is None or task.timeout < math.inf or task.calls > 1:",
        "if task.kind is None or task.timeout < math.inf:",
    ),
    Mutant(
        "a relay is not waited for as long as its task takes",
        "credit",
        "            slot.stall_due += PATIENCE * slot.task.expected\n",
        "",
    ),
    Mutant(
        "a relay stays where it is beside an idle worker",
        "credit",
        "            slot.stall_due += PATIENCE * slot.task.expected\n"
        "            self._crew.stuck[slot.worker.slot] = slot\n",
        "            slot.stall_due += PATIENCE * slot.task.expected\n",
    ),
    Mutant(
        "a relay waits for as long as its task takes",
        "crew",
        "        if slot.worker.slot in self.stuck:  # what",
        "        if False:  # what",
    ),
    Mutant(
        "all is taken back from who is full",
        "crew",
        "        if slot.worker.slot in self.stuck:  # what",
        "        if slot.has_more():  # what",
    ),
    Mutant(
        "taken back whenever somebody looks in vain",
        "credit",
        "            if not slot.full:\n                self._crew.fill(slot)",
        "            if True:\n                self._crew.fill(slot)",
    ),
    Mutant(
        "nothing is taken back for what comes first",
        "pool",
        "            self._recall()\n",
        "            self._crew.recalls.clear()\n",
    ),
    Mutant(
        "what is known of a task is forgotten with its relay",
        "credit",
        "if slot.task.kind is not None and slot.looks > 1:",
        "if slot.task.kind is not None:",
    ),
    Mutant(
        "a relay for who is full",
        "crew",
        "        self.roomy.pop(slot.worker.slot, None)\n"
        "        self.relays.pop(slot.worker.slot, None)\n\n    def pin",
        "        self.roomy.pop(slot.worker.slot, None)\n\n    def pin",
    ),
    Mutant(
        "a relay for who is gone",
        "crew",
        "            self.relays.pop(slot.worker.slot, None)\n            self.stuck",
        "            self.stuck",
    ),
]
