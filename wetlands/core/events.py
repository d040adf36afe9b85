"""What happened: the input of :class:`wetlands.core.pool.PoolCore`. Past tense, immutable.

A task is known to the core by an integer that its driver chose. ``detail`` is opaque: the core
hands it on in the command that it causes, so that a result finds its way without being stored.
"""

from __future__ import annotations

import enum
import math
from typing import NamedTuple

from wetlands.core.policy import RetryPlan
from wetlands.core.record import record


class WorkerId(NamedTuple):
    """One process: ``slot`` is stable, ``incarnation`` grows with every replacement."""

    slot: int
    incarnation: int


class Outcome(enum.Enum):
    """How a task ended, and who said so."""

    COMPLETED = "completed"  #: the worker: the function returned
    FAILED = "failed"  #: the worker: the function raised
    CANCELED = "canceled"  #: the worker acknowledged, or the task never ran, or was forced
    LOST = "lost"  #: the worker exited unasked while it ran the task
    TIMED_OUT = "timed out"  #: the task ran longer than its own limit
    OUT_OF_MEMORY = "out of memory"  #: its worker took more than it may
    SILENT = "silent"  #: the task gave no sign of life for longer than the pool's limit
    CLOSED = "closed"  #: the pool was closed before the task ended
    BROKEN = "broken"  #: the pool gave up replacing its workers
    POISONED = "poisoned"  #: the task has cost several workers, and gets no other one
    GONE = "gone"  #: the only worker that could run the task ended before it began


@record
class TaskSubmitted:
    """The user wants ``task`` to run; ``timeout`` (seconds) limits its run time.

    The number must be new: none is used twice in the life of a pool. A task that is *bound* to a
    ``worker`` runs there or nowhere: it needs something that this process keeps. ``retry`` says
    what happens when it fails, and ``dice``, from 0 up to 1, where in their jitter its pauses lie.
    Tasks of a ``kind``, the same function say, are expected to take as long as others of it did.

    A task may stand for several calls of one kind, which a worker makes one after the other: it
    has to have no ``timeout``, ``worker`` and ``retry``. ``first`` goes what was a part of another
    task, and has not begun there.
    """

    task: int
    timeout: float = math.inf
    worker: WorkerId | None = None
    retry: RetryPlan | None = None
    dice: float = 0.5
    kind: str | None = None
    calls: int = 1
    first: bool = False


@record
class TaskResized:
    """The task, which is queued, stands for so many calls now."""

    task: int
    calls: int


@record
class ReclaimRequested:
    """What a worker has not begun of a task, or behind it, shall come back: a call is canceled."""

    task: int


@record
class CancelRequested:
    """The user wants ``task`` to stop; after ``force_after`` seconds its worker is killed."""

    task: int
    force_after: float = math.inf


@record
class WorkerReady:
    """The worker said hello and can take a task."""

    worker: WorkerId


@record
class TaskProgressed:
    """A message of the running task arrived: it is not silent."""

    worker: WorkerId
    task: int
    attempt: int


@record
class TaskAdvanced:
    """Calls of the running task have ended, and others are still to come."""

    worker: WorkerId
    task: int
    attempt: int


@record
class TaskEnded:
    """The worker's last word about a task, and maybe the seconds that it took.

    For a task of several calls those are the seconds of one of them; how each has ended is not for
    the core.
    """

    worker: WorkerId
    task: int
    attempt: int
    outcome: Outcome
    detail: object = None
    seconds: float | None = None


@record
class TaskReturned:
    """A task that was sent to the worker has not begun there, and will not."""

    worker: WorkerId
    task: int
    attempt: int


@record
class WorkerExited:
    """The process is gone, or never came to exist.

    ``started`` is the last ``(task, attempt)`` that the worker began, if any: a task that was
    sent to a worker which died before it began costs nothing and runs elsewhere.
    """

    worker: WorkerId
    started: tuple[int, int] | None = None
    detail: object = None


@record
class WorkerFaulted:
    """The worker can't be trusted or reached any more, though its process may live."""

    worker: WorkerId
    reason: str


@record
class WorkerSeen:
    """Somebody looked at the worker's process, as `LookAtWorker` asked for.

    ``standstill`` is None unless a signal has stopped the process (not so a debugger that is at
    it). Else it is anything that stays the same for as long as nothing moves there: two looks with
    the same one have seen the same standstill.
    """

    worker: WorkerId
    standstill: object = None


@record
class WorkerMeasured:
    """The worker takes ``memory`` bytes at this moment."""

    worker: WorkerId
    memory: float


@record
class WorkerWorn:
    """The worker says that what its tasks have left behind makes it worth replacing."""

    worker: WorkerId


@record
class WorkerPinned:
    """The worker keeps values that somebody has use for, or does not any more."""

    worker: WorkerId
    pinned: bool


@record
class ResizeRequested:
    """The pool shall have ``size`` workers: the slots from there on end when they are idle."""

    size: int


@record
class RestartRequested:
    """Replace every worker when it is idle next, and begin again in slots that were given up."""


@record
class RetryJudged:
    """The answer to `JudgeFailure`: whether the task is worth another try."""

    task: int
    attempt: int
    again: bool


@record
class ClockAdvanced:
    """Nothing happened, but a deadline may have passed."""


@record
class CloseRequested:
    """End the pool: running tasks get ``grace`` seconds, queued ones none."""

    grace: float


Event = (
    TaskSubmitted
    | TaskResized
    | CancelRequested
    | ReclaimRequested
    | WorkerReady
    | TaskProgressed
    | TaskAdvanced
    | TaskEnded
    | TaskReturned
    | WorkerExited
    | WorkerFaulted
    | WorkerSeen
    | WorkerMeasured
    | WorkerWorn
    | WorkerPinned
    | ResizeRequested
    | RestartRequested
    | RetryJudged
    | ClockAdvanced
    | CloseRequested
)
