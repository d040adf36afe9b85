"""What to do: the output of :class:`wetlands.core.pool.PoolCore`. Imperative, immutable.

The driver executes commands in the order in which they were returned.
"""

from __future__ import annotations

from wetlands.core.events import Outcome, WorkerId
from wetlands.core.record import record


@record
class SpawnWorker:
    """Start a process; answer with ``WorkerReady`` or ``WorkerExited``."""

    worker: WorkerId


@record
class DispatchTask:
    """Send the task to the worker, which is ready, and idle unless the task goes ``ahead``."""

    worker: WorkerId
    task: int
    attempt: int
    ahead: bool = False


@record
class StartTask:
    """Take note that the worker is at this task now, which was sent ahead."""

    worker: WorkerId
    task: int
    attempt: int


@record
class CheckWorker:
    """Hand on what has ended there, if the worker has not told it yet."""

    worker: WorkerId


@record
class LookAtWorker:
    """Look whether a signal has stopped its process; answer with `WorkerSeen`."""

    worker: WorkerId


@record
class ReclaimTasks:
    """Take back what the worker has not begun: answer with `TaskReturned`, the last one first.

    Before that, hand on what has ended there. A task that may have begun is not answered for now:
    how it ends, or that it was skipped, comes when the worker says so.
    """

    worker: WorkerId


@record
class InterruptTask:
    """Tell the worker that the task it runs should stop."""

    worker: WorkerId
    task: int
    attempt: int


@record
class StopWorker:
    """Ask the idle worker to exit."""

    worker: WorkerId


@record
class KillWorker:
    """Kill the worker and everything that it started.

    If that is ``undecided``, only its exit tells whether it has begun the task that it is at.
    """

    worker: WorkerId
    reason: str
    undecided: bool = False


@record
class ResolveTask:
    """Give the task its outcome: exactly one for every submitted task.

    ``worker`` is the one that had it, or None when it never ran.
    """

    task: int
    outcome: Outcome
    worker: WorkerId | None = None
    detail: object = None


@record
class JudgeFailure:
    """Have somebody look at the failure; answer with `RetryJudged`, in whatever time it takes."""

    task: int
    attempt: int
    outcome: Outcome
    worker: WorkerId | None = None
    detail: object = None


@record
class RetryTask:
    """Take note that a run of the task failed; it runs again, after ``pause`` seconds at least."""

    task: int
    outcome: Outcome
    worker: WorkerId | None
    detail: object
    pause: float


@record
class AnnounceBroken:
    """Every slot spent its restart budget: no task will ever run again."""


@record
class AnnounceClosed:
    """Closed for good: no process is left that a kill could end."""


Command = (
    SpawnWorker
    | DispatchTask
    | StartTask
    | CheckWorker
    | LookAtWorker
    | ReclaimTasks
    | InterruptTask
    | StopWorker
    | KillWorker
    | ResolveTask
    | JudgeFailure
    | RetryTask
    | AnnounceBroken
    | AnnounceClosed
)
