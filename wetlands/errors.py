"""Every exception that wetlands raises.

::

    WetlandsError(Exception)
      ConfigurationError(ValueError)        an option or a recipe that can't be right
      ForkedError(RuntimeError)             used in a forked child of the host
      ProvisioningError                     building and finding environments
        EnvironmentNotFoundError(LookupError)
        EnvironmentConflictError            same name, other recipe
        EnvironmentBuildError               .command .returncode .log_tail
        CreationCanceledError(concurrent.futures.CancelledError)
        EnvironmentInUseError               workers of some process still run in it
        InterpreterNotFoundError            .request .found
      PoolError                             the workers of one environment
        NotLaunchedError                    submit() before launch()
        PoolClosedError                     submit() after exit()
        QueueFullError                      submit(block=False) while max_queued tasks are queued
        PoolBrokenError                     .failures: what the workers died of
        WorkerStartError                    .log_tail
      TaskError
        InvalidStateError(concurrent.futures.InvalidStateError)
        SerializationError                  .where: "arguments" or "result"
        ExecutionException                  how a FAILED task ended: .exception .traceback
          WorkerLostError                   .worker .returncode .signal .log_tail
            OutOfMemoryError                it took more memory than it may, or than there is
            PoisonTaskError                 it has cost several workers, and gets no other one
          TaskTimeoutError(TimeoutError)    ran, or was silent, for too long
          ResultError                       the result can't be sent, or rebuilt in the host
          TaskAbandonedError                the pool closed or broke first
      InternalError                         a bug in wetlands, please report

What goes wrong on the wire (`ProtocolError` and its children) is defined beside the protocol, in
`worker_entry.protocol`, because workers raise it too; a host never sees it escape.

Messages say what happened, to which environment, worker and task, and what to do next; programs
read attributes, never messages. Every class survives pickling: attributes are keyword-only with
defaults, so that ``cls(*args)`` rebuilds the object and its ``__dict__`` the rest.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping, Sequence
from typing import Any


class WetlandsError(Exception):
    """Root of all errors of this package."""


class ConfigurationError(WetlandsError, ValueError):
    """An option, a recipe or a target has a wrong type or an impossible value."""


class ForkedError(WetlandsError, RuntimeError):
    """A forked child of the host tried to use the host's workers."""


# -- environments ---------------------------------------------------------------------------------


class ProvisioningError(WetlandsError):
    """An environment can't be found, built or removed."""


class EnvironmentNotFoundError(ProvisioningError, LookupError):
    """No environment has this name or lies at this path."""


class EnvironmentConflictError(ProvisioningError):
    """An environment of this name exists and was built from another recipe."""


class EnvironmentInUseError(ProvisioningError):
    """The environment can't be changed or deleted while workers run in it."""


class EnvironmentBuildError(ProvisioningError):
    """A tool failed while an environment was locked, built or extended.

    Attributes:
        command: The command that failed.
        returncode: Its exit status; negative for a signal; None when it did not start.
        log_tail: What it printed last, as it was printed.
    """

    def __init__(
        self,
        message: str,
        *,
        command: Sequence[str] = (),
        returncode: int | None = None,
        log_tail: str = "",
    ) -> None:
        super().__init__(message)
        self.command = tuple(command)
        self.returncode = returncode
        self.log_tail = log_tail


class CreationCanceledError(ProvisioningError, concurrent.futures.CancelledError):
    """The creation of an environment was canceled by its `Cancellation`."""


class InterpreterNotFoundError(ProvisioningError):
    """No Python on this machine satisfies the recipe.

    Attributes:
        request: The version that was asked for, for example ``">=3.9,<3.12"``.
        found: One line for each interpreter that was found and did not fit.
    """

    def __init__(self, message: str, *, request: str = "", found: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.request = request
        self.found = tuple(found)


# -- pools ----------------------------------------------------------------------------------------


class PoolError(WetlandsError):
    """The workers of an environment can't take this request."""


class NotLaunchedError(PoolError):
    """The environment has no workers yet: call ``launch()`` first."""


class PoolClosedError(PoolError):
    """The environment's workers were ended by ``exit()``."""


class QueueFullError(PoolError):
    """As many tasks are queued as ``launch(max_queued=...)`` allows."""


class PoolBrokenError(PoolError):
    """Workers kept dying without being asked to, and replacing them was given up.

    Attributes:
        failures: One description for each slot's last death, with the end of its stderr.
    """

    def __init__(self, message: str, *, failures: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class WorkerStartError(PoolError):
    """A worker could not be started.

    Attributes:
        log_tail: The last lines it wrote to stderr.
    """

    def __init__(self, message: str, *, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


# -- tasks ----------------------------------------------------------------------------------------


class TaskError(WetlandsError):
    """Something about one task."""


class InvalidStateError(TaskError, concurrent.futures.InvalidStateError):
    """The operation does not fit the state that the task is in."""


class SerializationError(TaskError):
    """A value can't cross the border between host and worker.

    Attributes:
        where: ``"arguments"``, ``"target"`` or ``"result"``.
    """

    def __init__(self, message: str, *, where: str = "arguments") -> None:
        super().__init__(message)
        self.where = where


class ExecutionException(TaskError):
    """How a task failed.

    Attributes:
        exception: The error message, the same text as ``task.error``.
        traceback: Lines of the remote traceback, as text without line ends; empty when the
            failure did not come from user code.
        type_name: The remote exception's type, ``"module.QualName"`` (builtins without module);
            None when no remote exception was raised.
        cause: The exception that this one was raised from (``__cause__`` or ``__context__``),
            described the same way.
        task_id: The task's public id.
        worker: The slot number of the worker, or None when no worker was involved.
        environment: The name of the environment.
        item: In `Environment.map`, the number of the item that failed, from 0; else None.
    """

    item: int | None = None

    def __init__(
        self,
        exception: str,
        traceback: Sequence[str] = (),
        *,
        type_name: str | None = None,
        cause: ExecutionException | None = None,
        task_id: str | None = None,
        worker: int | None = None,
        environment: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(exception)
        self.exception = exception
        self.traceback = list(traceback)
        self.type_name = type_name
        self.cause = cause
        self.task_id = task_id
        self.worker = worker
        self.environment = environment
        for name, value in details.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        if not self.traceback:
            return self.exception
        origin = f" in environment {self.environment!r}" if self.environment else ""
        lines = "\n".join(f"  {line}" for line in self.traceback)
        return f"{self.exception}\n\nRemote traceback{origin}:\n{lines}"


class WorkerLostError(ExecutionException):
    """The worker exited, unasked, while it ran the task, or stood still and was replaced.

    Attributes:
        reason: Why it was killed, as a text; empty if it died by itself. Begins with "it was
            frozen" for one that stood still.
        returncode: The exit status of the process; negative for a signal.
        signal: The signal's name, for example ``"SIGSEGV"``, or None.
        log_tail: The last lines that the worker wrote to stderr.
    """

    reason: str = ""
    returncode: int | None = None
    signal: str | None = None
    log_tail: str = ""
    _row = b""  # results of the items before, where the task was a chunk of `map()`


class OutOfMemoryError(WorkerLostError):
    """The worker took more than ``max_memory_per_worker``, or the kernel ended it for its memory.

    A `MemoryError` that the function raised is an `ExecutionException` as any other.
    """


class PoisonTaskError(WorkerLostError):
    """The task has cost several workers, and gets no other one, though it had retries left.

    ``task.attempts`` has all its failures; the attributes are those of the last one.
    """


class TaskTimeoutError(ExecutionException, TimeoutError):
    """The task ran longer than its ``timeout``, or was silent longer than ``worker_timeout``."""


class ResultError(ExecutionException):
    """The task's function returned, but its result can't be sent or can't be rebuilt here."""


class TaskAbandonedError(ExecutionException):
    """The task did not get to its end because its pool was closed or broke."""


class InternalError(WetlandsError):
    """A bug in wetlands itself; please report it with the story that it carries.

    Attributes:
        story: The recent transitions of the pool, newest last.
    """

    def __init__(self, message: str, *, story: Sequence[Mapping[str, Any] | str] = ()) -> None:
        super().__init__(message)
        self.story = tuple(story)
