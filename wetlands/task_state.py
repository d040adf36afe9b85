"""The state of a task, and how its pool moves it along.

Only passes of the loop, one at a time, call `_start`, `_update`, `_set_output` and `_finish`
while the pool lives. Two rules are kept here:

-   The outcome arrives as bytes and is rebuilt by the first thread that asks for it, never by the
    loop: unpickling runs code of the user. Until then the task looks finished to nobody who asks
    *how* it ended, because a value that can't be rebuilt makes it FAILED.
-   Whoever waits is woken before listeners run, hence a listener may wait for any task, its own
    included.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from wetlands.errors import ExecutionException
from wetlands.future import TaskFuture
from wetlands.latch import Latch
from wetlands.task_event import (
    NO_PROGRESS,
    TERMINAL,
    Attempt,
    Listener,
    Progress,
    TaskEvent,
    TaskEventType,
    TaskStatus,
    TaskWorker,
    call_listener,
)

if TYPE_CHECKING:
    from wetlands.task import Task

T = TypeVar("T")

# The class itself, without the function that chooses it each time.
_RLock: Any = type(threading.RLock())
#: Updates of one task that may wait for its listeners; with more, those in between are passed
#: over, because a slow listener must not fill the memory. What they said is in the next one.
MAX_UNTOLD = 1000


class TaskDriver(Protocol):
    """What a task asks of its pool."""

    def start_task(self, task: Task[Any]) -> None:
        """Queue the task."""

    def cancel_task(self, task: Task[Any], force_after: float) -> None:
        """Cancel a task that is not running before returning, ask a running one to stop."""

    def wait_for_end(self, latch: Latch, timeout: float | None) -> bool:
        """Wait until the latch is set, ``timeout`` seconds at most; say whether it is.

        Raises:
            ForkedError: This process has no part in the pool: the end would never come.
        """

    def expect_end(self) -> None:
        """Be told that somebody waits for the end in a way of his own.

        Raises:
            ForkedError: As above.
        """

    def deliver(self, call: Callable[[], None]) -> None:
        """Run code of the user on the delivery thread."""

    def on_delivery_thread(self) -> bool:
        """Whether the caller is such code."""


class TaskName:
    """A UUID4 that is made when somebody asks: most tasks are never asked.

    An object of its own, so that who needs the name of a task does not keep its result alive.
    """

    _text: str | None = None

    def __str__(self) -> str:
        if self._text is None:
            from uuid import uuid4  # loads slowly, and few ask

            text = str(uuid4())
            with _naming:  # of two threads that ask at the same time, both get the first one's
                self._text = self._text or text
        return self._text


_naming = threading.Lock()


class TaskState(Generic[T]):
    """What is known of a task; `Task` is its public face."""

    # What most tasks leave as it is belongs to the class: a queued task is then half as large, and
    # made in half the time.
    _order: Any = None  #: what to run, until the pool has taken it
    _asked_to_start = False
    _status = TaskStatus.PENDING
    _load: Callable[[Task[T]], T] | None = None  #: rebuilds the value; None once done
    _result: T | None = None  #: until then, what it is rebuilt from, if that is one frame
    _exception: ExecutionException | None = None
    _attempts: tuple[Attempt, ...] = ()  #: those that failed and were not the last
    _last = NO_PROGRESS
    _outputs: Mapping[str, Output] = MappingProxyType({})  #: replaced, never changed
    _listeners: Sequence[Listener] = ()  #: likewise
    _wakers: Sequence[Callable[[], None]] = ()  #: likewise
    _untold = 0
    _told: Latch | None = None  #: set when listeners saw the end
    _worker: TaskWorker | None = None
    _submitted: float | None = None
    _started: float | None = None
    _finished: float | None = None
    _future: TaskFuture[T] | None = None  #: made when somebody asks for it
    _past_future: Callable[[], TaskFuture[T] | None] = staticmethod(lambda: None)
    _over = False  #: it has ended, and who waited is about to be woken
    _own_name: TaskName | None = None
    _latch: Latch | None = None

    def __init__(self, driver: TaskDriver, number: int, description: str) -> None:
        self._driver = driver
        self.number = number  #: what its pool and its workers call it
        self._description = description
        # Reentrant, because a value that is rebuilt under it may run any code.
        self._lock = _RLock()

    @property
    def _public(self) -> Task[T]:
        return cast("Task[T]", self)

    @property
    def status(self) -> TaskStatus:
        """Where the task is in its life; the first look at a finished one rebuilds its value."""
        if self._load is not None:
            self._decode()
        return self._status

    @property
    def exception(self) -> ExecutionException | None:
        """Why the task failed; None unless it has."""
        self.status  # noqa: B018  (rebuilds the value, which may be what fails)
        return self._exception

    @property
    def _name(self) -> TaskName:
        name: TaskName = self._own_name or vars(self).setdefault("_own_name", TaskName())
        return name

    @property
    def _ended(self) -> Latch:
        """Set at the end; made for the first who asks, as those that are queued need none."""
        # In one step, so that of two threads which ask first both get the same.
        latch: Latch = self._latch or vars(self).setdefault("_latch", Latch())
        if self._over:  # maybe just before there was a latch to set
            latch.set()
        return latch

    # -- for the pool -----------------------------------------------------------------------------

    def _start(self, worker: TaskWorker | None) -> None:
        with self._lock:
            self._worker = worker
            self._status = TaskStatus.RUNNING
            self._started = time.monotonic()
        if self._listeners:
            self._emit(TaskEventType.STARTED)

    def _requeue(self) -> None:
        """Its worker died before it began: it waits again."""
        with self._lock:
            self._worker = None
            self._status = TaskStatus.PENDING
            self._started = None

    def _fail_attempt(self, error: ExecutionException) -> None:
        """A run failed, and there will be another: it waits again."""
        with self._lock:
            attempt = Attempt(error, self._worker, self._started, time.monotonic())
            self._attempts = (*self._attempts, attempt)
            self._last = NO_PROGRESS
        self._requeue()

    def _update(self, message: str | None, current: float | None, maximum: float | None) -> None:
        last = self._last
        self._last = Progress(
            last.message if message is None else message,
            last.current if current is None else current,
            last.maximum if maximum is None else maximum,
        )
        if self._listeners:
            self._emit(TaskEventType.UPDATE)

    def _set_output(self, key: str, decode: Callable[[Task[Any]], Any]) -> None:
        with self._lock:
            self._outputs = {**self._outputs, key: Output(decode)}
        if self._listeners:
            self._emit(TaskEventType.UPDATE)

    def _finish(
        self,
        status: TaskStatus,
        load: Callable[[Task[T]], T] | None = None,
        error: ExecutionException | None = None,
        worker: TaskWorker | None = None,
        seconds: float = 0.0,
    ) -> None:
        """End the task, which a ``worker`` has run for some ``seconds`` if nobody knew of it."""
        with self._lock:
            if self._finished is not None:
                return
            self._finished = time.monotonic()
            missed = worker is not None and self._started is None
            if missed:
                self._worker, self._started = worker, self._finished - seconds
            self._load, self._exception = load, error
            self._order = None
            listeners = self._listeners
            wakers, self._wakers = self._wakers, ()
            if listeners:
                self._told = Latch()
            self._status = status  # last: from here on, everything above is read without a lock
            future, self._future = self._future, None
            if future is not None:
                self._past_future = weakref.ref(future)
        if future is not None:
            future._settle(status, error)
        self._over = True
        if self._latch is not None:
            self._latch.set()
        for wake in wakers:
            wake()
        if listeners and missed:
            self._emit(TaskEventType.STARTED)
        if listeners:
            self._driver.deliver(lambda: self._tell_the_end(listeners))

    def _complete(
        self,
        load: Callable[[Task[T]], T],
        frame: Any,
        worker: TaskWorker | None,
        seconds: float,
        now: float,
    ) -> None:
        """Do what `_finish` does when the value is a frame, which ``load`` finds as the result; in
        less time, if nobody listens.
        """
        with self._lock:
            if self._finished is not None:
                return
            self._result = frame
            quiet, future, wakers = not self._listeners, self._future, self._wakers
            if quiet:
                self._finished = now
                if self._started is None:
                    self._worker, self._started = worker, now - seconds
                self._load = load
                if wakers:
                    self._wakers = ()
                if future is not None:
                    self._future, self._past_future = None, weakref.ref(future)
                self._status = TaskStatus.COMPLETED  # last, as in `_finish`
        if not quiet:
            self._finish(TaskStatus.COMPLETED, load, None, worker, seconds)
            return
        if future is not None:
            future._settle(TaskStatus.COMPLETED, None)
        self._over = True
        if self._latch is not None:
            self._latch.set()
        for wake in wakers:
            wake()

    def _emit(self, kind: TaskEventType) -> None:
        with self._lock:
            if kind is TaskEventType.UPDATE and self._untold >= MAX_UNTOLD:
                return
            self._untold += 1
            listeners = self._listeners
        event = TaskEvent(self._public, kind, self._last)

        def tell() -> None:
            with self._lock:
                self._untold -= 1
            self._tell(listeners, event)

        self._driver.deliver(tell)

    def _tell(self, listeners: Sequence[Listener], event: TaskEvent) -> None:
        for listener in listeners:
            if listener in self._listeners:  # it may have been removed meanwhile
                call_listener(listener, event)

    def _tell_the_end(self, listeners: Sequence[Listener]) -> None:
        self._tell(listeners, TaskEvent(self._public, TERMINAL[self.status], self._last))
        assert self._told is not None
        self._told.set()

    def _wait(self, timeout: float | None) -> bool:
        """Wait for the end, ``timeout`` seconds at most; say whether it came."""
        return self._over or self._driver.wait_for_end(self._ended, timeout)

    def _get_future(self) -> TaskFuture[T]:
        """Return the future. Once the task has ended it is not kept: it refers to the task, and a
        cycle would keep a large result until the garbage collector comes by.
        """
        with self._lock:
            ended = self._finished is not None
            future = self._past_future() if ended else self._future
            if future is None:
                future = TaskFuture(self._public)
                if ended:
                    future._settle(self._status, self._exception)
                    self._past_future = weakref.ref(future)
                else:
                    self._future = future
            return future

    def _when_ended(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` at the end, in a pass of the loop: it must be quick and may not raise."""
        self._driver.expect_end()
        with self._lock:
            # In this order: a finalizer may run in between, and with it a pass that ends the task.
            self._wakers = (*self._wakers, wake)
            if self._finished is None or wake not in self._wakers:
                return
            self._forget_waker(wake)
        wake()

    def _forget_waker(self, wake: Callable[[], None]) -> None:
        if self._wakers:
            with self._lock:
                self._wakers = tuple(one for one in self._wakers if one != wake)

    # -- the value --------------------------------------------------------------------------------

    def _decode(self) -> None:
        with self._lock:
            load = self._load
            if load is None:
                return
            try:
                self._result = load(self._public)
            except ExecutionException as error:
                self._exception, self._result = error, None
                self._status = TaskStatus.FAILED
            self._load = None

    def _value(self) -> T:
        """Return the value of a task that has ended without being canceled, or raise."""
        error = self.exception
        if error is not None:
            raise error
        return self._result  # type: ignore[return-value]


class Output:
    """A value that is rebuilt when somebody asks for it, once."""

    def __init__(self, decode: Callable[[Task[Any]], Any]) -> None:
        self._lock = threading.RLock()
        self._decode: Callable[[Task[Any]], Any] | None = decode
        self._value: Any = None

    def value_for(self, task: Task[Any]) -> Any:
        """Return the value; the task is who has it, which is not kept alive by what it has."""
        with self._lock:
            if self._decode is not None:
                try:
                    self._value = self._decode(task)
                except ExecutionException as error:
                    self._value = error
                self._decode = None
            return self._value
