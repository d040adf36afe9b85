"""Mutants of what workers have besides the task that they are at."""

from __future__ import annotations

from mutation import Mutant

MUTANTS = [
    # -- sent ahead
    Mutant(
        "sent ahead though it may be long",
        "credit",
        "if expected >= self.config.credit or task.timeout < math.inf:",
        "if task.timeout < math.inf:",
    ),
    Mutant(
        "sent ahead with a time limit",
        "credit",
        "if expected >= self.config.credit or task.timeout < math.inf:",
        "if expected >= self.config.credit:",
    ),
    Mutant(
        "more than a moment of work sent ahead",
        "credit",
        "return slot.load < self.config.credit and slot.calls < self.config.credit_limit",
        "return slot.calls < self.config.credit_limit",
    ),
    Mutant(
        "sent ahead in spite of limits",
        "credit",
        "self._lends = unlimited and config.credit_limit > 1",
        "self._lends = config.credit_limit > 1",
    ),
    Mutant(
        "bound tasks kept waiting by what is sent ahead",
        "actions",
        "        self._crew.fill(slot)\n",
        "",
    ),
    Mutant(
        "a worker that is to go gets more",
        "staffing",
        "                slot.leaving = True\n                self.fill(slot)\n",
        "                slot.leaving = True\n",
    ),
    Mutant(
        "a worker that is to go gets more after what is bound to it",
        "credit",
        "slot.full = bool(slot.bound) or self._crew.why_to_go(slot) is not None",
        "slot.full = bool(slot.bound)",
    ),
    Mutant(
        "a worn worker that keeps nothing any more gets more",
        "crew",
        "        if slot.state is SlotState.BUSY and self.why_to_go(slot):\n"
        "            self.fill(slot)\n        elif",
        "        if",
    ),
    Mutant(
        "a worn worker that keeps values gets nothing ahead",
        "crew",
        "if slot.state is SlotState.BUSY and self.why_to_go(slot):",
        "if slot.state is SlotState.BUSY:",
    ),
    Mutant(
        "an end before its turn accepted",
        "credit",
        "slot.state is SlotState.KILLING and task.attempt == event.attempt",
        "task.attempt == event.attempt",
    ),
    Mutant(
        "a stale end of a worker that is being killed accepted",
        "credit",
        "slot.state is SlotState.KILLING and task.attempt == event.attempt",
        "slot.state is SlotState.KILLING",
    ),
    Mutant(
        "nobody is told that the next one began",
        "credit",
        "        crew.commands.append(StartTask(slot.worker, task.id, task.attempt))\n",
        "",
    ),
    Mutant(
        "what was sent ahead is canceled by the queue",
        "credit",
        "            task.interrupted = task.interrupted or outcome\n",
        "",
    ),
    Mutant(
        "a canceled one that began is not told",
        "credit",
        "        if task.interrupted:\n            crew",
        "        if False:\n            crew",
    ),
    Mutant(
        "nobody looks whether something came back",
        "credit",
        "        self._crew.commands.append(CheckWorker(slot.worker))\n",
        "",
    ),
    Mutant(
        "looked for as often for ever",
        "credit",
        "self.config.stall_timeout * 2.0 ** min(slot.looks, LOOKS)",
        "self.config.stall_timeout",
    ),
    Mutant(
        "never taken for a long task",
        "credit",
        "        slot.looks += 1\n",
        "",
    ),
    Mutant(
        "what waits behind a long task stays there",
        "pool",
        "        if self._crew.stuck and (idle or self._crew.asleep):\n"
        "            self._reclaim_stuck()\n",
        "",
    ),
    Mutant(
        "reclaimed while nobody is idle",
        "pool",
        "if self._crew.stuck and (idle or self._crew.asleep):",
        "if self._crew.stuck:",
    ),
    Mutant(
        "put back in the wrong order",
        "credit",
        "for task in reversed(tasks[begun:]):",
        "for task in tasks[begun:]:",
    ),
    Mutant(
        "all that a dead worker had counts as begun",
        "credit",
        "for i, t in enumerate(tasks) if (t.id, t.attempt) == last), 0)",
        "for i, t in enumerate(tasks)), 0)",
    ),
    Mutant(
        "what a dead worker had begun runs again",
        "credit",
        "for i, t in enumerate(tasks) if (t.id, t.attempt) == last), 0)",
        "for i, t in enumerate(tasks) if t.id == -1), 0)",
    ),
    Mutant(
        "the task before those that began is put back",
        "worker_events",
        "if task and not further and event.started",
        "if task and event.started",
    ),
    Mutant(
        "a kill leaves behind what was sent ahead",
        "credit",
        "        if slot.has_more() and slot.state is SlotState.BUSY:\n"
        "            self._reclaim(slot)\n        super()",
        "        super()",
    ),
    Mutant(
        "what ended before the kill is dropped",
        "pool",
        "            self._end_ahead(event)",
        "            pass",
    ),
    Mutant(
        "a slot that can't be vacated keeps what was sent ahead",
        "pool",
        '            self._lose_ahead(slot, self._last_sent(slot), "it could not be killed")\n',
        "",
    ),
    Mutant(
        "closing forgets what was sent ahead",
        "pool",
        "            self._interrupt_ahead(slot, event.grace, Outcome.CLOSED, "
        "*slot.ahead.values())\n",
        "",
    ),
    Mutant(
        "closing forgets what a worker has that is being killed",
        "pool",
        "            self._interrupt_ahead(slot, event.grace, Outcome.CLOSED, "
        "*slot.ahead.values())\n",
        "            if slot.task:\n                self._interrupt_ahead(slot, event.grace, "
        "Outcome.CLOSED, *slot.ahead.values())\n",
    ),
    Mutant(
        "a stale return accepted",
        "credit",
        "if task is not None and task.attempt == event.attempt:",
        "if task is not None:",
    ),
    Mutant(
        "short tasks wait for an idle worker",
        "pool",
        "        if self.ready and self._crew.roomy:\n            self._send_ahead()\n",
        "",
    ),
    Mutant(
        "workers are woken for a moment's work",
        "pool",
        "            if self._crew.roomy and self._share():\n                continue\n",
        "",
    ),
    Mutant(
        "idle workers are not woken while others can have more",
        "credit",
        " or slot.load + expected > self.config.wake:",
        ":",
    ),
    Mutant(
        "tasks with a time limit are shared",
        "credit",
        "if task.timeout < math.inf or slot.load",
        "if slot.load",
    ),
    # -- tasks of several calls
    Mutant(
        "several calls take no longer than one",
        "credit",
        "return self.paces.expect(task.kind) * task.calls",
        "return self.paces.expect(task.kind)",
    ),
    Mutant(
        "calls are not counted",
        "credit",
        "return slot.load < self.config.credit and slot.calls < self.config.credit_limit",
        "return slot.load < self.config.credit",
    ),
    Mutant(
        "calls that joined are not counted",
        "pool",
        "            task.calls = event.calls\n",
        "            pass\n",
    ),
    Mutant(
        "calls that have ended are still counted",
        "credit",
        "        slot.calls -= done.calls\n",
        "",
    ),
    Mutant(
        "what comes back goes last",
        "pool",
        "            if event.first:\n",
        "            if False:\n",
    ),
    Mutant(
        "nobody looks after calls behind the first",
        "credit",
        "        if task.calls > 1:\n            self._expect_news(slot)\n        if self._lends",
        "        if self._lends",
    ),
    Mutant(
        "calls that end are no sign of life",
        "credit",
        "            return\n"
        "        slot.state_due = self._crew.now + self.config.worker_timeout\n",
        "            return\n",
    ),
    Mutant(
        "calls that end do not put off the look",
        "credit",
        "        if slot.task is not None and slot.task.calls > 1:\n"
        "            self._expect_news(slot)\n",
        "",
    ),
    Mutant(
        "a worker that got going again is still stuck",
        "credit",
        "        self._crew.stuck.pop(slot.worker.slot, None)\n        if slot.task is not None",
        "        if slot.task is not None",
    ),
    Mutant(
        "taken back again and again",
        "credit",
        "            slot.task.calls = 1\n",
        "            pass\n",
    ),
    Mutant(
        "closing forgets the calls behind the first",
        "pool",
        "            if slot.task and slot.task.calls > 1:\n                self._reclaim(slot)\n",
        "",
    ),
    Mutant(
        "nothing is taken back when somebody asks",
        "credit",
        "        if task and task.slot and task.slot.state is SlotState.BUSY:\n"
        "            self._reclaim(task.slot)\n",
        "        pass\n",
    ),
    Mutant(
        "the next worker is looked after because of the last",
        "credit",
        "        slot.stall_due = math.inf\n        super()._dispatch",
        "        super()._dispatch",
    ),
]
