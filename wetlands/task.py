"""Tasks: what `Environment.submit()` returns.

A task has one owner, its pool, which moves it along (see `task_state`); everybody else looks,
waits, listens and asks for cancellation, from any thread.

Listeners run on the delivery thread, one event at a time, in order. An event carries the progress
of its moment: inside a listener, ``event.task.progress`` and its like are those of the event,
however far the task has got meanwhile. `wait_for()` gives listeners a moment to finish, so that
what they do is done in all but pathological cases when it returns.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import AsyncIterator, Generator
from types import TracebackType
from typing import Any, TypeVar

from wetlands.errors import ExecutionException, InvalidStateError
from wetlands.options import seconds
from wetlands.task_event import (
    TERMINAL,
    Attempt,
    Listener,
    Progress,
    TaskEvent,
    TaskEventType,
    TaskStatus,
    TaskWorker,
    Timings,
    call_listener,
    progress_in_view,
)
from wetlands.task_state import TaskState

__all__ = [
    "Attempt",
    "ExecutionException",
    "InvalidStateError",
    "Task",
    "TaskEvent",
    "TaskEventType",
    "TaskStatus",
    "TaskWorker",
    "Timings",
]

T = TypeVar("T")

#: How long `wait_for()` waits for listeners to see the end, in seconds: a courtesy, not a promise,
#: since a listener may be waiting for this very thread.
LISTENER_GRACE = 1.0
_result_of: Any = None


class Task(TaskState[T]):
    """One call of a function in an environment. Safe to use from any thread.

    Awaitable, and a context manager that cancels on early exit, in both flavours.
    """

    def __repr__(self) -> str:
        return f"<Task {self.id[:8]} {self._description} {self._status.value}>"

    # -- what it is -------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The task's unique identifier, a UUID4."""
        return str(self._name)

    @property
    def started(self) -> bool:
        """Whether a worker has been given the task."""
        return self._started is not None

    @property
    def result(self) -> T:
        """What the function returned; never blocks.

        Raises:
            InvalidStateError: The task is not COMPLETED.
        """
        status = self.status
        if status is not TaskStatus.COMPLETED:
            hint = f": {self.error}" if status is TaskStatus.FAILED else ""
            raise InvalidStateError(f"{self!r} has no result: it is {status.value}{hint}")
        return self._result  # type: ignore[return-value]

    @property
    def error(self) -> str | None:
        """The error message of a FAILED task, else None."""
        error = self.exception
        return None if error is None else error.exception

    @property
    def traceback(self) -> list[str] | None:
        """Lines of the remote traceback of a FAILED task, else None."""
        error = self.exception
        return None if error is None else error.traceback

    @property
    def message(self) -> str | None:
        """The latest progress message."""
        return self._seen().message

    @property
    def current(self) -> float | None:
        """The latest progress counter, in the unit of `maximum`."""
        return self._seen().current

    @property
    def maximum(self) -> float | None:
        """The value of `current` at which the work is done."""
        return self._seen().maximum

    @property
    def progress(self) -> float | None:
        """``current / maximum``, between 0 and 1; None if either is missing or maximum is 0."""
        seen = self._seen()
        if seen.current is None or not seen.maximum:
            return None
        return min(1.0, max(0.0, seen.current / seen.maximum))

    @property
    def outputs(self) -> dict[str, Any]:
        """A copy of the named intermediate outputs so far.

        A value that can't be rebuilt in the host is given as the error that says why.
        """
        # Not under the lock: the loop needs it, and this runs code of the user.
        return {key: output.value_for(self) for key, output in self._outputs.items()}

    @property
    def future(self) -> concurrent.futures.Future[T]:
        """The task as a standard future, for `concurrent.futures.wait()` and its like."""
        return self._get_future()

    @property
    def worker(self) -> TaskWorker | None:
        """The worker that runs, or ran, the task; None before."""
        return self._worker

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every run that failed, the first one first; more than one only with ``retries``."""
        error = self.exception
        if error is None or self._started is None:
            return self._attempts
        return (*self._attempts, Attempt(error, self._worker, self._started, self._finished))

    @property
    def timings(self) -> Timings:
        """When the task was submitted, started and finished."""
        return Timings(self._submitted, self._started, self._finished)

    # -- what to do with it -----------------------------------------------------------------------

    def start(self) -> Task[T]:
        """Queue a task that was submitted with ``start=False``; return the task.

        Does nothing to a task that was started or canceled before.

        Raises:
            PoolClosedError: The environment has no workers any more.
        """
        if self._asked_to_start or self._finished is not None:
            return self
        if self._submitted is None:
            self._submitted = time.monotonic()
        self._driver.start_task(self)
        # Only now: after an interruption, whoever asks again must be heard. A task that the pool
        # is given twice runs once.
        self._asked_to_start = True
        return self

    def cancel(self, force_after: float | None = None) -> None:
        """Ask for the task's end.

        A task that no worker has begun is CANCELED at once. A running one finds
        ``task.cancel_requested`` set and ends as it sees fit: CANCELED if it acknowledges, with
        its normal outcome if not.

        Args:
            force_after: Seconds after which a task that is still running is ended by killing its
                worker, which is replaced. None: never.

        Raises:
            ConfigurationError: ``force_after`` is no number of seconds.
        """
        limit = seconds("force_after", force_after)
        if not self._status.is_finished():
            self._driver.cancel_task(self, limit)

    def wait_for(self, timeout: float | None = None) -> Task[T]:
        """Wait until the task has ended, however it did; return the task.

        Args:
            timeout: Seconds to wait at most. None: no limit.

        Raises:
            TimeoutError: It has not ended in time; it is not canceled by that.
        """
        begin = 0.0 if timeout is None else time.monotonic()
        if not self._wait(timeout):
            raise TimeoutError(f"{self!r} did not finish within {timeout:g} s")
        if self._told is not None and not self._driver.on_delivery_thread():
            left = LISTENER_GRACE if timeout is None else timeout - (time.monotonic() - begin)
            self._told.wait(max(0.0, min(left, LISTENER_GRACE)))
        return self

    def listen(self, callback: Listener) -> Task[T]:
        """Call ``callback(event)`` for every event from now on; return the task.

        Callbacks run on a background thread, in order; what they raise is logged. If the task has
        ended, the callback gets its terminal event at once, on this thread.
        """
        with self._lock:
            self._listeners = (*self._listeners, callback)
            if not self._status.is_finished():
                return self
        call_listener(callback, TaskEvent(self, TERMINAL[self.status], self._last))
        return self

    def remove_listener(self, callback: Listener) -> None:
        """Stop calling ``callback``.

        Raises:
            ValueError: It is not registered.
        """
        with self._lock:
            listeners = list(self._listeners)
            listeners.remove(callback)
            self._listeners = tuple(listeners)

    def __enter__(self) -> Task[T]:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._status.is_finished():
            self.cancel()
            self.wait_for()

    # -- asyncio ----------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, T]:
        global _result_of
        if _result_of is None:  # programs without asyncio load it never, others once
            from wetlands.task_async import result_of as _result_of
        return _result_of(self)  # type: ignore[no-any-return]

    async def __aenter__(self) -> Task[T]:
        return self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._status.is_finished():
            from wetlands.task_async import ended

            self.cancel()
            await ended(self)

    def events(self) -> AsyncIterator[TaskEvent]:
        """Iterate over events from now on, up to and including the terminal one.

        For use in a coroutine: ``async for event in task.events()``.
        """
        # asyncio takes longer to import than all of this; who awaits has it already.
        from wetlands.task_async import stream_events

        return stream_events(self)

    def _seen(self) -> Progress:
        return progress_in_view(self, self._last)
