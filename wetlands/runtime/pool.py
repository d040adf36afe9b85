"""One pool, as other threads see it."""

from __future__ import annotations

import itertools
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from wetlands.core.events import CloseRequested, WorkerId
from wetlands.core.policy import PoolConfig
from wetlands.core.pool import SlotState
from wetlands.errors import ConfigurationError, PoolClosedError
from wetlands.latch import Latch
from wetlands.result_proxy import Passing, ResultProxy, home_of
from wetlands.retry import RetryPolicy
from wetlands.runtime import host as host_module
from wetlands.runtime import sharing
from wetlands.runtime.driver import Driver
from wetlands.runtime.ending import Endings
from wetlands.runtime.entry import NOT_WAITING, USUAL, Entry, Terms
from wetlands.runtime.gate import Gate
from wetlands.runtime.launcher import WorkerPlan
from wetlands.runtime.loop import Post
from wetlands.runtime.roster import measured
from wetlands.runtime.segments import HostCarrier, can_seat
from wetlands.target import FETCH, Target
from wetlands.task import Task
from wetlands.task_state import TaskDriver
from wetlands.worker_info import WorkerInfo
from worker_entry.codec import Codec

logger = logging.getLogger("wetlands.pool")

#: Bytes that a call may have to be sent ahead with others, in one message.
SMALL = 8 * 1024


class Pool:
    """The workers of one environment. Safe to use from any thread.

    Attributes:
        codec: What encodes arguments for these workers.
        rebuild: Gives the values of pickles, where a worker sent several for a task.
    """

    def __init__(self, plan: WorkerPlan, config: PoolConfig, max_queued: int | None = None) -> None:
        self._plan = plan
        self._config = config
        self._numbers = itertools.count(1)
        self._releasing = threading.Lock()
        self._resizing = threading.Lock()
        self._environ = plan.environ  #: of all slots that there have ever been
        self._host = host_module.acquire(self)
        self.codec = Codec(
            plan.pickle_protocol,
            plan.by_value,
            self._make_carrier(plan, config),
            data_only=plan.trust == "data",
        )
        self.rebuild = Endings(plan.environment, config.worker_timeout, self.codec).rebuild
        self._driver = Driver(self._host, plan, config, self.codec, self)
        self._gate: Gate | None = None
        if max_queued is not None:
            self._gate = Gate(max_queued, self._host.loop, self.check_open)
            self._driver.gate = self._gate

    def initialize_with(self, call: tuple[Any, ...]) -> None:
        """Have every worker run a call before its first task; before `open`."""
        self._driver.initialize_with(call)

    def open(self) -> None:
        """Start the workers, in parallel, and wait until each has said hello.

        Raises:
            WorkerStartError: One of them could not start; then none is left.
        """
        self._host.loop.post(self._driver, self._driver.open)
        try:
            self._driver.opened.wait()
        except BaseException:  # KeyboardInterrupt while waiting
            self.close(0.0)
            raise
        if self._driver.start_error is not None:
            self.close(0.0)
            raise self._driver.start_error

    def submit(
        self,
        payload: tuple[bytes, ...],
        timeout: float,
        description: str,
        *,
        start: bool,
        proxies: Sequence[ResultProxy] = (),
        retry: RetryPolicy | None = None,
        block: bool = True,
        make: Callable[[TaskDriver, int, str], Task[Any]] = Task,
        ahead: bool = True,
    ) -> Task[Any]:
        """Return a task, queued or not.

        Args:
            payload: What to run.
            timeout: Seconds that it may run.
            description: What to call it.
            start: Whether to queue it.
            proxies: Those in the payload; they decide on the worker, and live as long as the task.
            retry: What to do when it fails; None: nothing.
            block: Whether to wait when the queue is full.
            make: Makes the task.
            ahead: Whether a worker that is at a short task may be sent this one, too.

        Raises:
            SerializationError: No worker has the values of all proxies.
            PoolClosedError, PoolBrokenError, ForkedError: It would never run.
            QueueFullError: There is no room in the queue.
        """
        task = make(self, next(self._numbers), description)
        home = home_of(proxies, self) if proxies else None
        terms = Terms(timeout, home, proxies, retry, block)
        kind = description if ahead and is_small(payload) else None
        shares = None
        if kind and len(payload) == 2 and not (home or retry) and timeout == math.inf:
            shares = payload[0]
        task._order = Entry(self._driver, task, payload, terms, kind, shares)
        if start:
            return task.start()
        # Weakly: a task that nobody has any more, and nobody started, is forgotten.
        self._driver.unstarted.add(task)
        self.check_open()  # only now, when the end of the pool would find it
        return task

    def submit_plain(self, target: Target, arguments: bytes, block: bool) -> Task[Any]:
        """Do what `submit` does with a call that has nothing special about it, in less time."""
        task: Task[Any] = Task(self, next(self._numbers), target.label)
        (call,) = target.frames
        kind = shares = None
        if len(call) + len(arguments) < SMALL:
            kind, shares = target.label, call
        terms = USUAL if block else NOT_WAITING
        task._order = Entry(self._driver, task, (call, arguments), terms, kind, shares)
        return task.start()

    @property
    def counts_tasks(self) -> bool:
        """Whether workers are replaced after so many tasks, each of which has to be one then."""
        return self._config.max_tasks != math.inf

    def empty(self, shape: Any, dtype: Any, mode: str) -> Any:
        """Return a new array in memory that workers map; see `Environment.empty`."""
        return sharing.empty(self.codec.carrier, shape, dtype, mode)

    def share(self, array: Any, mode: str) -> Any:
        """Return a copy of an array in such memory; see `Environment.share`."""
        source = sharing.import_numpy().asarray(array)
        shared = self.empty(source.shape, source.dtype, mode)
        shared[...] = source
        return shared

    def check_open(self) -> None:
        """Raise what a submission now would run into.

        Raises:
            PoolClosedError, PoolBrokenError, ForkedError: Tasks can't run.
        """
        if self._host.forked:
            self._host.check_process()
        if self._driver.refusal is not None:
            raise self._driver.refusal()

    def start_task(self, task: Task[Any]) -> None:
        """Queue a task; called by the task."""
        driver, loop, entry = self._driver, self._host.loop, task._order
        if driver.refusal is not None or self._host.forked:
            self.check_open()
        if entry is None:
            return  # it was canceled, or given to us before
        if self._gate is None:
            loop.queue(entry)
        else:
            self._enter_gate(self._gate, entry)
        # Read after queueing: a pass that lowers it later looks at the queue once more.
        if driver.saturated:
            loop.relieve(soon=False)
        elif driver.flowing and driver.core.is_brief(entry.kind):
            loop.relieve(soon=True)  # what is under way may take long, and others are idle
        else:
            loop.run_queued()
        if driver.closed.is_set():
            driver.abandon([task])  # it closed in between, and nobody reads the inbox

    def _enter_gate(self, gate: Gate, entry: Entry) -> None:
        def submit() -> None:
            if entry.task._order is not entry:
                gate.leave()  # it was canceled, or given to us before
            self._driver.submit(entry)

        post = Post(self._driver, submit)
        gate.enter(lambda: self._host.loop.queue(post), block=entry.terms.block)

    def cancel_task(self, task: Task[Any], force_after: float) -> None:
        """Cancel a queued task before returning, ask a running one to stop; called by the task."""
        self.check_process()
        done = Latch()

        def cancel() -> None:
            self._driver.cancel(task, force_after)
            self._host.loop.at_end_of_pass(self._driver, done.set)

        self._host.loop.post(self._driver, cancel)
        if self._host.loop.in_pass():
            return  # a finalizer; that pass goes on when it has returned
        self._until(done)

    def _until(self, done: Latch) -> None:
        """Wait for what was posted; should the loop end right now, it is not needed any more."""
        while not done.wait(0.5) and not self._driver.closed.is_set():
            pass

    def cancel_soon(self, tasks: list[Task[Any]]) -> None:
        """Cancel tasks without waiting, not even for a lock: what a finalizer may do."""
        if os.getpid() == self._host.pid:

            def cancel() -> None:
                for task in tasks:
                    self._driver.cancel(task, math.inf)

            self._host.loop.hand_over(self._driver, cancel)

    # -- results that stay in workers -------------------------------------------------------------

    @property
    def environment(self) -> str:
        """See `Keeper`."""
        return self._plan.environment

    def keeps(self, worker: WorkerId) -> bool:
        """See `Keeper`."""
        return self._driver.has(worker)

    def fetch(self, proxy: ResultProxy) -> Any:
        """See `Keeper`."""
        with Passing():
            frames = (FETCH, *self.codec.dumps_call((proxy,), {}))
        task = self.submit(frames, math.inf, "fetch", start=True, proxies=[proxy])
        return task.wait_for()._value()

    def release(self, worker: WorkerId, number: int) -> None:
        """See `Keeper`."""
        if os.getpid() == self._host.pid:
            self._host.loop.hand_over(self._driver, lambda: self._driver.drop(worker, number))

    # -- more, fewer, other workers ---------------------------------------------------------------

    def resize(self, size: int) -> None:
        """Have ``size`` workers; those in the last slots end when they are idle.

        Raises:
            ConfigurationError: There is no room for so many in shared memory.
        """
        self.check_open()
        if self.codec.carrier is not None and not can_seat(size):
            raise ConfigurationError(f"{size} workers are too many to share memory with")
        with self._resizing:
            # Ours and not the driver's, who learns of it later, maybe after the next one asks.
            if self._plan.environ_of is not None:
                more = range(len(self._environ), size)
                self._environ += tuple(self._plan.environ_of(slot) for slot in more)
            environ = self._environ
            self._host.loop.post(self._driver, lambda: self._driver.resize(size, environ))

    def restart(self) -> None:
        """Replace every worker when it is idle next.

        Raises:
            ForkedError: This is a forked child.
        """
        self.check_process()
        self._host.loop.post(self._driver, self._driver.restart)

    def drain(self, timeout: float) -> None:
        """Wait until every task that was started before has ended.

        Raises:
            TimeoutError: They have not, after ``timeout`` seconds.
        """
        self.check_process()
        end = time.monotonic() + timeout
        seen = Latch()  # set when what was queued before has been read
        self._host.loop.post(self._driver, seen.set)
        self._until(seen)
        for task in [entry.task for entry in self._driver.all_entries()]:
            left = end - time.monotonic()
            if not task._wait(None if left == math.inf else max(0.0, left)):
                raise TimeoutError(f"not all tasks ended within {timeout:g} s")

    # -- waiting, delivery, the end ---------------------------------------------------------------

    def wait_for_end(self, latch: Latch, timeout: float | None) -> bool:
        """Wait until a task has set its latch; called by the task."""
        if self._host.forked:
            self._host.check_process()
        return self._host.loop.wait(latch, timeout)

    def expect_end(self) -> None:
        """Have news of tasks read at once; called by a task that somebody waits for."""
        if self._host.forked:
            self._host.check_process()
        self._host.loop.attend()

    def check_process(self) -> None:
        """Refuse to wait for what this process does not have.

        Raises:
            ForkedError: This is a forked child of the process that launched the workers.
        """
        self._host.check_process()

    def deliver(self, call: Callable[[], None]) -> None:
        """Run code of the user on the delivery thread."""
        self._host.delivery.call(call)

    def deliver_later(self, delay: float, call: Callable[[], None]) -> None:
        """Do the same in ``delay`` seconds."""
        loop, driver = self._host.loop, self._driver
        loop.post(driver, lambda: loop.call_later(driver, delay, lambda: self.deliver(call)))

    def on_delivery_thread(self) -> bool:
        """Whether the caller is such code."""
        return self._host.delivery.is_current()

    def alive(self) -> int:
        """Return how many workers are up: they have said hello and were not told to go."""
        return self._driver.core.count(SlotState.IDLE, SlotState.BUSY)

    def workers(self, interval: float) -> list[WorkerInfo]:
        """Return what the workers are doing; takes ``interval`` seconds.

        Raises:
            ForkedError: This is a forked child.
        """
        self.check_process()
        found: list[WorkerInfo] = []
        done = Latch()

        def read() -> None:
            if not self._driver.closed.is_set():
                found.extend(self._driver.roster.read())
            done.set()

        if self._host.loop.in_pass():  # a finalizer; that pass goes on when it has returned
            read()
        else:
            self._host.loop.post(self._driver, read)
            self._until(done)
        return measured(found, interval)

    def close(self, grace: float) -> None:
        """End all workers and tasks; return when nothing is left, in bounded time.

        Queued tasks fail at once. Running ones are asked to stop, and after ``grace`` seconds their
        workers are killed. Calling it again, from another thread too, may shorten the grace. In a
        forked child it does nothing: the workers are not its own.
        """
        if os.getpid() != self._host.pid:
            return
        if not self._driver.closed.is_set():
            self._end_workers(grace)
        if isinstance(self.codec.carrier, HostCarrier):
            self.codec.carrier.close()
        host_module.release(self, self._host)
        if self._plan.lease is not None:
            with self._releasing:
                self._plan.lease.close()

    def _make_carrier(self, plan: WorkerPlan, config: PoolConfig) -> HostCarrier | None:
        folders = [str(folder.path) for folder in self._host.segment_folders]
        if plan.pickle_protocol < 5 or not folders or not can_seat(config.size):
            return None
        if plan.trust == "data":
            return None  # a worker could change what was checked, or cut it off: that is a SIGBUS
        return HostCarrier(folders, plan.max_shared_memory, self._payloads)

    def _payloads(self) -> list[tuple[Any, ...]]:
        return [entry.payload for entry in self._driver.all_entries()]

    def _end_workers(self, grace: float) -> None:
        driver, config = self._driver, self._config
        driver.refusal = lambda: PoolClosedError(
            f"Environment {self._plan.environment!r} was exited: launch() it again first."
        )
        self._host.loop.post(driver, lambda: driver.handle(CloseRequested(grace)))
        limit = grace + config.stop_grace + config.kill_retry * (config.kill_limit + 1) + 1.0
        left = driver.left()
        while not driver.closed.wait(limit):
            # Ending a long queue takes its time; it is over, as long as there is less and less.
            if (now := driver.left()) < left:
                left, limit = now, 1.0
                continue
            logger.error("Environment %r did not close in time", self._plan.environment)
            driver.abandon(driver.all_tasks())
            driver.closed.set()


def is_small(payload: tuple[bytes, ...]) -> bool:
    """Whether a call may travel with others; one that names memory which it shares may not."""
    if len(payload) == 2:  # most of them
        return type(payload[1]) is bytes and len(payload[0]) + len(payload[1]) < SMALL
    return len(payload) < 4 and type(payload[-1]) is bytes and sum(map(len, payload)) < SMALL
