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
      +-- restart budget spent, or closing --> RETIRED (final)

A task is resolved when its fate is decided, which for a forced end is the moment of the kill and
not that of the exit: a process that can't die must not keep a caller waiting. A task that ran out
of its own time is resolved at once too, but its worker may end it in peace for a short grace,
because a worker with a loaded model is worth more than a second.

Cost: O(log n) an event. The queue is an `OrderedDict` (a cancel takes a task out of the middle);
deadlines lie in a heap with at most one entry a slot that counts: a deadline that moves later,
as that of silence does with every message, only changes the slot, and the old entry, once due,
is pushed again with the time that holds by then.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, NamedTuple

from wetlands.core.commands import (
    AnnounceBroken,
    AnnounceClosed,
    Command,
    DispatchTask,
    InterruptTask,
    KillWorker,
    ResolveTask,
    SpawnWorker,
    StopWorker,
)
from wetlands.core.events import (
    CancelRequested,
    ClockAdvanced,
    CloseRequested,
    Event,
    Outcome,
    TaskEnded,
    TaskProgressed,
    TaskSubmitted,
    WorkerExited,
    WorkerFaulted,
    WorkerId,
    WorkerReady,
)
from wetlands.core.policy import PoolConfig


class SlotState(Enum):
    """Where a slot is in its life; the picture is at the top of this file."""

    VACANT = "vacant"  #: no process; may be waiting out a backoff
    STARTING = "starting"  #: spawned, no hello yet
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"  #: asked to exit
    KILLING = "killing"  #: killed, exit not seen yet
    RETIRED = "retired"  #: final


_V, _S, _I, _B, _P, _K, _R = SlotState
_LEGAL: dict[SlotState, frozenset[SlotState]] = {
    _V: frozenset({_S, _R}),
    _S: frozenset({_I, _K, _V, _R}),
    _I: frozenset({_B, _P, _K, _V, _R}),
    _B: frozenset({_I, _K, _V, _R}),
    _P: frozenset({_K, _V, _R}),
    _K: frozenset({_V, _R}),
    _R: frozenset(),
}


class Transition(NamedTuple):
    """One line of the pool's story."""

    at: float
    worker: WorkerId
    before: str
    after: str
    why: str


class _Task:
    __slots__ = ("attempt", "id", "interrupted", "resolved", "slot", "timeout")

    def __init__(self, task: int, timeout: float) -> None:
        self.id = task
        self.timeout = timeout
        self.attempt = 0
        self.slot: _Slot | None = None  #: None while it is queued
        self.interrupted = False
        self.resolved = False  #: its worker is still at it, but nobody waits any more


class _Slot:
    def __init__(self, index: int) -> None:
        self.worker = WorkerId(index, 0)
        self.state = SlotState.VACANT
        self.task: _Task | None = None
        self.failures = 0  #: deaths in a row that no task was to blame for
        self.ready_at = math.inf
        self.kills = 0
        self.blameless = False  #: the worker's end is, or will be, no failure of the slot
        # Deadlines, infinite when they don't apply: that of the state (boot, backoff, stop, kill;
        # silence while BUSY), and that of the task in it (its limit, or the end of its grace).
        self.state_due = math.inf
        self.task_due = math.inf
        self.verdict = Outcome.TIMED_OUT  #: what to call the task's end when `task_due` passes
        self.armed = math.inf  #: time of the heap entry that counts

    @property
    def due(self) -> float:
        return min(self.state_due, self.task_due)


class PoolCore:
    """The state of one pool. Not thread-safe: one driver owns it."""

    def __init__(self, config: PoolConfig) -> None:
        self.config = config
        self.slots = [_Slot(index) for index in range(config.size)]
        self.ready: OrderedDict[int, _Task] = OrderedDict()
        self.tasks: dict[int, _Task] = {}
        self.closing = False
        self.closed = False
        self.broken = False
        self.story: deque[Transition] = deque(maxlen=256)
        self._idle: dict[int, _Slot] = {}  # last in, first out: the warmest caches work most
        self._retired = 0
        self._deadlines: list[tuple[float, int]] = []
        self._now = 0.0
        self._commands: list[Command] = []

    # -- the whole interface ----------------------------------------------------------------------

    def open(self, now: float) -> list[Command]:
        """Start every slot's first worker."""
        self._now, self._commands = now, []
        for slot in self.slots:
            self._spawn(slot)
        return self._commands

    def handle(self, event: Event, now: float) -> list[Command]:
        """Apply one event and return the commands that it causes, in execution order."""
        self._now, self._commands = now, []
        self._HANDLERS[type(event)](self, event)
        self._expire()
        self._settle()
        return self._commands

    def next_deadline(self) -> float | None:
        """Say when to send `ClockAdvanced` if nothing else happens first."""
        return self._deadlines[0][0] if self._deadlines else None

    def count(self, *states: SlotState) -> int:
        """Return how many slots are in one of ``states``."""
        return sum(slot.state in states for slot in self.slots)

    # -- event-triggered transitions --------------------------------------------------------------

    def _on_task_submitted(self, event: TaskSubmitted) -> None:
        if self.closing or self.broken:
            outcome = Outcome.CLOSED if self.closing else Outcome.BROKEN
            self._commands.append(ResolveTask(event.task, outcome))
            return
        self.tasks[event.task] = self.ready[event.task] = _Task(event.task, event.timeout)

    def _on_cancel_requested(self, event: CancelRequested) -> None:
        task = self.tasks.get(event.task)
        if task is None:
            return
        if task.slot is None:
            del self.ready[task.id]
            self._resolve(task, Outcome.CANCELED)
        else:
            self._interrupt(task.slot, task, event.force_after, Outcome.CANCELED)

    def _on_worker_ready(self, event: WorkerReady) -> None:
        slot = self._live(event.worker)
        if slot and slot.state is SlotState.STARTING:
            slot.ready_at = self._now
            self._move(slot, SlotState.IDLE, math.inf, "hello")

    def _on_task_progressed(self, event: TaskProgressed) -> None:
        slot = self._running(event)
        if slot:
            slot.state_due = self._now + self.config.worker_timeout

    def _on_task_ended(self, event: TaskEnded) -> None:
        slot = self._running(event)
        if slot is None:
            return  # stale: the task was already taken away from this worker
        task = self._take_task(slot)
        assert task is not None
        slot.failures = 0
        self._move(slot, SlotState.IDLE, math.inf, event.outcome.value)
        self._resolve(task, event.outcome, slot, event.detail)

    def _on_worker_exited(self, event: WorkerExited) -> None:
        slot = self._live(event.worker)
        if slot is None:
            return
        task = self._take_task(slot)
        if task and event.started != (task.id, task.attempt):
            self._redeliver(slot, task, event.detail)
        elif task:
            slot.blameless = True
            self._resolve(task, Outcome.LOST, slot, event.detail)
        self._vacate(slot)

    def _on_worker_faulted(self, event: WorkerFaulted) -> None:
        slot = self._live(event.worker)
        if slot and slot.state is not SlotState.KILLING:
            self._kill(slot, Outcome.LOST, event.reason)

    def _on_clock_advanced(self, event: ClockAdvanced) -> None:
        pass  # _expire and _settle run after every event

    def _on_close_requested(self, event: CloseRequested) -> None:
        self.closing = True
        while self.ready:
            self._resolve(self.ready.popitem(last=False)[1], Outcome.CLOSED)
        for slot in self.slots:
            if slot.state is SlotState.STARTING:
                self._kill(slot, Outcome.CLOSED, "the pool is closing")
            elif slot.state is SlotState.VACANT:
                self._retire(slot, "closing")
            elif slot.task:
                self._interrupt(slot, slot.task, event.grace, Outcome.CLOSED)

    # -- time-triggered transitions ---------------------------------------------------------------

    def _expire(self) -> None:
        while self._deadlines and self._deadlines[0][0] <= self._now:
            at, index = heapq.heappop(self._deadlines)
            slot = self.slots[index]
            if at != slot.armed:
                continue  # an earlier one was pushed since
            slot.armed = math.inf
            if slot.due <= self._now:
                self._EXPIRED[slot.state](self, slot)
            self._arm(slot)

    def _vacancy_over(self, slot: _Slot) -> None:
        self._spawn(slot)

    def _start_expired(self, slot: _Slot) -> None:
        reason = f"it did not say hello within {self.config.startup_timeout:g} s"
        self._kill(slot, Outcome.LOST, reason)

    def _work_expired(self, slot: _Slot) -> None:
        task = slot.task
        assert task is not None, slot.state
        if slot.state_due <= self._now:
            reason = f"its task was silent for {self.config.worker_timeout:g} s"
            self._kill(slot, Outcome.SILENT, reason)
        elif slot.verdict is Outcome.TIMED_OUT and not task.resolved:
            self._resolve(task, Outcome.TIMED_OUT, slot)
            task.resolved = True
            slot.task_due = math.inf
            self._interrupt(slot, task, self.config.interrupt_grace, Outcome.TIMED_OUT)
        else:
            self._kill(slot, slot.verdict, "its task did not stop when it was asked to")

    def _stop_expired(self, slot: _Slot) -> None:
        self._kill(slot, Outcome.CLOSED, "it did not exit when it was asked to")

    def _kill_expired(self, slot: _Slot) -> None:
        if slot.kills >= self.config.kill_limit:
            # Nothing can be done about a process that SIGKILL does not end (it sleeps in the
            # kernel); its slot goes on without it.
            self._vacate(slot)
        else:
            self._kill(slot, Outcome.LOST, "it is still there")

    # -- state-triggered transitions: run after every event ---------------------------------------

    def _settle(self) -> None:
        while self._idle and self.ready:
            self._dispatch(self.slots[next(reversed(self._idle))])
        while self._idle and self.closing:
            slot = self.slots[next(reversed(self._idle))]
            slot.blameless = True
            self._move(slot, SlotState.STOPPING, self.config.stop_grace, "closing")
            self._commands.append(StopWorker(slot.worker))
        if self._retired == len(self.slots):
            self._finish()

    def _finish(self) -> None:
        if not self.closing and not self.broken:
            self.broken = True
            self._commands.append(AnnounceBroken())
        while self.ready:
            self._resolve(self.ready.popitem(last=False)[1], Outcome.BROKEN)
        if self.closing and not self.closed:
            self.closed = True
            self._commands.append(AnnounceClosed())

    # -- actions ----------------------------------------------------------------------------------

    def _spawn(self, slot: _Slot) -> None:
        slot.worker = WorkerId(slot.worker.slot, slot.worker.incarnation + 1)
        slot.kills = 0
        slot.blameless = False
        slot.ready_at = math.inf
        self._move(slot, SlotState.STARTING, self.config.startup_timeout, "spawn")
        self._commands.append(SpawnWorker(slot.worker))

    def _dispatch(self, slot: _Slot) -> None:
        task = self.ready.popitem(last=False)[1]
        task.attempt += 1
        task.slot, slot.task = slot, task
        slot.verdict = Outcome.TIMED_OUT
        slot.task_due = self._now + task.timeout
        self._move(slot, SlotState.BUSY, self.config.worker_timeout, "dispatch")
        self._commands.append(DispatchTask(slot.worker, task.id, task.attempt))

    def _interrupt(self, slot: _Slot, task: _Task, grace: float, verdict: Outcome) -> None:
        """Ask the running task to stop; an earlier, stricter deadline stays."""
        if self._now + grace < slot.task_due:
            slot.task_due, slot.verdict = self._now + grace, verdict
            self._arm(slot)
        if not task.interrupted:
            task.interrupted = True
            self._commands.append(InterruptTask(slot.worker, task.id, task.attempt))

    def _kill(self, slot: _Slot, outcome: Outcome, reason: str) -> None:
        task = self._take_task(slot)
        slot.blameless = slot.blameless or task is not None
        slot.kills += 1
        if slot.state is SlotState.KILLING:
            slot.state_due = self._now + self.config.kill_retry
            self._arm(slot)
        else:
            self._move(slot, SlotState.KILLING, self.config.kill_retry, reason)
        self._commands.append(KillWorker(slot.worker, reason))
        if task:
            self._resolve(task, outcome, slot, reason)

    def _vacate(self, slot: _Slot) -> None:
        """The process is gone: replace it, at once if nobody but its task was to blame."""
        if self._now - slot.ready_at >= self.config.stable_after:
            slot.failures = 0
        slot.failures += not slot.blameless
        if self.closing or slot.failures > self.config.restart_limit:
            self._retire(slot, "exit")
            return
        pause = 0.0 if slot.blameless else self.config.backoff(slot.failures)
        self._move(slot, SlotState.VACANT, pause, "exit")
        if pause == 0.0:
            self._spawn(slot)

    def _retire(self, slot: _Slot, why: str) -> None:
        self._move(slot, SlotState.RETIRED, math.inf, why)
        self._retired += 1

    def _redeliver(self, slot: _Slot, task: _Task, detail: object) -> None:
        """Put back a task whose worker died before beginning it: it ran nowhere."""
        if task.resolved or task.interrupted:
            self._resolve(task, Outcome.CLOSED if self.closing else Outcome.CANCELED, None, detail)
        elif task.attempt >= self.config.delivery_limit:
            self._resolve(task, Outcome.LOST, slot, detail)
        else:
            task.slot = None
            self.ready[task.id] = task
            self.ready.move_to_end(task.id, last=False)

    def _resolve(
        self, task: _Task, outcome: Outcome, slot: _Slot | None = None, detail: object = None
    ) -> None:
        self.tasks.pop(task.id, None)
        if not task.resolved:
            worker = slot.worker if slot else None
            self._commands.append(ResolveTask(task.id, outcome, worker, detail))

    @staticmethod
    def _take_task(slot: _Slot) -> _Task | None:
        task, slot.task = slot.task, None
        slot.task_due = math.inf
        return task

    # -- helpers ----------------------------------------------------------------------------------

    def _live(self, worker: WorkerId) -> _Slot | None:
        """Return the slot if ``worker`` is its current incarnation and its process exists."""
        slot = self.slots[worker.slot]
        if slot.worker != worker or slot.state in (SlotState.VACANT, SlotState.RETIRED):
            return None
        return slot

    def _running(self, event: TaskProgressed | TaskEnded) -> _Slot | None:
        """Return the slot if the event is about the very dispatch that it is busy with."""
        slot = self._live(event.worker)
        if slot is None or slot.task is None:
            return None
        if (slot.task.id, slot.task.attempt) != (event.task, event.attempt):
            return None
        return slot

    def _move(self, slot: _Slot, state: SlotState, due_in: float, why: str) -> None:
        assert state in _LEGAL[slot.state], (slot.worker, slot.state, state, list(self.story)[-8:])
        self.story.append(Transition(self._now, slot.worker, slot.state.value, state.value, why))
        if slot.state is SlotState.IDLE:
            del self._idle[slot.worker.slot]
        elif state is SlotState.IDLE:
            self._idle[slot.worker.slot] = slot
        slot.state = state
        slot.state_due = self._now + due_in
        self._arm(slot)

    def _arm(self, slot: _Slot) -> None:
        """Make sure that a heap entry comes due no later than the slot's deadline."""
        if slot.due < slot.armed:
            slot.armed = slot.due
            heapq.heappush(self._deadlines, (slot.armed, slot.worker.slot))

    _HANDLERS: ClassVar[dict[type, Callable[[PoolCore, Any], None]]] = {
        TaskSubmitted: _on_task_submitted,
        CancelRequested: _on_cancel_requested,
        WorkerReady: _on_worker_ready,
        TaskProgressed: _on_task_progressed,
        TaskEnded: _on_task_ended,
        WorkerExited: _on_worker_exited,
        WorkerFaulted: _on_worker_faulted,
        ClockAdvanced: _on_clock_advanced,
        CloseRequested: _on_close_requested,
    }
    _EXPIRED: ClassVar[dict[SlotState, Callable[[PoolCore, _Slot], None]]] = {
        SlotState.VACANT: _vacancy_over,
        SlotState.STARTING: _start_expired,
        SlotState.BUSY: _work_expired,
        SlotState.STOPPING: _stop_expired,
        SlotState.KILLING: _kill_expired,
    }
