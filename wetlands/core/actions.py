"""What a pool does to its tasks: the actions that the events of :mod:`wetlands.core.pool` cause."""

from __future__ import annotations

import math
from collections import OrderedDict

from wetlands.core.commands import (
    DispatchTask,
    InterruptTask,
    JudgeFailure,
    ResolveTask,
    RetryTask,
)
from wetlands.core.events import Outcome, WorkerId
from wetlands.core.policy import PoolConfig
from wetlands.core.retrying import Waiting
from wetlands.core.slot import Slot, SlotState, Task
from wetlands.core.staffing import Staff


class PoolActions:
    """The state of a pool, and what can be done to a task. Decides nothing about when."""

    def __init__(self, config: PoolConfig) -> None:
        self.config = config
        self.ready: OrderedDict[int, Task] = OrderedDict()
        self.waiting = Waiting()  #: failed, and to be tried again
        self.tasks: dict[int, Task] = {}  #: those that somebody still waits for
        self.closing = False
        self.closed = False
        self.broken = False
        self._crew = Staff(config)
        self.slots = self._crew.slots
        self.story = self._crew.story
        self._recycled_beyond = config.max_memory * config.memory_share
        self._look_after = config.look_after

    # -- on its way to a worker -------------------------------------------------------------------

    def _queue(self, task: Task) -> None:
        """Queue a task again whose pause is over."""
        retrying = task.retrying
        if retrying is not None and retrying.home is not None:
            self._bind(task, retrying.home)
        else:
            self.ready[task.id] = task

    def _withdraw(self, task: Task) -> None:
        """Take a task that no worker has from where it waits."""
        if task.id in self.waiting:
            self.waiting.remove(task.id)
        else:
            del (task.bound.bound if task.bound else self.ready)[task.id]

    def _bind(self, task: Task, worker: WorkerId) -> None:
        slot = self._crew.live(worker)
        if slot is None or slot.state in (SlotState.KILLING, SlotState.STOPPING):
            self._resolve(task, Outcome.GONE)
            return
        task.bound = slot
        slot.bound[task.id] = task
        self._crew.fill(slot)
        self._run_bound(slot)

    def _run_bound(self, slot: Slot) -> None:
        """Give an idle worker what only it can run, before it takes what anybody can, or goes."""
        if slot.state is not SlotState.IDLE:
            return
        if slot.bound:
            self._dispatch(slot, slot.bound.popitem(last=False)[1])
        else:
            self._crew.stop_if_due(slot)

    def _lose_bound(self, slot: Slot, detail: object) -> None:
        while slot.bound:
            self._resolve(slot.bound.popitem(last=False)[1], Outcome.GONE, None, detail)

    def _dispatch(self, slot: Slot, task: Task) -> None:
        task.attempt += 1
        task.slot, slot.task = slot, task
        task.limit_due = self._crew.now + task.timeout
        slot.look_due = self._crew.now + self._look_after
        self._crew.move(slot, SlotState.BUSY, self.config.worker_timeout, "dispatch")
        self._crew.commands.append(DispatchTask(slot.worker, task.id, task.attempt))

    def _interrupt(self, slot: Slot, task: Task, grace: float, outcome: Outcome) -> None:
        """Ask the running task to stop; of several patiences the shortest holds."""
        if self._crew.now + grace < task.force_due:
            task.force_due, task.force_outcome = self._crew.now + grace, outcome
            self._crew.arm(slot)
        if task.interrupted is None:
            task.interrupted = outcome
            self._crew.commands.append(InterruptTask(slot.worker, task.id, task.attempt))

    def _kill(self, slot: Slot, outcome: Outcome, reason: str) -> None:
        """Kill the worker and, without waiting for its end, resolve the task that it held."""
        task, slot.task = slot.task, None
        slot.blameless = slot.blameless or task is not None
        self._crew.kill(slot, reason)
        if task:
            self._conclude(task, outcome, slot, reason)
        self._lose_bound(slot, reason)

    def _redeliver(self, slot: Slot, task: Task, detail: object) -> None:
        """Put back a task whose worker died before beginning it: it ran nowhere."""
        task.misses += not slot.worn
        if task.misses >= self.config.delivery_limit and not (task.interrupted or task.bound):
            self._resolve(task, Outcome.LOST, slot, detail)
        else:
            self._put_back(task, detail)

    def _put_back(self, task: Task, detail: object = None) -> None:
        """Queue a task again, before all others, that was sent to a worker and ran nowhere."""
        if task.interrupted:
            self._conclude(task, task.interrupted, None, detail)
        elif task.bound:
            self._resolve(task, Outcome.GONE, None, detail)
        else:
            task.slot = None
            self.ready[task.id] = task
            self.ready.move_to_end(task.id, last=False)

    # -- at the end of a run ----------------------------------------------------------------------

    def _conclude(
        self, task: Task, outcome: Outcome, slot: Slot | None = None, detail: object = None
    ) -> None:
        """End a run of the task: with it the task itself, unless it is to be tried again."""
        retrying = task.retrying
        if retrying is None or task.resolved or self.closing:
            self._resolve(task, outcome, slot, detail)
            return
        again = retrying.count(outcome)
        if retrying.losses >= self.config.poison_limit:
            outcome, again = Outcome.POISONED, False
        if not again:
            self._resolve(task, outcome, slot, detail)
            return
        worker = slot.worker if slot else None
        retrying.home = task.bound.worker if task.bound else None
        retrying.verdict = (outcome, worker, detail)
        task.rest()
        if retrying.plan.judged:
            self.waiting.add(task, math.inf)
            judge = JudgeFailure(task.id, task.attempt, outcome, worker, detail)
            self._crew.commands.append(judge)
        else:
            self._retry(task)

    def _retry(self, task: Task) -> None:
        """Have a task that failed wait for its next run."""
        retrying = task.retrying
        assert retrying is not None
        assert retrying.verdict is not None
        pause = retrying.pause()
        self.waiting.add(task, self._crew.now + pause)
        self._crew.commands.append(RetryTask(task.id, *retrying.verdict, pause))
        retrying.verdict = None

    def _resolve(
        self, task: Task, outcome: Outcome, slot: Slot | None = None, detail: object = None
    ) -> None:
        self._end(task, outcome, slot.worker if slot else None, detail)

    def _end(self, task: Task, outcome: Outcome, worker: WorkerId | None, detail: object) -> None:
        if task.resolved:
            return  # it ran out of its own time; this is only the end of its worker's grace
        task.resolved = True
        del self.tasks[task.id]
        self._crew.commands.append(ResolveTask(task.id, outcome, worker, detail))

    def _empty_queue(self, outcome: Outcome) -> None:
        for queue in (self.ready, *(slot.bound for slot in self.slots)):
            while queue:
                self._resolve(queue.popitem(last=False)[1], outcome)
        while (task := self.waiting.pop_any()) is not None:
            self._resolve(task, outcome)
