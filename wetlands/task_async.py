"""What asyncio needs of a task: being woken, and events as an iterator."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import AsyncIterator, Generator
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from wetlands.task_event import TERMINAL, Listener, TaskEvent, TaskStatus

if TYPE_CHECKING:
    from wetlands.task import Task

T = TypeVar("T")


class Bell:
    """Resolves futures of one event loop from other threads.

    Waking an event loop takes a call of the system, so those that are resolved at about the same
    time share one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._due: deque[asyncio.Future[None]] = deque()
        self._rung = False

    def ring(self, future: asyncio.Future[None]) -> None:
        """Resolve a future; for any thread."""
        self._due.append(future)
        if not self._rung and (loop := self._loop()) is not None:
            self._rung = True
            with contextlib.suppress(RuntimeError):  # the event loop was closed: nobody waits
                loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        self._rung = False  # first: what comes from now on rings again
        while self._due:
            future = self._due.popleft()
            if not future.done():
                future.set_result(None)


_bells: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bell] = weakref.WeakKeyDictionary()


def _bell_of(loop: asyncio.AbstractEventLoop) -> Bell:
    bell = _bells.get(loop)
    return _bells.setdefault(loop, Bell(loop)) if bell is None else bell


def result_of(task: Task[T]) -> Generator[Any, None, T]:
    """Wait for the task's end and return its value; being canceled cancels the task.

    A generator, for `Task.__await__`: a coroutine around another one takes longer than a call.
    """
    try:
        yield from ended(task)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task._status is TaskStatus.CANCELED:
        raise asyncio.CancelledError(f"{task!r} was canceled")
    return task._value()


@coroutine
def ended(task: Task[Any]) -> Generator[Any, None, None]:
    """Wait for the task's end."""
    if task._over:
        return
    # Not a done-callback: a listener that blocks the delivery thread must not stop asyncio.
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    wake = partial(_bell_of(loop).ring, future)
    task._when_ended(wake)
    try:
        yield from future
    finally:
        task._forget_waker(wake)


def stream_events(task: Task[Any]) -> AsyncIterator[TaskEvent]:
    """Return an iterator over the task's events from this moment on."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[TaskEvent] = asyncio.Queue()

    def hand_over(event: TaskEvent) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop was closed: nobody listens
            loop.call_soon_threadsafe(queue.put_nowait, event)

    # Here and not in the generator, whose body would not run before the first iteration.
    task.listen(hand_over)
    return _drain(task, queue, hand_over)


async def _drain(
    task: Task[Any], queue: asyncio.Queue[TaskEvent], listener: Listener
) -> AsyncIterator[TaskEvent]:
    try:
        while True:
            event = await queue.get()
            yield event
            if event.type in TERMINAL.values():
                return
    finally:
        with contextlib.suppress(ValueError):
            task.remove_listener(listener)
