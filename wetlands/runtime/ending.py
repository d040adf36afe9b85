"""From how a task ended to the exception that its caller gets: all texts of failures are here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from wetlands.core.commands import JudgeFailure, ResolveTask, RetryTask
from wetlands.core.events import Outcome, WorkerId
from wetlands.errors import (
    ExecutionException,
    OutOfMemoryError,
    PoisonTaskError,
    ResultError,
    TaskAbandonedError,
    TaskTimeoutError,
    WorkerLostError,
)
from wetlands.result_proxy import ResultProxy
from wetlands.runtime.process import Death
from wetlands.task import Task
from wetlands.task_event import TaskStatus, TaskWorker
from worker_entry.codec import Codec, CodecError

#: Status, what rebuilds the value, and the error: the arguments of `Task._finish`.
Ending = tuple[TaskStatus, "Callable[[Task[Any]], Any] | None", "ExecutionException | None"]

#: A command that says how a run of a task ended.
Ended = ResolveTask | RetryTask | JudgeFailure


class Loader:
    """Rebuilds a value that came from a worker. A single object, and no closure of many: queues
    of results are long, and the garbage collector looks at all of them again and again.
    """

    __slots__ = ("_endings", "_frames", "_worker")

    def __init__(
        self, endings: Endings, frames: Sequence[Any], worker: WorkerId | TaskWorker | None
    ) -> None:
        self._endings = endings
        self._frames = frames
        self._worker = worker

    def __call__(self, task: Task[Any]) -> Any:
        """Return the value, which is one of the task.

        Raises:
            ResultError: It can't be rebuilt.
        """
        try:
            return self._endings.codec.loads(self._frames, "result")
        except CodecError as error:
            raise self._endings.unreadable(error, task.id, self._worker) from error


class Endings:
    """Makes the exceptions of one environment's tasks."""

    def __init__(self, environment: str, worker_timeout: float, codec: Codec) -> None:
        self._environment = environment
        self._worker_timeout = worker_timeout
        self.codec = codec
        self.failures: dict[int, str] = {}  #: slot -> what its last worker died of, unasked

    def of(self, command: ResolveTask, task: Task[Any], limit: float) -> Ending:
        """Return how the task ends.

        Args:
            command: What the core decided.
            task: The task.
            limit: The seconds that it was allowed to run.
        """
        if command.outcome is Outcome.COMPLETED:
            if isinstance(command.detail, ResultProxy):
                proxy = command.detail
                return (TaskStatus.COMPLETED, lambda task: proxy, None)
            payload: Any = command.detail or (b"",)
            return (TaskStatus.COMPLETED, Loader(self, payload, command.worker), None)
        if command.outcome is Outcome.CANCELED:
            return (TaskStatus.CANCELED, None, None)
        return (TaskStatus.FAILED, None, self.error(command, task.id, limit))

    def error(self, command: Ended, task_id: str, limit: float) -> ExecutionException:
        """Return what went wrong with a run; arguments as for `of`."""
        try:
            return self._error(command, task_id, limit)
        except Exception as problem:  # whatever a worker sent, its task must end
            text = f"Task {task_id} failed, and can't be described: {problem!r}"
            return ExecutionException(text, **self._where(task_id, command.worker))

    def load(self, task: Task[Any]) -> Any:
        """Return the value of a task that ended by `Task._complete`.

        Raises:
            ResultError: It can't be rebuilt.
        """
        try:
            return self.codec.loads((task._result,), "result")
        except CodecError as error:
            raise self.unreadable(error, task.id, task.worker) from error

    def rebuild(self, pickles: Iterable[bytes], task: Task[Any]) -> Iterator[Any]:
        """Give the values of pickles, of which a worker sent several for one task.

        Raises:
            ResultError: One of them can't be rebuilt.
        """
        try:
            yield from self.codec.loads_each(pickles, "result")
        except CodecError as error:
            raise self.unreadable(error, task.id, task.worker) from error

    def abandoned(
        self, outcome: Outcome, task_id: str, worker: WorkerId | None
    ) -> TaskAbandonedError:
        """Return the error of a task that its pool could not bring to its end."""
        if outcome is Outcome.CLOSED:
            text = f"Environment {self._environment!r} is shutting down: task {task_id} was "
            text += "stopped" if worker else "still queued"
        else:
            text = f"Task {task_id} can't run: {self.broken_text()}"
        return TaskAbandonedError(text, **self._where(task_id, worker))

    def broken_text(self) -> str:
        """Return why the pool gave up."""
        last = "\n".join(f"- {self.failures[slot]}" for slot in sorted(self.failures))
        return (
            f"the workers of environment {self._environment!r} kept dying and are not replaced "
            f"any more. exit() and launch() start anew. What they died of last:\n{last}"
        )

    def initializer_text(self, detail: object) -> str:
        """Return why a worker whose initializer went wrong is of no use."""
        if not isinstance(detail, dict):
            return "its initializer did not come to its end"
        lines = "\n".join(str(line) for line in detail.get("traceback") or ())
        return f"its initializer failed: {detail.get('error', 'unknown error')}\n{lines}".rstrip()

    def _error(self, command: Ended, task_id: str, limit: float) -> ExecutionException:
        worker, detail = command.worker, command.detail
        if command.outcome is Outcome.FAILED and isinstance(detail, dict):
            return self._failed(detail, task_id, worker)
        if command.outcome is Outcome.TIMED_OUT:
            return self._timed_out(limit, task_id, worker)
        if command.outcome is Outcome.SILENT:
            return self._silent(task_id, worker)
        if command.outcome is Outcome.GONE:
            return self._gone(task_id, command.detail)
        if command.outcome in (Outcome.LOST, Outcome.OUT_OF_MEMORY):
            death = _death(detail)
            kind = WorkerLostError
            if command.outcome is Outcome.OUT_OF_MEMORY or death.out_of_memory:
                kind = OutOfMemoryError
            lost = self._lost(death, task_id, worker, kind)
            number, row = death.chunk
            if number == command.task:
                lost._row = row
            return lost
        if command.outcome is Outcome.POISONED:
            return self._poisoned(_death(detail), task_id, worker)
        return self.abandoned(command.outcome, task_id, worker)

    def _failed(
        self, description: dict[str, Any], task_id: str, worker: WorkerId | None
    ) -> ExecutionException:
        """Return the error of a task whose worker described what went wrong."""
        kind = ResultError if description.get("kind") == "result" else ExecutionException
        cause = description.get("cause")
        return kind(
            str(description.get("error", "unknown error")),
            [str(line) for line in description.get("traceback") or ()],
            type_name=description.get("type"),
            cause=self._failed(cause, task_id, worker) if isinstance(cause, dict) else None,
            **self._where(task_id, worker),
        )

    def unreadable(
        self, reason: object, task_id: str, worker: WorkerId | TaskWorker | None
    ) -> ResultError:
        """Return the error of a task whose value can't be rebuilt in the host."""
        advice = (
            "Return data, or register its type with wetlands.register_portable(): from an "
            "environment launched with trust='data' nothing else is rebuilt."
            if self.codec.data_only
            else "Return plain data, make its type importable in the host, or ask for "
            "result='proxy', which leaves the value in its worker."
        )
        return ResultError(
            f"The value that task {task_id} returned from environment {self._environment!r} "
            f"can't be rebuilt in the host: {reason}. {advice}",
            **self._where(task_id, worker),
        )

    def _lost(
        self,
        death: Death,
        task_id: str,
        worker: WorkerId | None,
        kind: type[WorkerLostError] = WorkerLostError,
    ) -> WorkerLostError:
        """Return the error of a task whose worker died."""
        tail = f"\nThe end of its stderr:\n{death.log_tail}" if death.log_tail else ""
        return kind(
            f"Worker {_slot(worker)} of environment {self._environment!r} {death.describe()} "
            f"while it ran task {task_id}. The worker is being replaced; submit the task again "
            f"if that makes sense.{tail}",
            reason=death.reason,
            returncode=death.returncode,
            signal=death.signal,
            log_tail=death.log_tail,
            **self._where(task_id, worker),
        )

    def _poisoned(self, death: Death, task_id: str, worker: WorkerId | None) -> PoisonTaskError:
        """Return the error of a task that worker after worker has died of."""
        tail = f"\nThe end of its stderr:\n{death.log_tail}" if death.log_tail else ""
        return PoisonTaskError(
            f"Task {task_id} is poison: every worker of environment {self._environment!r} that ran "
            f"it was lost, and it gets no other one. The last, {_slot(worker)}, "
            f"{death.describe()}. task.attempts has all of its failures.{tail}",
            reason=death.reason,
            returncode=death.returncode,
            signal=death.signal,
            log_tail=death.log_tail,
            **self._where(task_id, worker),
        )

    def _gone(self, task_id: str, detail: object) -> WorkerLostError:
        """Return the error of a task whose argument was lost with the worker that kept it."""
        story = f" That worker {detail.describe()}." if isinstance(detail, Death) else ""
        return WorkerLostError(
            f"Task {task_id} can't run: a value that it needs was kept by a worker of environment "
            f"{self._environment!r} that is gone.{story} Make the value again.",
            **self._where(task_id, None),
        )

    def _timed_out(self, limit: float, task_id: str, worker: WorkerId | None) -> TaskTimeoutError:
        """Return the error of a task that ran longer than it may."""
        return TaskTimeoutError(
            f"Task {task_id} timed out: it ran for more than {limit:g} s on worker "
            f"{_slot(worker)} of environment {self._environment!r}.",
            **self._where(task_id, worker),
        )

    def _silent(self, task_id: str, worker: WorkerId | None) -> TaskTimeoutError:
        """Return the error of a task that gave no sign of life."""
        return TaskTimeoutError(
            f"Worker {_slot(worker)} of environment {self._environment!r} timed out: its task "
            f"{task_id} sent no message for {self._worker_timeout:g} s. The worker is being "
            "replaced. If the task was at work, report progress from it with task.update(), or "
            "launch with a longer worker_timeout.",
            **self._where(task_id, worker),
        )

    def _where(self, task_id: str, worker: WorkerId | TaskWorker | None) -> dict[str, Any]:
        return {
            "task_id": task_id,
            "worker": worker.slot if worker else None,
            "environment": self._environment,
        }


def _death(detail: object) -> Death:
    return detail if isinstance(detail, Death) else Death(-9, str(detail))


def _slot(worker: WorkerId | None) -> str:
    return "?" if worker is None else str(worker.slot)
