"""From how a task ended to the exception that its caller gets: all texts of failures are here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wetlands.core.events import Outcome, WorkerId
from wetlands.errors import (
    ExecutionException,
    ResultError,
    TaskAbandonedError,
    TaskTimeoutError,
    WorkerLostError,
)
from wetlands.runtime.process import Death


class Endings:
    """Makes the exceptions of one environment's tasks."""

    def __init__(self, environment: str, worker_timeout: float) -> None:
        self._environment = environment
        self._worker_timeout = worker_timeout

    def failed(
        self, description: dict[str, Any], task_id: str, worker: WorkerId | None
    ) -> ExecutionException:
        """Return the error of a task whose worker described what went wrong."""
        kind = ResultError if description.get("kind") == "result" else ExecutionException
        cause = description.get("cause")
        return kind(
            str(description.get("error", "unknown error")),
            [str(line) for line in description.get("traceback") or ()],
            type_name=description.get("type"),
            cause=self.failed(cause, task_id, worker) if isinstance(cause, dict) else None,
            **self._where(task_id, worker),
        )

    def unreadable(self, reason: object, task_id: str, worker: WorkerId | None) -> ResultError:
        """Return the error of a task whose value can't be rebuilt in the host."""
        return ResultError(
            f"The value that task {task_id} returned from environment {self._environment!r} "
            f"can't be rebuilt in the host: {reason}. Return plain data, or make its type "
            "importable in the host.",
            **self._where(task_id, worker),
        )

    def lost(self, death: Death, task_id: str, worker: WorkerId | None) -> WorkerLostError:
        """Return the error of a task whose worker died."""
        tail = f"\nThe end of its stderr:\n{death.log_tail}" if death.log_tail else ""
        return WorkerLostError(
            f"Worker {_slot(worker)} of environment {self._environment!r} {death.describe()} "
            f"while it ran task {task_id}. The worker is being replaced; submit the task again "
            f"if that makes sense.{tail}",
            returncode=death.returncode,
            signal=death.signal,
            log_tail=death.log_tail,
            **self._where(task_id, worker),
        )

    def timed_out(self, limit: float, task_id: str, worker: WorkerId | None) -> TaskTimeoutError:
        """Return the error of a task that ran longer than it may."""
        return TaskTimeoutError(
            f"Task {task_id} timed out: it ran for more than {limit:g} s on worker "
            f"{_slot(worker)} of environment {self._environment!r}.",
            **self._where(task_id, worker),
        )

    def silent(self, task_id: str, worker: WorkerId | None) -> TaskTimeoutError:
        """Return the error of a task that gave no sign of life."""
        return TaskTimeoutError(
            f"Worker {_slot(worker)} of environment {self._environment!r} timed out: its task "
            f"{task_id} sent no message for {self._worker_timeout:g} s. The worker is being "
            "replaced. If the task was at work, report progress from it with task.update(), or "
            "launch with a longer worker_timeout.",
            **self._where(task_id, worker),
        )

    def abandoned(
        self, outcome: Outcome, failures: Sequence[str], task_id: str, worker: WorkerId | None
    ) -> TaskAbandonedError:
        """Return the error of a task that its pool could not bring to its end."""
        if outcome is Outcome.CLOSED:
            text = f"Environment {self._environment!r} is shutting down: task {task_id} was "
            text += "stopped" if worker else "still queued"
        else:
            text = f"Task {task_id} can't run: {broken_text(self._environment, failures)}"
        return TaskAbandonedError(text, **self._where(task_id, worker))

    def _where(self, task_id: str, worker: WorkerId | None) -> dict[str, Any]:
        return {
            "task_id": task_id,
            "worker": worker.slot if worker else None,
            "environment": self._environment,
        }


def broken_text(environment: str, failures: Sequence[str]) -> str:
    """Return why a pool gave up."""
    last = "\n".join(f"- {failure}" for failure in failures)
    return (
        f"the workers of environment {environment!r} kept dying and are not replaced any more. "
        f"exit() and launch() start anew. What they died of last:\n{last}"
    )


def _slot(worker: WorkerId | None) -> str:
    return "?" if worker is None else str(worker.slot)
