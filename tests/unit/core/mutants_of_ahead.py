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
    # -- what comes back, and how long it takes
    Mutant(
        "what is taken back leaves room",
        "credit",
        "        self._crew.fill(slot)\n        self._crew.stuck.pop",
        "        self._crew.stuck.pop",
    ),
    Mutant(
        "looked for after it was taken back",
        "credit",
        "        self._crew.recalls.pop(slot.worker.slot, None)\n"
        "        slot.stall_due = math.inf\n"
        "        if slot.task is not None:",
        "        self._crew.recalls.pop(slot.worker.slot, None)\n        if slot.task is not None:",
    ),
    Mutant(
        "taken back from the stuck again and again",
        "credit",
        "        self._crew.stuck.pop(slot.worker.slot, None)\n"
        "        self._crew.recalls.pop(slot.worker.slot, None)\n"
        "        slot.stall_due = math.inf\n",
        "        self._crew.recalls.pop(slot.worker.slot, None)\n"
        "        slot.stall_due = math.inf\n",
    ),
    Mutant(
        "looked for though all came back",
        "credit",
        "        if not slot.has_more():\n"
        "            slot.stall_due = math.inf\n"
        "            self._crew.stuck",
        "        if not slot.has_more():\n            self._crew.stuck",
    ),
    Mutant(
        "a bound task is not thought of when one comes back",
        "credit",
        "        if slot.state is SlotState.IDLE:\n            self._run_bound(slot)\n",
        "",
    ),
    Mutant(
        "the next one inherits the silence of the last",
        "credit",
        "        slot.state_due = now + self.config.worker_timeout\n        slot.stall_due = now",
        "        slot.stall_due = now",
    ),
    Mutant(
        "a wrong expectation is kept",
        "credit",
        "            self.paces.forget(slot.task.kind)\n",
        "            pass\n",
    ),
    Mutant(
        "a stuck worker gets more",
        "credit",
        "            if not slot.full:\n                self._crew.fill(slot)",
        "            pass",
    ),
    Mutant(
        "done work still counts as load",
        "credit",
        "slot.load = slot.load - done.expected if slot.ahead else task.expected",
        "pass",
    ),
    Mutant(
        "who has done something is still full",
        "credit",
        "        if not slot.full:\n            self._offer(slot, task)\n",
        "",
    ),
    Mutant(
        "full worker gets room by an end",
        "credit",
        "        if not slot.full:\n            self._offer(slot, task)\n",
        "        self._offer(slot, task)\n",
    ),
    Mutant(
        "the patience for what was sent ahead is not kept",
        "credit",
        "                task.force_due, task.force_outcome = self._crew.now + grace, outcome\n"
        "            task.interrupted",
        "                pass\n            task.interrupted",
    ),
    Mutant(
        "what a dead worker had begun ahead is not resolved",
        "credit",
        "            self._conclude(task, Outcome.LOST, slot, detail)\n",
        "            pass\n",
    ),
    Mutant(
        "runs of one kind count for all",
        "pace",
        "mean, runs = self._means.get(kind, (math.inf, 0))\n        return mean",
        "mean, runs = next(iter(self._means.values()), (math.inf, 0))\n        return mean",
    ),
    Mutant(
        "believed at once",
        "pace",
        "return mean if runs >= BELIEVED_AFTER else math.inf",
        "return mean",
    ),
    Mutant("the mean does not move", "pace", "mean += (seconds - mean) * WEIGHT", "pass"),
    Mutant(
        "seconds are not noted",
        "pool",
        "            self.paces.note(task.kind, event.seconds)\n",
        "            pass\n",
    ),
    Mutant(
        "first news are not looked for",
        "credit",
        "        if not slot.has_more():\n            self._expect_news(slot)\n",
        "",
    ),
    Mutant(
        "looked for since the first that was sent",
        "credit",
        "        if not slot.has_more():\n            self._expect_news(slot)\n",
        "        self._expect_news(slot)\n",
    ),
    Mutant(
        "the look is no deadline",
        "slot",
        "min(self.state_due, task.limit_due, task.force_due, self.stall_due, self.look_due)",
        "min(self.state_due, task.limit_due, task.force_due, self.look_due)",
    ),
    Mutant(
        "looks for the end of the last one count",
        "credit",
        "        slot.looks = 0\n        slot.calls -=",
        "        slot.calls -=",
    ),
    Mutant(
        "a worker that was stuck is stuck with the next one",
        "credit",
        "        crew.stuck.pop(slot.worker.slot, None)\n        crew.commands",
        "        crew.commands",
    ),
    Mutant(
        "what comes back still belongs to its worker",
        "actions",
        "            task.slot = None\n            self.ready[task.id] = task\n",
        "            self.ready[task.id] = task\n",
    ),
    Mutant(
        "taken back from a worker that is being killed",
        "credit",
        "if task and task.slot and task.slot.state is SlotState.BUSY:",
        "if task and task.slot:",
    ),
    Mutant(
        "a kill takes back what it cannot",
        "credit",
        "if slot.has_more() and slot.state is SlotState.BUSY:",
        "if slot.has_more():",
    ),
    Mutant(
        "taken back at every kill",
        "credit",
        "if slot.has_more() and slot.state is SlotState.BUSY:",
        "if slot.state is SlotState.BUSY:",
    ),
    Mutant(
        "calls of another task are signs of life",
        "credit",
        "        slot = self._crew.busy_with(event)\n"
        "        if slot is None:\n"
        "            return\n"
        "        slot.state_due",
        "        slot = self._crew.live(event.worker)\n"
        "        if slot is None:\n"
        "            return\n"
        "        slot.state_due",
    ),
]
