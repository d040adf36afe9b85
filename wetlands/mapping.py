"""`Environment.map()`: results of a function over many items, a window of them under way.

Submission is eager: the first items are on their way before `map()` returns. It is bounded, too, so
that an endless iterable works and a long one of images doesn't fill the memory: as many tasks are
under way as fit in `WINDOW_TASKS` and `WINDOW_BYTES`, yet always two for each worker.
"""

from __future__ import annotations

import functools
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from wetlands.task import Task
from wetlands.task_event import TaskStatus

#: Tasks, and bytes of their arguments, that are submitted ahead of the results taken.
WINDOW_TASKS = 1000
WINDOW_BYTES = 256 * 1024 * 1024

#: Submits one item; returns its task and the size of its arguments in bytes.
Submit = Callable[[Any], "tuple[Task[Any], int]"]


class MapIterator(Iterator[Any]):
    """Yields results; closing it, or dropping it, cancels what was not yielded.

    For one consuming thread at a time, like any iterator.
    """

    def __init__(
        self,
        submit: Submit,
        items: Iterable[Any],
        cancel: Callable[[list[Task[Any]]], None],
        *,
        minimum: int,
        timeout: float | None,
        ordered: bool,
    ) -> None:
        self._submit = submit
        self._cancel = cancel
        self._items = iter(items)
        self._minimum = minimum
        self._timeout = timeout
        self._ordered = ordered
        self._pending: dict[Task[Any], int] = {}  # in submission order, with their sizes
        self._order: deque[Task[Any]] = deque()
        self._bytes = 0
        self._done: queue.SimpleQueue[Task[Any]] = queue.SimpleQueue()
        self._exhausted = False
        self._failure: Exception | None = None  #: raised after the results of the items before
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def __next__(self) -> Any:
        if not self._pending:
            failure, self._failure = self._failure or StopIteration(), None
            raise failure
        try:
            task = self._next_task()
            self._bytes -= self._pending.pop(task)
            if task.status is TaskStatus.CANCELED:
                raise CancelledError(f"{task!r} was canceled")
            value = task._value()
            self._refill()
        except BaseException:
            self.close()
            raise
        return value

    def close(self) -> None:
        """Cancel what is under way; running functions are asked to stop."""
        self._exhausted = True
        pending, self._pending = self._pending, {}
        if pending:
            # Nothing is waited for: a garbage collection, on any thread and under any lock, may
            # be what closes an iterator.
            self._cancel(list(pending))

    def __del__(self) -> None:
        if getattr(self, "_pending", None):
            self.close()

    def _next_task(self) -> Task[Any]:
        if self._ordered:
            return self._order.popleft().wait_for(self._timeout)
        try:
            return self._done.get(timeout=self._timeout)
        except queue.Empty:
            raise TimeoutError(f"no task finished within {self._timeout:g} s") from None

    def _refill(self) -> None:
        """Submit more; what goes wrong with a later item waits for its turn."""
        try:
            self._fill()
        except Exception as error:
            self._exhausted = True
            self._failure = error

    def _fill(self) -> None:
        while not self._exhausted and self._has_room():
            try:
                item = next(self._items)
            except StopIteration:
                self._exhausted = True
                return
            task, size = self._submit(item)
            self._pending[task] = size
            self._bytes += size
            if self._ordered:
                self._order.append(task)
            else:
                task._when_ended(functools.partial(self._done.put, task))

    def _has_room(self) -> bool:
        count = len(self._pending)
        return count < self._minimum or (count < WINDOW_TASKS and self._bytes < WINDOW_BYTES)
