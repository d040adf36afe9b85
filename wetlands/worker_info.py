"""What is told of workers to who asks: `Environment.workers`."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wetlands.task import Task


class WorkerStatus(enum.Enum):
    """What a worker is doing."""

    STARTING = "starting"  #: it is not ready for tasks yet
    IDLE = "idle"  #: it waits for a task
    BUSY = "busy"  #: it has a task
    STOPPED = "stopped"  #: a signal has stopped its process, whatever it was doing
    ENDING = "ending"  #: it was asked to exit, or killed


class WorkerInfo(NamedTuple):
    """One worker at one moment."""

    slot: int  #: the number that `worker_env` gets
    pid: int | None  #: None while its process is being started
    status: WorkerStatus
    #: The task that it has, as far as the host knows; of very short ones, the next may have begun.
    task: Task[Any] | None = None
    #: Seconds since that task began, or sent an update, an output or a log record; what
    #: `worker_timeout` counts. None without a task.
    silence: float | None = None
    #: The part of a processor that it took, all threads together: near 1 is at work, near 0 waits,
    #: above 1 uses several. In steps of 0.01 s, as systems count. None if it was not measured.
    cpu: float | None = None
