"""Sending tasks ahead: several at once to a worker, when each takes but microseconds, or one.

A worker that gets its next task only after its last answer has been read does nothing for as long
as a round trip takes, which is a hundred times as long as the shortest of tasks. So a worker that
is at a short task is sent more of them, as many as are expected to keep it at work for a moment
(`PoolConfig.credit`). What is expected is the mean of the tasks of the same kind that ended
lately; a task of a kind that is not known, or that takes longer, is never sent ahead.

A worker at a task of some milliseconds (`PoolConfig.relay`) gets one more, its *relay*, which it
takes up without a pause. That one is taken back as soon as somebody is idle, or if the task takes
`PATIENCE` times as long as those of its kind do.

Nothing is promised away by that:

-   What was sent ahead still counts as waiting, begins in its order, and is canceled, closed and
    redelivered as what is queued is: the worker has it, but has not begun it.
-   The expectation may be wrong. If nothing comes back from a worker for a while, it is *stuck*
    with a long task: what it has not begun is *reclaimed* as soon as another worker is idle. Its
    slot is *full* until it is idle itself.
-   Nobody is woken who is idle for what another worker does within a moment (`PoolConfig.wake`).
-   A worker says which task it began last in a place that outlives it (the driver's business),
    hence the blame for a death is exact, whatever else was on its way.
"""

from __future__ import annotations

import math

from wetlands.core.actions import PoolActions
from wetlands.core.commands import CheckWorker, DispatchTask, InterruptTask, ReclaimTasks, StartTask
from wetlands.core.events import (
    Outcome,
    ReclaimRequested,
    TaskAdvanced,
    TaskEnded,
    TaskReturned,
)
from wetlands.core.pace import Paces
from wetlands.core.policy import PoolConfig
from wetlands.core.slot import Slot, SlotState, Task

#: For how long a relay waits at most: how many times what is expected of the task before it.
PATIENCE = 2.0
#: After so many looks in vain the pause between them grows no more.
LOOKS = 10


class Credit(PoolActions):
    """What a pool does with tasks that a worker has, and is not at."""

    def __init__(self, config: PoolConfig) -> None:
        super().__init__(config)
        self.paces = Paces()
        # Limits that are looked at after each task leave no room for several at once.
        unlimited = math.isinf(config.max_tasks) and math.isinf(config.max_memory)
        self._lends = unlimited and config.credit_limit > 1

    def fitting(self, kind: str | None) -> int:
        """Return how many calls of a kind make one task: they take half of the credit."""
        expected = self.paces.expect(kind)
        if not self._lends or expected >= self.config.credit:
            return 1
        most = self.config.credit_limit // 2
        return max(1, min(most, int(self.config.credit / 2 / max(expected, 1e-9))))

    def is_brief(self, kind: str | None) -> bool:
        """Whether no idle worker is woken for a task of a kind; for any thread."""
        return self.paces.expect(kind) <= self.config.wake

    def _dispatch(self, slot: Slot, task: Task) -> None:
        """Have an idle worker begin; it can have more if this is a short task."""
        slot.stall_due = math.inf
        super()._dispatch(slot, task)
        # Once it is idle those come before all others that are bound to it, or it is to go.
        slot.full = bool(slot.bound) or self._crew.why_to_go(slot) is not None
        slot.load = task.expected = self._expect(task)
        slot.calls = task.calls
        if task.calls > 1:
            self._expect_news(slot)
        if self._lends and not slot.full:
            self._offer(slot, task)

    def _offer(self, slot: Slot, task: Task) -> None:
        """Take note of what a worker can be given that is at a task, if that is anything."""
        if self._has_room(slot):
            self._crew.roomy[slot.worker.slot] = slot
        elif not slot.has_more() and self.config.credit <= task.expected < self.config.relay:
            self._crew.relays[slot.worker.slot] = slot

    def _has_room(self, slot: Slot) -> bool:
        return slot.load < self.config.credit and slot.calls < self.config.credit_limit

    def _expect(self, task: Task) -> float:
        return self.paces.expect(task.kind) * task.calls

    def _expect_news(self, slot: Slot) -> None:
        """Have somebody look should nothing come back for a while."""
        slot.stall_due = self._crew.now + self.config.stall_timeout
        slot.looks = 0
        self._crew.arm(slot)

    def _send_ahead(self) -> None:
        """Give short tasks from the front of the queue to those who can have more, by turns."""
        while self.ready and self._crew.roomy:
            task = next(iter(self.ready.values()))
            expected = self._expect(task)
            if expected >= self.config.credit or task.timeout < math.inf:
                return  # the first one waits for an idle worker, and the others for their turn
            self._lend(next(iter(self._crew.roomy.values())), task, expected)

    def _relay(self) -> None:
        """Give those their next task, by turns, who are at one of some milliseconds."""
        relays = self._crew.relays
        while self.ready and relays:
            task = next(iter(self.ready.values()))
            if task.kind is None or task.timeout < math.inf or task.calls > 1:
                return  # the first one waits for an idle worker, and the others for their turn
            slot = relays.popitem(last=False)[1]
            assert slot.task is not None
            self._lend(slot, task, self._expect(task))
            slot.stall_due += PATIENCE * slot.task.expected
            self._crew.stuck[slot.worker.slot] = slot

    def _share(self) -> bool:
        """Give the first task to a worker that is awake, and soon done with what it has.

        Return whether there is one. To wake another one would take longer, and where there are
        more workers than processors it would take turns with this one.
        """
        slot = next(reversed(self._crew.roomy.values()))
        task = next(iter(self.ready.values()))
        expected = self._expect(task)
        if task.timeout < math.inf or slot.load + expected > self.config.wake:
            return False
        self._lend(slot, task, expected)
        return True

    def _lend(self, slot: Slot, task: Task, expected: float) -> None:
        """Send a worker that is busy the first task of the queue."""
        del self.ready[task.id]
        task.attempt += 1
        task.slot, task.expected = slot, expected
        if not slot.has_more():
            self._expect_news(slot)
        slot.ahead[task.id] = task
        slot.load += expected
        slot.calls += task.calls
        command = DispatchTask(slot.worker, task.id, task.attempt, ahead=True)
        self._crew.commands.append(command)
        if self._has_room(slot):
            self._crew.roomy.move_to_end(slot.worker.slot)
        else:
            self._crew.roomy.pop(slot.worker.slot, None)

    def _advance(self, slot: Slot, done: Task) -> None:
        """The worker is done with its task, and at the next one of those it has."""
        task = slot.task = slot.ahead.popitem(last=False)[1]
        now, crew = self._crew.now, self._crew
        slot.state_due = now + self.config.worker_timeout
        slot.stall_due = now + self.config.stall_timeout if slot.has_more() else math.inf
        slot.look_due = now + self._look_after
        slot.looks = 0
        slot.calls -= done.calls
        crew.stuck.pop(slot.worker.slot, None)
        crew.commands.append(StartTask(slot.worker, task.id, task.attempt))
        if task.interrupted:
            crew.commands.append(InterruptTask(slot.worker, task.id, task.attempt))
        crew.arm(slot)
        slot.load = slot.load - done.expected if slot.ahead else task.expected
        if not slot.full:
            self._offer(slot, task)

    def _interrupt_ahead(self, slot: Slot, grace: float, outcome: Outcome, *tasks: Task) -> None:
        """Have tasks that were sent ahead not begin, or stop in time if they have."""
        for task in tasks:
            if self._crew.now + grace < task.force_due:
                task.force_due, task.force_outcome = self._crew.now + grace, outcome
            task.interrupted = task.interrupted or outcome
        if tasks and slot.state is SlotState.BUSY:
            self._reclaim(slot)

    def _on_reclaim_requested(self, event: ReclaimRequested) -> None:
        task = self.tasks.get(event.task)
        if task and task.slot and task.slot.state is SlotState.BUSY:
            self._reclaim(task.slot)

    def _on_task_advanced(self, event: TaskAdvanced) -> None:
        slot = self._crew.busy_with(event)
        if slot is None:
            return
        slot.state_due = self._crew.now + self.config.worker_timeout
        slot.look_due = self._crew.now + self._look_after
        self._crew.stuck.pop(slot.worker.slot, None)
        if slot.task is not None and slot.task.calls > 1:
            self._expect_news(slot)

    def _reclaim(self, slot: Slot) -> None:
        """Take back what the worker has not begun; it gets no more before it is idle."""
        self._crew.fill(slot)
        self._crew.stuck.pop(slot.worker.slot, None)
        self._crew.recalls.pop(slot.worker.slot, None)
        slot.stall_due = math.inf
        if slot.task is not None:
            slot.task.calls = 1
        self._crew.commands.append(ReclaimTasks(slot.worker))

    def _recall(self) -> None:
        """Take back what waits behind other tasks, where something else is to come first."""
        while self._crew.recalls:
            self._take_back(next(iter(self._crew.recalls.values())))

    def _reclaim_stuck(self) -> None:
        """Take back what waits behind other tasks: somebody has nothing to do."""
        for slot in list(self._crew.stuck.values()):
            self._take_back(slot)

    def _take_back(self, slot: Slot) -> None:
        assert slot.task is not None
        if slot.task.kind is not None and slot.looks > 1:
            self.paces.forget(slot.task.kind)
        self._reclaim(slot)

    def _stalled(self, slot: Slot) -> None:
        """Nothing came back for long: look, the second time take its task for a long one.

        And go on looking, ever more rarely: an end that is noted late, because the worker had to
        wait for a processor, must not stay unknown for as long as the task behind it runs.
        """
        slot.stall_due = self._crew.now + self.config.stall_timeout * 2.0 ** min(slot.looks, LOOKS)
        slot.looks += 1
        self._crew.commands.append(CheckWorker(slot.worker))
        if slot.looks > 1:
            if not slot.full:
                self._crew.fill(slot)  # a relay comes back by that, before all that is queued
            self._crew.stuck[slot.worker.slot] = slot

    def _kill(self, slot: Slot, outcome: Outcome, reason: str) -> None:
        if slot.has_more() and slot.state is SlotState.BUSY:
            self._reclaim(slot)
        super()._kill(slot, outcome, reason)

    def _on_task_returned(self, event: TaskReturned) -> None:
        slot = self._crew.live(event.worker)
        if slot is None:
            return
        task = slot.ahead.get(event.task)
        if task is not None and task.attempt == event.attempt:
            del slot.ahead[task.id]  # what it counted for is no matter: the slot is full
        elif slot.task and (slot.task.id, slot.task.attempt) == (event.task, event.attempt):
            task, slot.task = slot.task, None
            if slot.ahead:
                self._advance(slot, task)
            else:
                self._crew.rest(slot, "returned")
        else:
            return  # stale
        if not slot.has_more():
            slot.stall_due = math.inf
            self._crew.stuck.pop(slot.worker.slot, None)
        self._put_back(task)
        if slot.state is SlotState.IDLE:
            self._run_bound(slot)

    def _end_ahead(self, event: TaskEnded) -> None:
        """A worker that is being killed had ended more than was known."""
        slot = self._crew.live(event.worker)
        task = slot and slot.ahead.get(event.task)
        if slot and task and slot.state is SlotState.KILLING and task.attempt == event.attempt:
            del slot.ahead[task.id]
            self._conclude(task, event.outcome, slot, event.detail)

    def _last_sent(self, slot: Slot) -> tuple[int, int] | None:
        """Return the last of the tasks that were sent ahead, with its attempt."""
        last = next(reversed(slot.ahead.values()), None)
        return None if last is None else (last.id, last.attempt)

    def _lose_ahead(self, slot: Slot, last: tuple[int, int] | None, detail: object) -> bool:
        """The worker is gone: those that it began are lost with it, the others run elsewhere.

        Return whether the ``last`` one that it began is one of those that were sent ahead.
        """
        tasks = list(slot.ahead.values())
        slot.ahead.clear()
        slot.stall_due = math.inf
        begun = next((i + 1 for i, t in enumerate(tasks) if (t.id, t.attempt) == last), 0)
        for task in tasks[:begun]:
            self._conclude(task, Outcome.LOST, slot, detail)
        for task in reversed(tasks[begun:]):
            self._put_back(task, detail)
        return begun > 0
