"""Tasks: what `Environment.submit()` returns.

A task has one owner, its pool, whose loop thread moves it along (`_start`, `_progress`, `_finish`);
everybody else looks, waits, listens and asks for cancellation, from any thread. Three rules:

-   The outcome arrives as bytes and is rebuilt by the first thread that asks for it, never by the
    loop: unpickling runs code of the user. Until then the task looks finished to nobody who asks
    *how* it ended, because a value that can't be rebuilt makes it FAILED.
-   Listeners run on the delivery thread, one event at a time, in order. An event carries the
    progress of its moment: inside a listener, ``event.task.progress`` and its like are those of
    the event, however far the task has got meanwhile.
-   Whoever waits is woken before listeners run, hence a listener may wait for any task, its own
    included. `wait_for()` then gives listeners a moment to finish, so that what they do is done
    in all but pathological cases when it returns.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import math
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from wetlands.errors import ConfigurationError, ExecutionException, InvalidStateError
from wetlands.future import TaskFuture
from wetlands.task_async import Waker, stream_events
from wetlands.task_event import (
    NO_PROGRESS,
    TERMINAL,
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

__all__ = [
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


class TaskDriver(Protocol):
    """What a task asks of its pool."""

    def start_task(self, task: Task[Any]) -> None:
        """Queue the task."""

    def cancel_task(self, task: Task[Any], force_after: float) -> None:
        """Cancel a queued task before returning, ask a running one to stop."""

    def discard_task(self, task: Task[Any]) -> None:
        """Forget a task that ended before it was queued."""

    def deliver(self, call: Callable[[], None]) -> None:
        """Run code of the user on the delivery thread."""

    def on_delivery_thread(self) -> bool:
        """Whether the caller is such code."""


class Task(Generic[T]):
    """One call of a function in an environment. Safe to use from any thread.

    Awaitable, and a context manager that cancels on early exit, in both flavours.
    """

    def __init__(self, driver: TaskDriver, number: int, description: str) -> None:
        self._driver = driver
        self.number = number  #: what its pool and its workers call it
        self._description = description
        self._id: str | None = None
        # Reentrant, because a value that is rebuilt under it may run any code.
        self._lock = threading.RLock()
        self._asked_to_start = False
        self._status = TaskStatus.PENDING
        self._load: Callable[[], T] | None = None  #: rebuilds the value; None once done
        self._result: T | None = None
        self._exception: ExecutionException | None = None
        self._last = NO_PROGRESS
        self._outputs: dict[str, _Output] = {}
        self._listeners: list[Listener] = []
        self._wakers: list[Callable[[], None]] = []
        self._told: threading.Event | None = None  #: set when listeners saw the end
        self._worker: TaskWorker | None = None
        self._submitted: float | None = None
        self._started: float | None = None
        self._finished: float | None = None
        self._future: TaskFuture[T] = TaskFuture(self, driver.deliver)

    def __repr__(self) -> str:
        return f"<Task {self.id[:8]} {self._description} {self._status.value}>"

    # -- what it is -------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The task's unique identifier, a UUID4."""
        if self._id is None:  # most tasks are never asked, and randomness is not cheap
            with self._lock:
                self._id = self._id or str(uuid.uuid4())
        return self._id

    @property
    def status(self) -> TaskStatus:
        """Where the task is in its life; the first look at a finished one rebuilds its value."""
        if self._load is not None:
            self._decode()
        return self._status

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
    def exception(self) -> ExecutionException | None:
        """Why the task failed; None unless it has."""
        self.status  # noqa: B018  (rebuilds the value, which may be what fails)
        return self._exception

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
        with self._lock:
            outputs = dict(self._outputs)
        # Not under the lock: the loop thread needs it, and this runs code of the user.
        return {key: output.value() for key, output in outputs.items()}

    @property
    def future(self) -> concurrent.futures.Future[T]:
        """The task as a standard future, for `concurrent.futures.wait()` and its like."""
        return self._future

    @property
    def worker(self) -> TaskWorker | None:
        """The worker that runs, or ran, the task; None before."""
        return self._worker

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
        with self._lock:
            if self._asked_to_start or self._status.is_finished():
                return self
            self._asked_to_start = True
            self._submitted = time.monotonic()
        try:
            self._driver.start_task(self)
        except BaseException:
            self._asked_to_start = False
            raise
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
        with self._lock:
            if not self._asked_to_start and not self._status.is_finished():
                self._driver.discard_task(self)
                self._finish(TaskStatus.CANCELED)
        if not self._status.is_finished():
            self._driver.cancel_task(self, limit)

    def wait_for(self, timeout: float | None = None) -> Task[T]:
        """Wait until the task has ended, however it did; return the task.

        Args:
            timeout: Seconds to wait at most. None: no limit.

        Raises:
            TimeoutError: It has not ended in time; it is not canceled by that.
        """
        try:
            super(TaskFuture, self._future).exception(timeout)
        except concurrent.futures.CancelledError:
            pass
        except concurrent.futures.TimeoutError:
            # Two classes before Python 3.11; callers are promised the built-in one.
            raise TimeoutError(f"{self!r} did not finish within {timeout:g} s") from None
        if self._told is not None and not self._driver.on_delivery_thread():
            self._told.wait(LISTENER_GRACE if timeout is None else min(timeout, LISTENER_GRACE))
        return self

    def listen(self, callback: Listener) -> Task[T]:
        """Call ``callback(event)`` for every event from now on; return the task.

        Callbacks run on a background thread, in order; what they raise is logged. If the task has
        ended, the callback gets its terminal event at once, on this thread.
        """
        with self._lock:
            self._listeners.append(callback)
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
            self._listeners.remove(callback)

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
        return self._result_async().__await__()

    async def __aenter__(self) -> Task[T]:
        return self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._status.is_finished():
            self.cancel()
            await self._ended()

    def events(self) -> AsyncIterator[TaskEvent]:
        """Iterate over events from now on, up to and including the terminal one.

        For use in a coroutine: ``async for event in task.events()``.
        """
        return stream_events(self)

    async def _result_async(self) -> T:
        try:
            await self._ended()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self.status is TaskStatus.CANCELED:
            raise asyncio.CancelledError(f"{self!r} was canceled")
        return self._value()

    async def _ended(self) -> None:
        # Not a done-callback: a listener that blocks the delivery thread must not stop asyncio.
        waker = Waker()
        self._when_ended(waker.wake)
        try:
            await waker.future
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._wakers.remove(waker.wake)

    def _when_ended(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` at the end, on the loop thread: it must be quick and may not raise."""
        with self._lock:
            if not self._status.is_finished():
                self._wakers.append(wake)
                return
        wake()

    # -- for the pool -----------------------------------------------------------------------------

    def _start(self, worker: TaskWorker) -> None:
        with self._lock:
            self._worker = worker
            self._status = TaskStatus.RUNNING
            self._started = time.monotonic()
        self._emit(TaskEventType.STARTED)

    def _requeue(self) -> None:
        """Its worker died before it began: it waits again."""
        with self._lock:
            self._worker = None
            self._status = TaskStatus.PENDING
            self._started = None

    def _update(self, message: str | None, current: float | None, maximum: float | None) -> None:
        last = self._last
        self._last = Progress(
            last.message if message is None else message,
            last.current if current is None else current,
            last.maximum if maximum is None else maximum,
        )
        self._emit(TaskEventType.UPDATE)

    def _set_output(self, key: str, decode: Callable[[], Any]) -> None:
        with self._lock:
            self._outputs[key] = _Output(decode)
        self._emit(TaskEventType.UPDATE)

    def _finish(
        self,
        status: TaskStatus,
        load: Callable[[], T] | None = None,
        error: ExecutionException | None = None,
    ) -> None:
        with self._lock:
            if self._status.is_finished():
                return
            self._finished = time.monotonic()
            self._load, self._exception = load, error
            listeners = list(self._listeners)
            wakers, self._wakers = self._wakers, []
            if listeners:
                self._told = threading.Event()
            self._status = status  # last: from here on, everything above is read without a lock
        self._settle_future(status, error)
        for wake in wakers:
            wake()
        if listeners:
            self._driver.deliver(lambda: self._tell_the_end(listeners))

    def _settle_future(self, status: TaskStatus, error: ExecutionException | None) -> None:
        if status is TaskStatus.CANCELED:
            self._future._end_canceled()
        elif error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(None)  # type: ignore[arg-type]  # asked for with _value()

    def _emit(self, kind: TaskEventType) -> None:
        if not self._listeners:
            return
        with self._lock:
            listeners = list(self._listeners)
        event = TaskEvent(self, kind, self._last)

        def tell() -> None:
            for listener in listeners:
                if listener in self._listeners:
                    call_listener(listener, event)

        self._driver.deliver(tell)

    def _tell_the_end(self, listeners: list[Listener]) -> None:
        event = TaskEvent(self, TERMINAL[self.status], self._last)
        for listener in listeners:
            if listener in self._listeners:
                call_listener(listener, event)
        assert self._told is not None
        self._told.set()

    # -- helpers ----------------------------------------------------------------------------------

    def _seen(self) -> Progress:
        return progress_in_view(self, self._last)

    def _decode(self) -> None:
        with self._lock:
            load = self._load
            if load is None:
                return
            try:
                self._result = load()
            except ExecutionException as error:
                self._exception = error
                self._status = TaskStatus.FAILED
            self._load = None

    def _value(self) -> T:
        """Return the value of a task that has ended without being canceled, or raise."""
        error = self.exception
        if error is not None:
            raise error
        return self._result  # type: ignore[return-value]


class _Output:
    """A value that is rebuilt when somebody asks for it, once."""

    def __init__(self, decode: Callable[[], Any]) -> None:
        self._lock = threading.RLock()
        self._decode: Callable[[], Any] | None = decode
        self._value: Any = None

    def value(self) -> Any:
        with self._lock:
            if self._decode is not None:
                try:
                    self._value = self._decode()
                except ExecutionException as error:
                    self._value = error
                self._decode = None
            return self._value


def seconds(name: str, value: float | None) -> float:
    """Return a duration option as seconds, infinite for None.

    Raises:
        ConfigurationError: It is no number, negative, or not a number.
    """
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ConfigurationError(f"{name} must be a number of seconds or None, not {value!r}")
    return float(value)
