"""The words in which a task speaks: statuses, events, progress, timings."""

from __future__ import annotations

import contextlib
import enum
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wetlands.errors import ExecutionException
    from wetlands.task import Task

logger = logging.getLogger("wetlands.task")


class TaskStatus(enum.Enum):
    """Where a task is in its life."""

    PENDING = "pending"  #: not started, or waiting for a worker
    RUNNING = "running"  #: a worker runs it
    COMPLETED = "completed"  #: the function returned
    FAILED = "failed"  #: it raised, or its worker was lost, or it ran out of time
    CANCELED = "canceled"  #: it acknowledged its cancellation, never began, or was forced

    def is_finished(self) -> bool:
        """Whether the status is final."""
        return self not in _UNFINISHED


_UNFINISHED = (TaskStatus.PENDING, TaskStatus.RUNNING)


class TaskEventType(enum.Enum):
    """What happened to a task."""

    STARTED = "started"  #: it was dispatched to a worker
    UPDATE = "update"  #: progress or an intermediate output arrived
    COMPLETION = "completion"
    FAILURE = "failure"
    CANCELATION = "cancelation"


class TaskWorker(NamedTuple):
    """The worker that runs, or ran, a task."""

    slot: int  #: the number that `worker_env` gets
    pid: int


class Timings(NamedTuple):
    """When things happened to a task, in seconds of `time.monotonic()`; None: not yet."""

    submitted: float | None
    started: float | None
    finished: float | None


class Attempt(NamedTuple):
    """A run of a task that failed."""

    error: ExecutionException
    worker: TaskWorker | None
    started: float | None  #: seconds of `time.monotonic()`
    finished: float | None


class Progress(NamedTuple):
    """What `RemoteTaskHandle.update()` said last."""

    message: str | None = None
    current: float | None = None
    maximum: float | None = None


NO_PROGRESS = Progress()


class TaskEvent:
    """Something that happened to a task."""

    # No dataclass: to load what makes them takes a tenth of the time of loading the package.
    __slots__ = ("_progress", "_task", "_type")

    def __init__(
        self,
        task: Task[Any],
        type: TaskEventType,  # noqa: A002  (as the attribute)
        progress: Progress = NO_PROGRESS,
    ) -> None:
        self._task = task
        self._type = type
        self._progress = progress

    @property
    def task(self) -> Task[Any]:
        """The task that emitted the event."""
        return self._task

    @property
    def type(self) -> TaskEventType:
        """The kind of event."""
        return self._type

    def _key(self) -> tuple[object, ...]:
        return self._task, self._type, self._progress

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskEvent) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"TaskEvent(task={self._task!r}, type={self._type!r})"


Listener = Callable[[TaskEvent], Any]

TERMINAL = {
    TaskStatus.COMPLETED: TaskEventType.COMPLETION,
    TaskStatus.FAILED: TaskEventType.FAILURE,
    TaskStatus.CANCELED: TaskEventType.CANCELATION,
}


class _Delivering(threading.local):
    event: TaskEvent | None = None


_delivering = _Delivering()


def call_listener(listener: Listener, event: TaskEvent) -> None:
    """Call a listener; what it raises, sys.exit() included, is logged and hurts nothing."""
    outer, _delivering.event = _delivering.event, event
    try:
        listener(event)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _in_main_thread():
            raise  # Ctrl-C, while a late listener ran in the caller's thread
        with contextlib.suppress(Exception):  # a log handler that raises
            logger.exception("A listener of %r raised", event.task)
    finally:
        _delivering.event = outer


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def progress_in_view(task: Task[Any], latest: Progress) -> Progress:
    """Return the progress that the caller should see: in a listener, that of its event."""
    event = _delivering.event
    return event._progress if event is not None and event.task is task else latest
