"""The tasks of `map()`: each calls the function with a chunk of items, or with a single one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from wetlands.errors import ExecutionException, TaskTimeoutError, WorkerLostError
from wetlands.latch import Latch
from wetlands.task import Task
from wetlands.task_event import TaskStatus, TaskWorker
from wetlands.task_state import Output, TaskDriver
from worker_entry import journal
from worker_entry.journal import Report


class Reading(NamedTuple):
    """What is known of a task of `map()`.

    Attributes:
        row: Results, in the order of the items, as `journal.split` takes them.
        values: One more, or none, which has come by itself.
        begun: How many items are not for anybody else to run.
        seconds: How long they have taken.
        error: Why there are no more.
    """

    row: bytes
    values: tuple[Any, ...] = ()
    begun: int = 0
    seconds: float = 0.0
    error: Exception | None = None


class MapTask(Task[Any]):
    """A task, and which items it is for.

    Attributes:
        first: The number of its first item.
        items: The items of a chunk, as `MapSender.prepare` made them: should the worker give
            some of them back, they are sent again.
        count: How many they are.
        size: Bytes that they have.
        chunk: Whether they go as a chunk. If not, it is one, and its result that of the task.
        news: Set when the worker has told something, or the task has ended.
        taken: How many of its results were taken.
        rest: The tasks that got what the worker gave back; None while it has not.
        trouble: Why they could not be sent.
        heard: Whether results were taken before it has ended.
        settled: Whether they were when it had.
    """

    rest: Sequence[MapTask] | None = None
    trouble: Exception | None = None
    taken = 0
    heard = False
    settled = False
    _reports: Sequence[Output] = ()

    def __init__(
        self,
        driver: TaskDriver,
        number: int,
        description: str,
        first: int,
        items: Sequence[Any],
        size: int,
        chunk: bool,
        hear: Callable[[MapTask], None],
    ) -> None:
        super().__init__(driver, number, description)
        self.first = first
        self.items = items if chunk else ()  # what is large goes when the task has ended
        self.count = len(items)
        self.size = size
        self.chunk = chunk
        self.news = Latch()
        self._hear = hear

    # -- for the pool, in a pass of the loop ------------------------------------------------------

    def _set_output(self, key: str, decode: Callable[[Task[Any]], Any]) -> None:
        if key != journal.REPORT or not self.chunk:
            super()._set_output(key, decode)
            return
        self._reports = (*self._reports, Output(decode))
        self._bring_news()

    def _finish(
        self,
        status: TaskStatus,
        load: Callable[[Task[Any]], Any] | None = None,
        error: ExecutionException | None = None,
        worker: TaskWorker | None = None,
        seconds: float = 0.0,
    ) -> None:
        super()._finish(status, load, error, worker, seconds)
        self._bring_news()

    def _complete(
        self,
        load: Callable[[Task[Any]], Any],
        frame: Any,
        worker: TaskWorker | None,
        seconds: float,
        now: float,
    ) -> None:
        super()._complete(load, frame, worker, seconds, now)
        self._bring_news()

    def _bring_news(self) -> None:
        self.news.set()
        self._hear(self)

    # -- for the iterator -------------------------------------------------------------------------

    def has_ended(self) -> bool:
        """Whether the task has ended, in whatever way."""
        return self._finished is not None

    def read(self) -> Reading:
        """Return what is known; rebuilds values of workers, which runs code of users.

        Raises:
            ValueError: What came from the worker makes no sense.
        """
        ended = self.has_ended()  # asked first: what there is then is all that there will be
        told = self._reported()
        if not ended:
            return Reading(told.results, (), told.begun, told.seconds)
        status = self.status
        if status is TaskStatus.CANCELED:
            error: Exception | None = CancelledError(f"{self!r} was canceled")
            return Reading(told.results, error=error)
        error = self.exception
        if error is not None:
            row = max(told.results, getattr(error, "_row", b""), key=len)
            return Reading(row, (), told.begun, told.seconds, error)
        if told.own or not self.chunk:
            return Reading(told.results, (self._result,), told.begun, told.seconds)
        last = journal.decode(self._result)
        return Reading(last.results, (), min(last.begun, told.begun), last.seconds)

    def blame(self, error: Exception) -> None:
        """Say in an error which item it is about: the one after those whose results were taken."""
        if not isinstance(error, ExecutionException):
            return
        error.item = self.first + self.taken
        if isinstance(error, (WorkerLostError, TaskTimeoutError)) and self.chunk:
            error.exception += f"\nIt was at item {error.item} of those that map() was given."
            error.args = (error.exception,)

    def _reported(self) -> Report:
        """Return what reports say, taken together; they may have overtaken each other."""
        begun, own, seconds, row = self.count, False, 0.0, b""
        for output in self._reports:
            report = journal.decode(output.value_for(self))
            begun, own = min(begun, report.begun), own or report.own
            seconds, row = max(seconds, report.seconds), max(row, report.results, key=len)
        return Report(begun, own, seconds, row)
