"""What of a `map()` is under way: a window that moves over the items as results are taken.

Submission is eager: the first items are on their way before `map()` returns. It is bounded, too, so
that an endless iterable works and a long one of images doesn't fill the memory: as many items are
under way as fit in `WINDOW_ITEMS`, or `PROMPT_ITEMS`, and `WINDOW_BYTES`, yet always two for each
worker.

Two things happen while nobody asks for a result, on the delivery thread:

-   A worker gives items back that wait behind a slow one; they are sent again.
-   The iterable takes its time, after items that were to become a chunk; they are sent as they are.
    It may well wait for what they do.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from wetlands.latch import Latch
from wetlands.map_sending import ITEM_BYTES, NUMBERS, MapSender, is_light, size_of
from wetlands.map_task import MapTask
from wetlands.task import Task

#: Items, and bytes of them, that are submitted ahead of the results taken. More of an iterable that
#: has them all: it costs no time to take them, and chunks can be larger.
WINDOW_ITEMS = 2000
PROMPT_ITEMS = 8000
WINDOW_BYTES = 256 * 1024 * 1024
#: How long `map()` waits, at most, to learn how long the function takes, in seconds.
LEARNING = 0.02
#: How long an iterable may take for the items of a chunk, in seconds.
HURRY = 0.002
#: Iterables that never wait for anything.
_PROMPT = (list, tuple, range, dict, set, frozenset, str, bytes)


class MapPool(Protocol):
    """What a window asks of a pool; see `wetlands.runtime.pool.Pool`."""

    def deliver(self, call: Callable[[], None]) -> None:
        """Run code of the user on the delivery thread."""

    def deliver_later(self, delay: float, call: Callable[[], None]) -> None:
        """Do so in ``delay`` seconds."""

    def cancel_soon(self, tasks: list[Task[Any]]) -> None:
        """Cancel tasks without waiting."""

    def wait_for_end(self, latch: Latch, timeout: float | None) -> bool:
        """Wait until a task has set its latch."""

    def expect_end(self) -> None:
        """Have news of tasks read at once."""


class Window:
    """The tasks of one `map()`. For the iterator; other threads only bring news.

    Args:
        sender: Submits items.
        items: The items.
        pool: Where they run.
        workers: How many workers share them.
        ordered: Whether results are taken in the order of the items.

    Attributes:
        sender: The same.
        failure: What went wrong with a later item; raised after the results before it.
        closed: Whether nothing is wanted any more.
    """

    def __init__(
        self,
        sender: MapSender,
        items: Iterable[Any],
        pool: MapPool,
        workers: int,
        ordered: bool,
    ) -> None:
        self.sender = sender
        self.failure: Exception | None = None
        self.closed = False
        self._items = iter(items)
        self._prompt = type(items) in _PROMPT
        self._most_ahead = PROMPT_ITEMS if self._prompt else WINDOW_ITEMS
        self._pool = pool
        self._workers = workers
        # Reentrant: sending runs code of users, who may close the iterator.
        self._lock = threading.RLock()  #: of all that the delivery thread may do meanwhile
        self._taken: list[Any] = []  #: from the iterable, and not looked at
        self._open: list[Any] = []  #: prepared, and not sent
        self._open_bytes = 0
        self._count = 0  #: items that were sent
        self._pending: dict[MapTask, None] = {}
        self._ahead = 0  #: items, and bytes of them, that are under way
        self._bytes = 0
        self._ordered = ordered
        self._order: deque[MapTask] = deque()
        self._done: queue.SimpleQueue[MapTask] = queue.SimpleQueue()
        self._exhausted = False
        self._taking = False  #: the iterable is being asked
        self._alarmed = False  #: somebody will look whether it takes long
        self._want = 0  #: items to take from it at once
        self._full = 1  #: items that make a chunk

    # -- items in ---------------------------------------------------------------------------------

    def fill_first(self) -> None:
        """Submit what fits; what goes wrong is raised at once."""
        if self.sender.is_learning():
            self._fill(2 * self._workers)
            self._learn()
        self._fill(self._most_ahead)
        if self.failure is not None:
            raise self.failure

    def fill(self) -> None:
        """Submit more; what goes wrong with a later item waits for its turn."""
        try:
            self._fill(self._most_ahead)
        except Exception as error:
            self._stop(error)

    def _fill(self, window: int) -> None:
        try:
            while not self._exhausted and self._has_room(window):
                self._take()
                self._send(flush=False)
        finally:
            if self._taken or self._open:
                self._send(flush=True)

    def _learn(self) -> None:
        """Give the first task a moment to tell how long the function takes."""
        first = next(iter(self._pending), None)
        if first is None or self._exhausted:
            return
        if self._pool.wait_for_end(first.news, LEARNING) and first.chunk:
            found = first.read()
            self.sender.learn(1, found.seconds)

    def _has_room(self, window: int) -> bool:
        if self._ahead < 2 * self._workers:
            return True
        # Room for a whole chunk, or chunks would get ever smaller.
        return self._ahead + self._fitting() <= window and self._bytes < WINDOW_BYTES

    def _fitting(self) -> int:
        return self.sender.fitting(self._most())

    def _most(self) -> int:
        """Return how many items may share a task: two chunks for each worker fit the window."""
        return max(1, self._most_ahead // (2 * self._workers))

    def _take(self) -> None:
        """Take items, for one chunk at most. An item that is not light is the last."""
        taken, numbers = self._taken, NUMBERS
        self._full = self._fitting()
        self._want = self._full - len(self._open)
        # In this order: an alarm that goes off now either finds us taking, and has us take one
        # item more at most, or is found to be over, and set again.
        self._taking = True
        try:
            if not (self._prompt or self._alarmed):
                self._alarmed = True
                self._pool.deliver_later(HURRY, self._hurry)
            for item in self._items:
                taken.append(item)
                if len(taken) >= self._want:
                    return
                if type(item) not in numbers and not is_light(item):
                    return
            self._exhausted = True
        finally:
            self._taking = False

    def _hurry(self) -> None:
        """Send what was taken, if the iterable is thinking; on the delivery thread."""
        self._alarmed = False
        if self._taking and self._lock.acquire(timeout=1.0):
            try:
                self._want = 0
                self._send(flush=True)
            except Exception as error:
                self._stop(error)
            finally:
                self._lock.release()

    def _stop(self, error: Exception) -> None:
        self._exhausted = True
        self._want = 0
        if self.failure is None and not self.closed:
            self.failure = error

    # -- tasks out --------------------------------------------------------------------------------

    def _send(self, flush: bool) -> None:
        """Prepare what was taken; send it, or wait until it makes a chunk."""
        with self._lock:
            count = len(self._taken)
            taken = self._taken[:count]
            del self._taken[:count]  # more may have been added meanwhile
            if self.failure is not None or self.closed:
                return
            trouble = self._prepare(taken)
            if flush or trouble or len(self._open) >= self._full or self._open_bytes > ITEM_BYTES:
                items, self._open, self._open_bytes = self._open, [], 0
                for task in self._submit(self._count, items):
                    self._count += task.count
                    if self._ordered:
                        self._order.append(task)
            if trouble is not None:
                raise trouble

    def _prepare(self, items: Sequence[Any]) -> BaseException | None:
        """Have items prepared up to the first that can't be sent; return why."""
        if items and is_light(items[-1]):  # then all are, since others come last
            self._open += items
            return None
        for item in items:
            try:
                prepared = self.sender.prepare(item)
            except BaseException as error:
                self._exhausted = True
                return error
            self._open.append(prepared)
            self._open_bytes += size_of(prepared)
        return None

    def _submit(self, first: int, items: Sequence[Any]) -> Iterator[MapTask]:
        for task in self.sender.send(first, items, self._most(), self._hear):
            self._pending[task] = None
            self._ahead += task.count
            self._bytes += task.size
            if self.closed:  # at this moment, and it was not there to be found
                self._pool.cancel_soon([task])
            yield task

    def give_back(self, task: MapTask, begun: int) -> None:
        """Send those items of a task again that its worker did not begin, unless they were."""
        with self._lock:
            if task.rest is not None:
                return
            task.rest, items, task.items = (), task.items[begun:], ()
            if not self.closed:
                try:
                    task.rest = tuple(self._submit(task.first + begun, items))
                except Exception as error:  # the pool was closed, say
                    task.trouble = error

    # -- news -------------------------------------------------------------------------------------

    def next_news(self, timeout: float | None) -> MapTask | None:
        """Return the task whose results come next, when there is news of it.

        Returns:
            None if there is none any more.

        Raises:
            TimeoutError: There is no news, after ``timeout`` seconds.
        """
        if not self._pending:
            return None
        return self._in_order(timeout) if self._ordered else self._as_ready(timeout)

    def settle(self, task: MapTask) -> None:
        """Forget a task that has ended and whose results were taken."""
        with self._lock:
            task.settled = True
            self._pending.pop(task, None)
            self._ahead -= task.count
            self._bytes -= task.size
            if self._ordered:
                self._order.popleft()
                self._order.extendleft(reversed(task.rest or ()))
            task.items = task.rest = ()

    def close(self) -> None:
        """Cancel what is under way; running functions are asked to stop."""
        self.closed = self._exhausted = True
        self.failure = None
        self._want = 0
        pending, self._pending = self._pending, {}
        if pending:
            # Nothing is waited for: a garbage collection, on any thread and under any lock, may
            # be what closes an iterator.
            self._pool.cancel_soon(list(pending))

    def _in_order(self, timeout: float | None) -> MapTask:
        task = self._order[0]
        latch = task._ended if task.heard else task.news
        if not latch.is_set() and not self._pool.wait_for_end(latch, timeout):
            raise TimeoutError(f"{task!r} did not finish within {timeout:g} s")
        return task

    def _as_ready(self, timeout: float | None) -> MapTask:
        if self._done.empty():
            self._pool.expect_end()
        while True:
            try:
                task = self._done.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError(f"no task finished within {timeout:g} s") from None
            if not task.settled:
                return task

    def _hear(self, task: MapTask) -> None:
        """Take note that there is news; in a pass of the loop."""
        if not self._ordered:
            self._done.put(task)
        if not task.has_ended():
            self._pool.deliver(partial(self._read_report, task))

    def _read_report(self, task: MapTask) -> None:
        try:
            found = task.read()
        except ValueError:
            return  # for who takes the results
        self.sender.learn(found.begun, found.seconds)
        if found.begun < task.count and self._lock.acquire(timeout=1.0):
            try:
                self.give_back(task, found.begun)
            finally:
                self._lock.release()
