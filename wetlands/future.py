"""The `concurrent.futures.Future` of a task.

It differs from the standard one in three ways, so that no code of a user runs on the thread that
serves every pool: the value is rebuilt by the thread that first asks for it, done-callbacks run
on the delivery thread, and `cancel()` is the cooperative cancellation of the task.
"""

from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from wetlands.errors import ExecutionException
from wetlands.task_event import TaskStatus

if TYPE_CHECKING:
    from wetlands.task import Task

T = TypeVar("T")


_RLock: Any = type(threading.RLock())


class _Condition(_RLock):  # type: ignore[misc]
    """The lock of a future, to which the base class says when it is done; nobody waits for that.

    A `threading.Condition` takes longer to make than the task.
    """

    __slots__ = ()

    def notify_all(self) -> None:
        pass


class TaskFuture(concurrent.futures.Future[T]):
    """A standard future whose outcome is that of its task. Safe to use from any thread."""

    def __init__(self, task: Task[T]) -> None:
        # What the base class makes, with a condition of ours; a test compares the two.
        self._condition = _Condition()
        self._state = "PENDING"
        self._result = self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []
        self._task = task

    def cancel(self) -> bool:
        """Ask for the task's cancellation; True if that ended it (it had not started)."""
        self._task.cancel()
        return self.cancelled()

    def running(self) -> bool:
        """Whether a worker is running the task."""
        return not self.done() and self._task.started

    def result(self, timeout: float | None = None) -> T:
        """Wait up to ``timeout`` seconds and return the value.

        Raises:
            TimeoutError: The task did not end in time; it goes on.
            concurrent.futures.CancelledError: It was canceled.
            ExecutionException: It failed, or its value can't be rebuilt here.
        """
        self._wait(timeout)
        return self._task._value()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait up to ``timeout`` seconds and return why the task failed, or None.

        Raises:
            TimeoutError, concurrent.futures.CancelledError: As `result`.
        """
        self._wait(timeout)
        return self._task.exception

    def _wait(self, timeout: float | None) -> None:
        # Not with the base class's condition: Ctrl-C can leave that locked, and then the thread
        # that serves all pools would wait for it to set the outcome. A latch wakes faster, too.
        if not self._task._wait(timeout):
            raise concurrent.futures.TimeoutError
        if self._task._status is TaskStatus.CANCELED:
            raise concurrent.futures.CancelledError

    # -- for the task -----------------------------------------------------------------------------

    def _settle(self, status: TaskStatus, error: ExecutionException | None) -> None:
        if status is TaskStatus.CANCELED:
            # Throughout the task's life the base class believes it pending, hence it lets itself
            # be canceled; the second call tells those who wait() on several futures.
            super().cancel()
            self.set_running_or_notify_cancel()
        elif error is not None:
            self.set_exception(error)
        else:
            self.set_result(None)  # type: ignore[arg-type]  # asked for with Task._value()

    def _invoke_callbacks(self) -> None:
        # A hook of the base class, the same since it was written: called once, when the outcome
        # is known, on the thread that sets it.
        if self._done_callbacks:
            self._task._driver.deliver(super()._invoke_callbacks)  # type: ignore[misc]
