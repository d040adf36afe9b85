"""The records of the pool: a slot, what it may become, and the task that it holds."""

from __future__ import annotations

import math
from collections import OrderedDict
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from wetlands.core.events import Outcome, WorkerId

if TYPE_CHECKING:
    from wetlands.core.retrying import Retrying


class SlotState(Enum):
    """Where a slot is in its life; the picture is at the top of :mod:`wetlands.core.pool`."""

    VACANT = "vacant"  #: no process; may be waiting out a backoff
    STARTING = "starting"  #: spawned, no hello yet
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"  #: asked to exit
    KILLING = "killing"  #: killed, exit not seen yet
    RETIRED = "retired"  #: given up, or closed
    DORMANT = "dormant"  #: no process, until there is work for one

    # States are looked up several times an event, and a hash written in Python takes its time.
    __hash__ = object.__hash__


_V, _S, _I, _B, _P, _K, _R, _D = SlotState
LEGAL: dict[SlotState, frozenset[SlotState]] = {
    _V: frozenset({_S, _R, _D}),
    _S: frozenset({_I, _K, _V, _R, _D}),
    _I: frozenset({_B, _P, _K, _V, _R, _D}),
    _B: frozenset({_I, _K, _V, _R, _D}),
    _P: frozenset({_K, _V, _R, _D}),
    _K: frozenset({_V, _R, _D}),
    _R: frozenset({_S, _D}),
    _D: frozenset({_S, _R}),
}


class Transition(NamedTuple):
    """One line of the pool's story."""

    at: float
    worker: WorkerId
    before: str
    after: str
    why: str


class Task:
    """A task that is queued, or that a worker has."""

    __slots__ = (
        "attempt",
        "bound",
        "calls",
        "expected",
        "force_due",
        "force_outcome",
        "id",
        "interrupted",
        "kind",
        "limit_due",
        "misses",
        "resolved",
        "retrying",
        "slot",
        "timeout",
    )

    def __init__(self, task: int, timeout: float, kind: str | None = None, calls: int = 1) -> None:
        self.id = task
        self.timeout = timeout
        self.kind = kind  #: tasks of one take about as long
        self.calls = calls  #: how many it stands for, until it is reclaimed
        self.expected = math.inf  #: seconds that this one takes, when it was sent
        self.attempt = 0  #: of how many times it was sent to a worker
        self.misses = 0  #: of those in a row after which the worker died before beginning it
        self.retrying: Retrying | None = None  #: None for the many that run once
        self.slot: Slot | None = None  #: who has it; None while it is queued
        self.bound: Slot | None = None  #: where it must run, if that matters
        self.interrupted: Outcome | None = None  #: the first reason why it was told to stop
        self.resolved = False  #: once true nobody waits for it, though its worker may be at it
        # Two deadlines, because neither may hide the other: a task that runs out of its own time
        # after it was asked to stop must still be killed as early as the asker wanted.
        self.limit_due = math.inf  #: the end of its own time
        self.force_due = math.inf  #: the end of all patience: its worker is killed
        self.force_outcome = Outcome.CANCELED  #: what to call that

    def rest(self) -> None:
        """Forget a run that has ended."""
        self.slot = self.bound = self.interrupted = None
        self.misses = 0
        self.limit_due = self.force_due = math.inf


class Slot:
    """A stable place for a worker, and the worker that is in it now."""

    __slots__ = (
        "ahead",
        "blameless",
        "bound",
        "calls",
        "failures",
        "full",
        "kills",
        "leaving",
        "load",
        "look_due",
        "looks",
        "memory",
        "pinned",
        "ready_at",
        "resting",
        "runs",
        "stall_due",
        "standstill",
        "state",
        "state_due",
        "still",
        "task",
        "undecided",
        "wanted",
        "worker",
        "worn",
    )

    def __init__(self, index: int) -> None:
        self.worker = WorkerId(index, 0)
        self.state = SlotState.VACANT
        #: End of boot, backoff, stop or kill; of silence while BUSY, of patience while IDLE.
        self.state_due = math.inf
        self.wanted = True  #: False once the pool was made smaller
        self.task: Task | None = None
        self.ahead: OrderedDict[int, Task] = OrderedDict()  #: what it has besides, in order
        self.load = 0.0  #: seconds that all of this is expected to take
        self.calls = 0  #: how many calls all of this stands for
        self.full = False  #: it gets no more before it is idle
        self.stall_due = math.inf  #: when something should have come back
        self.looks = 0  #: how often it was looked for since something has
        self.look_due = math.inf  #: when somebody should look at the process
        self.bound: OrderedDict[int, Task] = OrderedDict()  #: tasks that wait for this very worker
        self.failures = 0  #: deaths in a row that no task was to blame for
        self.renew()

    def renew(self) -> None:
        """Forget what was known of the worker: another one follows."""
        self.ready_at = math.inf
        self.kills = 0
        self.runs = 0  #: tasks that ended there
        self.memory = 0.0  #: bytes, when it was last measured
        self.blameless = False  #: the worker's end is, or will be, no failure of the slot
        self.pinned = False  #: it keeps values that somebody still has use for
        self.worn = False  #: to be replaced, once nothing depends on it
        self.leaving = False  #: to be replaced when it is idle next, whatever it keeps
        self.resting = False  #: it was asked to exit because there was nothing to do
        self.standstill: object = None  #: what the last look found, if it is stopped
        self.still = 0  #: how many looks have found the same since the first that did
        self.undecided = False  #: its exit will tell whether its task has begun

    def has_more(self) -> bool:
        """Whether the worker may have something that it has not begun."""
        return bool(self.ahead) or (self.task is not None and self.task.calls > 1)

    @property
    def due(self) -> float:
        """When something must be done about this slot if nothing happens before."""
        task = self.task
        if task is None:
            return self.state_due
        return min(self.state_due, task.limit_due, task.force_due, self.stall_due, self.look_due)
