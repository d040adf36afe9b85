"""Scheduling, replacement, cancellation and shutdown of one pool, as a pure state machine.

Events go in, commands come out; the driver passes ``now`` (monotonic seconds) with every event
and executes what it gets back. Four rules keep this reliable, and simple to reason about:

1.  Whatever affects scheduling lives here, and nothing here waits or fails.
2.  Every event ends in `_settle`: no order of events leaves a ready task beside an idle worker.
3.  Every state that waits for a process has a deadline: no silence can stall the pool.
4.  A worker is `(slot, incarnation)`, a dispatch is `(task, attempt)`: what the dead still have
    to say is recognised and dropped.

A slot's life::

    VACANT --SpawnWorker--> STARTING --hello--> IDLE <--> BUSY
      ^                        |                 | |       |
      |                        | deadline, fault | | close | deadline, fault
      |                        v                 v v       v
      +------- exit ------- KILLING <-grace- STOPPING   KILLING
      |
      +-- no work for long, or the pool is smaller --> DORMANT --work, or larger--> STARTING
      |
      +-- restart budget spent, or closing --> RETIRED --restart--> STARTING

A task is resolved when its fate is decided, which for a forced end is the moment of the kill and
not that of the exit: a process that can't die must not keep a caller waiting. A task that ran out
of its own time is resolved at once too, but its worker may end it in peace for a short grace,
because a worker with a loaded model is worth more than a second. Only what a frozen worker has
waits for its exit, or for the last kill in vain: that tells which of it had begun.

Cost: O(log n) an event, whatever the number of slots and of queued tasks. The queue is an
`OrderedDict` (a cancel takes a task out of the middle, a task that never began goes back to the
front); deadlines lie in a heap of bounded size, see `wetlands.core.deadlines`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from wetlands.core.commands import AnnounceBroken, AnnounceClosed, Command
from wetlands.core.events import (
    CancelRequested,
    ClockAdvanced,
    CloseRequested,
    Event,
    Outcome,
    ReclaimRequested,
    ResizeRequested,
    RestartRequested,
    RetryJudged,
    TaskAdvanced,
    TaskEnded,
    TaskProgressed,
    TaskResized,
    TaskReturned,
    TaskSubmitted,
    WorkerExited,
    WorkerFaulted,
    WorkerId,
    WorkerMeasured,
    WorkerPinned,
    WorkerReady,
    WorkerSeen,
    WorkerWorn,
)
from wetlands.core.policy import PoolConfig
from wetlands.core.retrying import Retrying
from wetlands.core.slot import Slot, SlotState, Task, Transition
from wetlands.core.worker_events import WorkerEvents

__all__ = ["PoolConfig", "PoolCore", "SlotState", "Transition", "WorkerId"]


class PoolCore(WorkerEvents):
    """The state of one pool. Not thread-safe: one driver owns it."""

    # -- the whole interface ----------------------------------------------------------------------

    def open(self, now: float) -> list[Command]:
        """Start every slot's first worker. Call it once, before anything else."""
        self._crew.begin(now)
        for slot in self.slots:
            self._crew.spawn(slot)
        return self._crew.end()

    def handle(self, event: Event, now: float) -> list[Command]:
        """Apply one event and return the commands that it causes, in execution order."""
        crew = self._crew
        crew.begin(now)
        self._HANDLERS[type(event)](self, event)
        if crew.deadlines.first <= now or self.waiting.tasks:
            self._expire()
        self._settle()
        return crew.end()

    def next_deadline(self) -> float | None:
        """Say when to send `ClockAdvanced` if nothing else happens first."""
        due = self._crew.deadlines.next()
        if not self.waiting.tasks:
            return due
        paused = min(math.inf if due is None else due, self.waiting.next())
        return None if paused == math.inf else paused

    def saturated(self) -> bool:
        """Whether a task that is submitted now would wait for another one to end."""
        return self._crew.busy > 0 and not self._crew.idle and not self._crew.asleep

    def flowing(self) -> bool:
        """Whether short tasks are under way, and a worker can have more of them."""
        return bool(self._crew.roomy)

    def count(self, *states: SlotState) -> int:
        """Return how many slots are in one of ``states``."""
        return sum(slot.state in states for slot in self.slots)

    # -- event-triggered transitions --------------------------------------------------------------

    def _on_task_submitted(self, event: TaskSubmitted) -> None:
        assert event.task not in self.tasks, event
        task = Task(event.task, event.timeout, event.kind, event.calls)
        if event.retry is not None:
            task.retrying = Retrying(event.retry, event.dice)
        self.tasks[task.id] = task
        if self.closing:
            self._resolve(task, Outcome.CLOSED)
        elif self.broken:
            self._resolve(task, Outcome.BROKEN)
        elif event.worker is not None:
            self._bind(task, event.worker)
        else:
            self.ready[task.id] = task
            if event.first:
                self.ready.move_to_end(task.id, last=False)

    def _on_task_resized(self, event: TaskResized) -> None:
        task = self.tasks.get(event.task)
        if task is not None and task.slot is None:
            task.calls = event.calls

    def _on_cancel_requested(self, event: CancelRequested) -> None:
        task = self.tasks.get(event.task)
        if task is None:
            return
        task.retrying = None
        if task.slot is None:
            self._withdraw(task)
            self._resolve(task, Outcome.CANCELED)
        elif task.id in task.slot.ahead:
            self._interrupt_ahead(task.slot, event.force_after, Outcome.CANCELED, task)
        else:
            self._interrupt(task.slot, task, event.force_after, Outcome.CANCELED)

    def _on_task_progressed(self, event: TaskProgressed) -> None:
        slot = self._crew.busy_with(event)
        if slot:
            slot.state_due = self._crew.now + self.config.worker_timeout
            slot.look_due = self._crew.now + self._look_after

    def _on_task_ended(self, event: TaskEnded) -> None:
        slot = self._crew.busy_with(event)
        if slot is None:
            self._end_ahead(event)  # or stale: the task was taken away from this worker
            return
        task, slot.task = slot.task, None
        assert task is not None
        if event.seconds is not None and task.kind is not None:
            self.paces.note(task.kind, event.seconds)
        slot.failures = 0
        slot.runs += 1
        if slot.runs >= self.config.max_tasks or slot.memory > self._recycled_beyond:
            slot.worn = True
        if slot.ahead:
            self._advance(slot, task)
        else:
            self._crew.rest(slot, event.outcome._value_)
        if task.retrying is None or event.outcome is Outcome.COMPLETED:
            self._resolve(task, event.outcome, slot, event.detail)
        elif task.interrupted is Outcome.TIMED_OUT:
            self._conclude(task, Outcome.TIMED_OUT, slot)
        else:
            self._conclude(task, event.outcome, slot, event.detail)
        self._run_bound(slot)

    def _on_retry_judged(self, event: RetryJudged) -> None:
        task = self.tasks.get(event.task)
        retrying = task and task.retrying
        if task is None or not retrying or retrying.verdict is None:
            return  # canceled meanwhile
        if task.attempt != event.attempt:
            return
        if event.again:
            self._retry(task)
        else:
            self.waiting.remove(task.id)
            self._end(task, *retrying.verdict)

    def _on_clock_advanced(self, event: ClockAdvanced) -> None:
        pass  # _expire and _settle run after every event

    def _on_close_requested(self, event: CloseRequested) -> None:
        self.closing = True
        self._empty_queue(Outcome.CLOSED)
        for slot in self.slots:
            if slot.state is SlotState.STARTING:
                self._kill(slot, Outcome.CLOSED, "the pool is closing")
            elif slot.state in (SlotState.VACANT, SlotState.DORMANT):
                self._crew.retire(slot, "closing")
            elif slot.task:
                self._interrupt(slot, slot.task, event.grace, Outcome.CLOSED)
            # Also of a worker that is being killed: what it has not begun must not be queued again.
            self._interrupt_ahead(slot, event.grace, Outcome.CLOSED, *slot.ahead.values())
            if slot.task and slot.task.calls > 1:
                self._reclaim(slot)

    # -- time-triggered transitions ---------------------------------------------------------------

    def _expire(self) -> None:
        while (index := self._crew.deadlines.pop(self._crew.now)) is not None:
            slot = self.slots[index]
            if slot.due <= self._crew.now:
                self._EXPIRED[slot.state](self, slot)
            self._crew.arm(slot)
        while (task := self.waiting.pop(self._crew.now)) is not None:
            self._queue(task)

    def _vacancy_over(self, slot: Slot) -> None:
        self._crew.spawn(slot)

    def _idle_expired(self, slot: Slot) -> None:
        slot.resting = True
        self._crew.stop(slot, "nothing to do")

    def _start_expired(self, slot: Slot) -> None:
        reason = f"it did not say hello within {self.config.startup_timeout:g} s"
        self._kill(slot, Outcome.LOST, reason)

    def _work_expired(self, slot: Slot) -> None:
        task = slot.task
        assert task is not None, slot.state
        if slot.stall_due == slot.due:
            self._stalled(slot)
        elif slot.look_due == slot.due:
            self._look(slot)
        elif slot.state_due == slot.due:  # after a pause of the clock the first one due counts
            reason = f"its task was silent for {self.config.worker_timeout:g} s"
            self._kill(slot, Outcome.SILENT, reason)
        elif task.limit_due <= task.force_due:
            task.limit_due = math.inf
            # One that is to be tried again is not over before this run is: two must not overlap.
            if task.retrying is None or self.closing or not task.retrying.forgives_an_error():
                self._resolve(task, Outcome.TIMED_OUT, slot)
            self._interrupt(slot, task, self.config.interrupt_grace, Outcome.TIMED_OUT)
        else:
            self._kill(slot, task.force_outcome, "its task did not stop when it was asked to")

    def _stop_expired(self, slot: Slot) -> None:
        self._kill(slot, Outcome.CLOSED, "it did not exit when it was asked to")

    def _kill_expired(self, slot: Slot) -> None:
        if slot.kills >= self.config.kill_limit:
            # Nothing can be done about a process that SIGKILL does not end (it sleeps in the
            # kernel); its slot goes on without it.
            self._lose_ahead(slot, self._last_sent(slot), "it could not be killed")
            self._crew.vacate(slot, replace=not self.closing)
        else:
            self._kill(slot, Outcome.LOST, "it is still there")

    # -- state-triggered transitions: run after every event ---------------------------------------

    def _settle(self) -> None:
        idle = self._crew.idle
        if self._crew.recalls:
            self._recall()
        while idle and self.ready:
            if self._crew.roomy and self._share():
                continue
            self._dispatch(idle[next(reversed(idle))], self.ready.popitem(last=False)[1])
        if self.ready and self._crew.roomy:
            self._send_ahead()
        if self._crew.stuck and (idle or self._crew.asleep):
            self._reclaim_stuck()
        while idle and self.closing:
            self._crew.stop(idle[next(reversed(idle))], "closing")
        if self.ready and self._crew.asleep:
            self._crew.wake(len(self.ready))
        if self.ready and self._crew.relays and not self._crew.asleep:
            self._relay()
        if self.closing or self.broken or self._crew.spent == self._crew.wanted:
            self._come_to_an_end()

    def _come_to_an_end(self) -> None:
        if self.closing:
            if self._crew.retired == len(self.slots) and not self.closed:
                self.closed = True
                self._crew.commands.append(AnnounceClosed())
        elif not self.broken:
            self.broken = True
            self._crew.commands.append(AnnounceBroken())
            self._empty_queue(Outcome.BROKEN)
        elif self.ready or self.waiting:
            self._empty_queue(Outcome.BROKEN)  # what came back from the last ones at work
        if self._crew.retired == len(self.slots):
            self._crew.deadlines.clear()

    _HANDLERS: ClassVar[dict[type, Callable[[PoolCore, Any], None]]] = {
        TaskSubmitted: _on_task_submitted,
        TaskResized: _on_task_resized,
        CancelRequested: _on_cancel_requested,
        ReclaimRequested: WorkerEvents._on_reclaim_requested,
        WorkerReady: WorkerEvents._on_worker_ready,
        TaskProgressed: _on_task_progressed,
        TaskAdvanced: WorkerEvents._on_task_advanced,
        TaskEnded: _on_task_ended,
        TaskReturned: WorkerEvents._on_task_returned,
        WorkerExited: WorkerEvents._on_worker_exited,
        RetryJudged: _on_retry_judged,
        WorkerSeen: WorkerEvents._on_worker_seen,
        WorkerMeasured: WorkerEvents._on_worker_measured,
        WorkerWorn: WorkerEvents._on_worker_worn,
        WorkerPinned: WorkerEvents._on_worker_pinned,
        ResizeRequested: WorkerEvents._on_resize_requested,
        RestartRequested: WorkerEvents._on_restart_requested,
        WorkerFaulted: WorkerEvents._on_worker_faulted,
        ClockAdvanced: _on_clock_advanced,
        CloseRequested: _on_close_requested,
    }
    _EXPIRED: ClassVar[dict[SlotState, Callable[[PoolCore, Slot], None]]] = {
        SlotState.VACANT: _vacancy_over,
        SlotState.STARTING: _start_expired,
        SlotState.IDLE: _idle_expired,
        SlotState.BUSY: _work_expired,
        SlotState.STOPPING: _stop_expired,
        SlotState.KILLING: _kill_expired,
    }
