"""Chunks: one task that calls a function with several items, one after the other.

For who maps a function over many items a chunk must not be told from as many tasks:

-   Each result is pickled as soon as it is there, and by itself.
-   A function that goes by value is made anew for each item.
-   An item that fails ends the chunk: with the results before it, and then as a task that fails.
-   No item waits long behind a slow one. A chunk that takes longer than `PATIENCE` is noticed by a
    thread of its own (`Watch`), which hands in what there is, and gives back the items that have
    not begun. Who of the two takes an item from `left` runs it, or has the host run it elsewhere.
-   What belongs to one task alone makes an item the last of its chunk: the handle that a function
    asks for, and a result that is too large for the row.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from functools import partial
from time import perf_counter, sleep
from typing import Any, Callable, Iterator, NamedTuple, Sequence

from worker_entry.codec import Codec, CodecError
from worker_entry.control import leave_signals_to_main_thread
from worker_entry.handle import RemoteTaskHandle
from worker_entry.journal import REPORT, SUFFIX, Journal, Report, split_items

#: Seconds after which a chunk gives back what it has not begun.
PATIENCE = 0.006
#: Seconds that an item is said to have taken, at least, whose function needs a task for each.
ALONE = 0.002


class Pickled(NamedTuple):
    """A result that is in frames already."""

    frames: Sequence[Any]


class Calls(NamedTuple):
    """How the worker does what each call needs.

    Attributes:
        find: Returns the function.
        anew: Whether that makes it, so that each call has its own.
        loads: Returns the items of a pickle.
        codec: What makes frames of a result.
        dumps: Does so, too, and says for users why it can't.
        wants_handle: Whether the function takes the task handle.
    """

    find: Callable[[], Any]
    anew: bool
    loads: Callable[[bytes], Sequence[Any]]
    codec: Codec
    dumps: Callable[[Any], Sequence[Any]]
    wants_handle: Callable[[Any], bool]


class Chunks:
    """Runs the chunks of this process, one at a time; made when the first one comes."""

    def __init__(self, started_file: str) -> None:
        self._journal = Journal(f"{started_file}{SUFFIX}")
        self._watch = Watch()
        self._watch.start()
        self._chunk: Chunk | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave)

    def run(self, frame: bytes, calls: Calls, handle: RemoteTaskHandle) -> Any:
        """Call a function with each item of a frame.

        Returns:
            A report as bytes, or the last result, as `Pickled`.
        """
        self._chunk = chunk = Chunk(frame, calls, handle, self._journal)
        try:
            return chunk.run(self._watch)
        finally:
            self._watch.chunk = self._chunk = None

    def _leave(self) -> None:
        """In a child that a function forked: it runs that function to its end, and no other."""
        if self._chunk is not None:
            self._chunk.forked = True


class Chunk:
    """One of them.

    Attributes:
        began: When, on the clock of `perf_counter`.
        watched: Whether the watch need not look at it any more.
        forked: Whether this process is not the worker.
    """

    watched = False
    forked = False
    _alone = False  #: whether the function takes the handle, which is that of one task

    def __init__(
        self, frame: bytes, calls: Calls, handle: RemoteTaskHandle, journal: Journal
    ) -> None:
        self._count, self._pickles = split_items(frame)
        #: Items that are neither begun nor given back; taking one is atomic.
        self._left = deque(range(self._count))
        self._giving = threading.Lock()
        self._calls = calls
        self._handle = handle
        self._journal = journal

    def run(self, watch: Watch) -> Any:
        """Run what is not given back; see `Chunks.run`."""
        self._journal.begin(self._handle._task)
        function = self._function()
        self.began = perf_counter()
        if self._count > 1:
            watch.over(self)
        try:
            last = self._run_items(function)
        except BaseException:
            if not self.forked:
                self._say(self._count)  # the rest is for nobody: who maps hears of this item
            raise
        return self._report(self._count).encode() if last is None else last

    def hand_in(self) -> None:
        """Tell the host what there is, and give back what has not begun."""
        self._say(self._count - self._take_left())

    def _run_items(self, function: Callable[[Any], Any]) -> Any:
        """Run one after the other; return the last result if it is too large for the row."""
        left, add, dumps = self._left, self._journal.add, self._calls.codec.dumps
        items = self._items()
        while True:
            if self._handle._cancel_requested:
                self.hand_in()
            try:
                left.popleft()
            except IndexError:
                return None
            if self._alone and left:
                self.hand_in()
            value = function(next(items))
            try:
                frames: Sequence[Any] = dumps(value)
            except CodecError:
                frames = self._calls.dumps(value)  # which says what went wrong
            del value
            if self.forked:
                return b""  # of no interest to anybody
            if len(frames) > 1 or not add(frames[0]):
                self._say(self._count - self._take_left(), own=True)
                return Pickled(frames)
            if self._calls.anew:
                function = self._function()

    def _items(self) -> Iterator[Any]:
        for pickle in self._pickles:
            yield from self._calls.loads(pickle)

    def _function(self) -> Callable[[Any], Any]:
        function = self._calls.find()
        self._alone = self._calls.wants_handle(function)
        return partial(function, task=self._handle) if self._alone else function

    def _take_left(self) -> int:
        """Leave nothing to begin; return how many items that were."""
        with self._giving:
            taken = 0
            with contextlib.suppress(IndexError):
                while True:
                    self._left.pop()
                    taken += 1
            return taken

    def _say(self, begun: int, own: bool = False) -> None:
        with contextlib.suppress(Exception):  # then the end of the task has to tell it
            self._handle.set_output(REPORT, self._report(begun, own).encode())

    def _report(self, begun: int, own: bool = False) -> Report:
        seconds = perf_counter() - self.began
        if self._alone:
            seconds = max(seconds, ALONE)
        return Report(begun, own, seconds, self._journal.row())


class Watch(threading.Thread):
    """Has a chunk hand in what it has when it takes long.

    It sleeps beside the chunks that run, not to be woken by each of them; when none does, or the
    one that does has been dealt with, it sleeps until another begins.
    """

    def __init__(self) -> None:
        super().__init__(name="wetlands-chunks", daemon=True)
        self.chunk: Chunk | None = None  #: the one to watch
        self._resting = False
        # No event, whose lock an exception of a signal handler could leave locked for good.
        self._bell = threading.Lock()
        self._bell.acquire()

    def over(self, chunk: Chunk) -> None:
        """Watch a chunk; for the main thread."""
        self.chunk = chunk
        if self._resting:
            self._resting = False
            with contextlib.suppress(RuntimeError):  # rung twice
                self._bell.release()

    def run(self) -> None:
        """Watch until the process ends."""
        leave_signals_to_main_thread()
        while True:
            chunk = self.chunk
            if chunk is None or chunk.watched:
                self._resting = True
                if self.chunk is chunk:  # or one began just before it was said that we rest
                    chunk = None
                    self._bell.acquire()
                continue
            left = chunk.began + PATIENCE - perf_counter()
            if left > 0:
                sleep(left)
            elif self.chunk is chunk:
                chunk.watched = True
                chunk.hand_in()
