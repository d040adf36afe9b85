"""One pool, as other threads see it."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from typing import Any

from wetlands.core.events import CancelRequested, CloseRequested
from wetlands.core.policy import PoolConfig
from wetlands.core.pool import SlotState
from wetlands.errors import PoolClosedError
from wetlands.runtime import host as host_module
from wetlands.runtime.driver import Driver, Entry
from wetlands.runtime.launcher import WorkerPlan
from wetlands.task import Task
from worker_entry.codec import Codec

logger = logging.getLogger("wetlands.pool")


class Pool:
    """The workers of one environment. Safe to use from any thread.

    Attributes:
        codec: What encodes arguments for these workers.
    """

    def __init__(self, plan: WorkerPlan, config: PoolConfig) -> None:
        self.codec = Codec(plan.pickle_protocol, plan.by_value)
        self._plan = plan
        self._config = config
        self._numbers = 0
        self._number_lock = threading.Lock()
        self._host = host_module.acquire(self)
        self._driver = Driver(self._host, plan, config, self.codec)

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

    def new_task(self, payload: tuple[bytes, ...], timeout: float, description: str) -> Task[Any]:
        """Return a task that is not queued yet.

        Raises:
            PoolClosedError, PoolBrokenError, ForkedError: It would never run.
        """
        with self._number_lock:
            self._numbers += 1
            number = self._numbers
        task: Task[Any] = Task(self, number, description)
        self._driver.entries[number] = Entry(task, payload, timeout)
        try:
            self.check_open()  # now that the end of the pool would find the entry
        except Exception:
            self._driver.entries.pop(number, None)
            raise
        return task

    def check_open(self) -> None:
        """Raise what a submission now would run into.

        Raises:
            PoolClosedError, PoolBrokenError, ForkedError: Tasks can't run.
        """
        self._host.check_process()
        if self._driver.refusal is not None:
            raise self._driver.refusal()

    def start_task(self, task: Task[Any]) -> None:
        """Queue a task; called by the task."""
        self.check_open()
        self._host.loop.post(self._driver, lambda: self._driver.submit(task.number))
        if self._driver.closed.is_set():
            self._driver.abandon_all()  # it closed in between, and nobody reads the inbox

    def cancel_task(self, task: Task[Any], force_after: float) -> None:
        """Cancel a queued task before returning, ask a running one to stop; called by the task."""
        self._host.check_process()
        done = threading.Event()

        def cancel() -> None:
            self._driver.handle(CancelRequested(task.number, force_after))
            self._host.loop.at_end_of_pass(done.set)

        self._host.loop.post(self._driver, cancel)
        if self._host.loop.is_current():
            return  # a garbage collection there closes an abandoned map()
        # Should the loop end right now, every task has been ended anyway.
        while not done.wait(0.5) and not self._driver.closed.is_set():
            pass

    def discard_task(self, task: Task[Any]) -> None:
        """Forget a task that ended before it was queued; called by the task."""
        self._driver.entries.pop(task.number, None)

    def deliver(self, call: Callable[[], None]) -> None:
        """Run code of the user on the delivery thread."""
        self._host.delivery.call(call)

    def on_delivery_thread(self) -> bool:
        """Whether the caller is such code."""
        return self._host.delivery.is_current()

    def alive(self) -> int:
        """Return how many workers are up: they have said hello and were not told to go."""
        return self._driver.core.count(SlotState.IDLE, SlotState.BUSY)

    def close(self, grace: float) -> None:
        """End all workers and tasks; return when nothing is left, in bounded time.

        Queued tasks fail at once. Running ones are asked to stop, and after ``grace`` seconds their
        workers are killed. Calling it again, from another thread too, may shorten the grace. In a
        forked child it does nothing: the workers are not its own.
        """
        driver, config = self._driver, self._config
        if os.getpid() != self._host.pid or driver.closed.is_set():
            return
        driver.refusal = lambda: PoolClosedError(
            f"Environment {self._plan.environment!r} was exited: launch() it again first."
        )
        self._host.loop.post(driver, lambda: driver.handle(CloseRequested(grace)))
        limit = grace + config.stop_grace + config.kill_retry * (config.kill_limit + 1) + 1.0
        if not driver.closed.wait(None if limit == math.inf else limit):
            logger.error("Environment %r did not close in time", self._plan.environment)
            driver.abandon_all()
            driver.closed.set()
        host_module.release(self)
        if self._plan.lease is not None:
            self._plan.lease.close()
