"""`Environment.map()`: results of a function over many items, in order or as they get ready.

Items of functions that take microseconds go to the workers in chunks, and come back so:
`map_window` has what is under way, `map_sending` makes tasks of items, `pace` says how many go in
one, `map_task` reads what becomes of them, and `worker_entry.chunk` runs them. To who iterates it
looks as if each item had a task of its own, down to what he gets before a crash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from wetlands.errors import ExecutionException, ResultError
from wetlands.map_task import MapTask, Reading
from wetlands.map_window import Window
from worker_entry import journal


class MapIterator(Iterator[Any]):
    """Yields results; closing it, or dropping it, cancels what was not yielded.

    For one consuming thread at a time, like any iterator.

    Args:
        window: What is under way; nobody else may take anything from it.
        timeout: Seconds to wait for a result; None: no limit.
    """

    def __init__(self, window: Window, timeout: float | None) -> None:
        self._window = window
        self._timeout = timeout
        self._ready: deque[Any] = deque()  #: results that nobody has asked for yet
        self._error: Exception | None = None  #: raised after them
        try:
            window.fill_first()
        except BaseException:
            self.close()
            raise

    def __next__(self) -> Any:
        try:
            return self._ready.popleft()
        except IndexError:
            pass
        try:
            while not self._ready:
                self._advance()
        except BaseException:
            self.close()
            raise
        return self._ready.popleft()

    def close(self) -> None:
        """Cancel what is under way; running functions are asked to stop."""
        self._ready.clear()
        self._error = None
        self._window.close()

    def __del__(self) -> None:
        window = getattr(self, "_window", None)
        if window is not None:
            window.close()

    def _advance(self) -> None:
        """Make something ready, or at least come closer to it; raise if there is no more."""
        if self._error is not None:
            raise self._error
        self._window.fill()
        task = self._window.next_news(self._timeout)
        if task is None:
            raise self._window.failure or StopIteration
        ended = task.has_ended()
        try:
            self._take(task, task.read())
        except ValueError as error:
            self._error = ResultError(f"What a worker sent for {task!r} makes no sense: {error}")
        if not ended:
            task.heard = True
            return
        if self._error is None:
            self._take_rest(task)
        self._window.settle(task)

    def _take(self, task: MapTask, found: Reading) -> None:
        """Make the results ready that have come since; note what went wrong after them."""
        before = len(self._ready)
        try:
            row = journal.split(found.row, skip=task.taken)
            self._ready.extend(self._window.sender.rebuild(row, task))
        except ExecutionException as error:
            found = found._replace(values=(), error=error)
        finally:
            task.taken += len(self._ready) - before
        self._ready.extend(found.values)
        task.taken += len(found.values)
        if task.chunk and task.has_ended():
            self._window.sender.learn(task.taken, found.seconds, large=bool(found.values))
        if found.error is not None:
            self._fail(task, found.error)

    def _take_rest(self, task: MapTask) -> None:
        """See to it that every item has its result, in this task or in another."""
        if task.taken < task.count:
            self._window.give_back(task, task.taken)
        covered = task.rest[0].first - task.first if task.rest else task.count
        self._error = task.trouble
        if self._error is None and task.taken != covered and not self._window.closed:
            text = f"A worker sent {task.taken} results for {covered} items of {task!r}"
            self._error = ResultError(text)

    def _fail(self, task: MapTask, error: Exception) -> None:
        task.blame(error)
        self._error = error
