"""An environment with workers: how they are launched, changed and ended."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from wetlands import activation
from wetlands.activation import Commands
from wetlands.errors import (
    ConfigurationError,
    NotLaunchedError,
    PoolClosedError,
    WorkerStartError,
)
from wetlands.installed import InstalledEnvironment
from wetlands.options import byte_count, count, seconds

# Sockets, processes and what goes with them are imported by the first launch(): a program that
# imports this package may never come to that.
if TYPE_CHECKING:
    from wetlands.environments.registry import Prefix, Registry
    from wetlands.launching import WorkerEnv
    from wetlands.runtime.pool import Pool
    from wetlands.worker_info import WorkerInfo

#: How long running tasks may go on at `exit()`, in seconds.
EXIT_GRACE = 2.0

Self = TypeVar("Self", bound="StaffedEnvironment")


class StaffedEnvironment(InstalledEnvironment):
    """An environment whose workers can be launched. Safe to use from any thread."""

    def __init__(
        self, prefix: Prefix, registry: Registry, *, on_exit: Callable[[Any], None]
    ) -> None:
        super().__init__(prefix, registry)
        self._on_exit = on_exit
        self._launching = threading.Lock()  # held throughout a launch
        self._lock = threading.Lock()  # held for moments
        self._starting: Pool | None = None
        self._pool: Pool | None = None
        self._closing: Pool | None = None
        self._was_launched = False
        self._max_workers = 0

    @property
    def worker_count(self) -> int:
        """How many workers are up at this moment."""
        pool = self._pool
        return 0 if pool is None else pool.alive()

    def workers(self, interval: float = 0.1) -> list[WorkerInfo]:
        """Return what each worker is doing: idle or at which task, silent for how long, at work?

        A task that says nothing may compute, wait, or hang: nothing tells of that by itself, since
        most silent ones are at work. This looks, and only now.

        Args:
            interval: Seconds over which the processor time of each is measured, which is how long
                this takes. 0: it is not measured.

        Returns:
            One for each process that there is, by their numbers; none without workers.

        Raises:
            ConfigurationError: The interval can't be right.
            ForkedError: This is a forked child of the process that launched them.
        """
        duration = seconds("interval", interval)
        if duration == math.inf:
            raise ConfigurationError(f"interval must be a number of seconds, not {interval!r}")
        pool = self._pool
        return [] if pool is None else pool.workers(duration)

    def launched(self) -> bool:
        """Whether it has workers: `launch()` was called, and `exit()` not since."""
        return self._pool is not None

    def launch(
        self,
        additional_activate_commands: Commands | None = None,
        *,
        max_workers: int = 1,
        worker_env: WorkerEnv | None = None,
        worker_timeout: float | None = None,
        frozen_timeout: float | None = 10.0,
        startup_timeout: float = 60.0,
        max_shared_memory: int | None = None,
        trust: str = "full",
        max_tasks_per_worker: int | None = None,
        max_memory_per_worker: int | None = None,
        idle_timeout: float | None = None,
        max_queued: int | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: Sequence[Any] = (),
    ) -> None:
        """Start the workers, in parallel, and wait until all are ready.

        Does nothing if they are running already. A worker that dies later, busy or idle, is
        replaced by one started the same way.

        Args:
            additional_activate_commands: Shell commands that run once, before the workers start;
                what they export is part of the workers' environment variables.
            max_workers: How many workers, which is how many tasks run at the same time.
            worker_env: Called with each worker's number (0 to ``max_workers - 1``); returns
                environment variables for it. PYTHONPATH, too, is honoured.
            worker_timeout: Seconds of silence after which a running task is taken for hung: it
                fails, and its worker is replaced. Progress, outputs and log records of the task
                count as signs of life. None: never.
            frozen_timeout: Seconds after which a worker that has something to do is replaced if its
                process stands still because a signal (SIGSTOP) stopped it. A task that it had begun
                fails with `WorkerLostError`; what it had not begun runs elsewhere. At least 0.01.
                One that a debugger stops is left alone, on Linux. None: never.
            startup_timeout: Seconds that a worker has to get ready.
            max_shared_memory: Bytes of memory that large arrays may take on their way, those of
                `empty` and `share` included. When they are in use, submitting waits for tasks to
                give some back, if any has some; otherwise arrays go through temporary files, or
                through the socket. None: half of what is free in ``/dev/shm``.
            trust: What workers may make the host do. ``"full"``: results and outputs are unpickled
                as they come, which runs whatever code they name. ``"data"``: nothing but data is
                rebuilt, so that a hostile environment can't run code in the host; see
                ``docs/values.md``. A result that is more than data fails its task.
            max_tasks_per_worker: Tasks after which a worker is replaced, which costs no task. One
                that keeps values for a `ResultProxy` stays until these are dropped. None: never.
            max_memory_per_worker: Bytes that a worker may have for itself. One that takes more
                while a task runs is killed, and the task fails with `OutOfMemoryError`; one that
                has more than four fifths of it when its task ends is replaced. None: no limit.
            idle_timeout: Seconds without work after which a worker is let go; it comes back when
                there is work. None: workers stay.
            max_queued: Tasks that may wait for a worker. Who submits more waits, too, or gets a
                `QueueFullError` with ``block=False``. None: no limit.
            initializer: A function that every worker runs before its first task, replacements
                included, as part of its start. If it raises, the worker could not be started.
            initargs: Its arguments.

        Raises:
            ConfigurationError: An option can't be right.
            SerializationError: The initializer, or an argument of it, can't be sent.
            WorkerStartError: A worker did not start; its stderr is part of the error.
            EnvironmentBuildError: pyzmq could not be provided for this Python.
            PoolClosedError: Another thread called `exit()` meanwhile.
        """
        from wetlands.launching import make_config, make_plan
        from wetlands.runtime.pool import Pool

        config = make_config(
            max_workers=max_workers,
            worker_timeout=worker_timeout,
            frozen_timeout=frozen_timeout,
            startup_timeout=startup_timeout,
            max_tasks_per_worker=max_tasks_per_worker,
            max_memory_per_worker=max_memory_per_worker,
            idle_timeout=idle_timeout,
        )
        room = None if max_queued is None else count("max_queued", max_queued)
        if trust not in ("full", "data"):
            raise ConfigurationError(f"trust must be 'full' or 'data', not {trust!r}")
        ceiling = byte_count("max_shared_memory", max_shared_memory)
        commands = activation.for_this_system(additional_activate_commands)
        with self._launching:
            if self._pool is None:
                plan = make_plan(
                    self._prefix, self._registry, config.size, worker_env, commands, ceiling, trust
                )
                pool = Pool(plan, config, room)
                self._initialize(pool, initializer, initargs)
                self._launch(pool, config.size)

    def resize(self, max_workers: int) -> None:
        """Have more workers, or fewer, from now on; does not wait for them.

        No task is lost: a worker that is one too many ends when its task has. Those with the
        highest numbers go; new ones get what ``worker_env`` returns for their numbers.

        Raises:
            ConfigurationError: It is no number of workers, or more than can share memory.
            NotLaunchedError, PoolClosedError, PoolBrokenError: There are no workers.
        """
        size = count("max_workers", max_workers)
        self._open_pool().resize(size)
        self._max_workers = size

    def restart(self) -> None:
        """Replace every worker by a new one, when its task has ended; does not wait for that.

        No task is lost. Values that a `ResultProxy` stands for are, with their workers. After
        workers kept dying, and the pool broke, this begins anew.

        Raises:
            NotLaunchedError, PoolClosedError: There are no workers.
        """
        self._living_pool().restart()

    def drain(self, timeout: float | None = None) -> None:
        """Wait until every task that was started before has ended, those queued included.

        Args:
            timeout: Seconds to wait at most. None: no limit.

        Raises:
            TimeoutError: They have not; nothing is canceled by that.
            NotLaunchedError, PoolClosedError: There are no workers.
        """
        self._living_pool().drain(seconds("timeout", timeout))

    def exit(self, grace: float = EXIT_GRACE) -> None:
        """End the workers; return when none is left, in bounded time. Never fails a second time.

        Queued tasks fail, saying so. Running ones are asked to stop; workers whose task is still
        running after ``grace`` seconds are killed, and the task fails.
        """
        limit = seconds("grace", grace)
        with self._lock:
            # A pool that another thread launches, or closes, right now is closed here as well.
            self._closing = self._pool or self._starting or self._closing
            self._pool = self._starting = None
            pool = self._closing
        if pool is not None:
            pool.close(limit)
        self._on_exit(self)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.exit()

    def delete(self) -> None:
        """Exit the workers and remove the environment from disk.

        Raises:
            EnvironmentInUseError: Another process runs workers in it.
            ProvisioningError: It was not created here, but loaded.
        """
        self.exit()
        self._registry.delete(self._prefix)

    # -- helpers -----------------------------------------------------------------------------------

    def _launch(self, pool: Pool, size: int) -> None:
        with self._lock:
            self._starting = pool
        try:
            pool.open()
        except BaseException as error:
            if self._stop_starting() or not isinstance(error, WorkerStartError):
                raise
            raise self._exited_meanwhile() from None
        with self._lock:
            if self._starting is None:
                raise self._exited_meanwhile()
            self._pool, self._starting = pool, None
            self._was_launched, self._max_workers = True, size

    def _stop_starting(self) -> bool:
        """End a launch that failed; False if `exit()` was called meanwhile."""
        with self._lock:
            pool, self._starting = self._starting, None
            return pool is not None

    def _exited_meanwhile(self) -> PoolClosedError:
        return PoolClosedError(f"Environment {self.name!r} was exited while it was launched.")

    def _initialize(
        self, pool: Pool, initializer: Callable[..., Any] | None, initargs: Sequence[Any]
    ) -> None:
        from wetlands.launching import initializer_call

        try:
            if initializer is not None:
                place, version = self._place(), self.interpreter.version
                call = initializer_call(pool.codec, initializer, initargs, place, version)
                pool.initialize_with(call)
        except BaseException:
            pool.close(0.0)
            raise

    def _open_pool(self) -> Pool:
        pool = self._living_pool()
        pool.check_open()
        return pool

    def _living_pool(self) -> Pool:
        pool = self._pool
        if pool is None:
            if self._was_launched:
                raise PoolClosedError(f"Environment {self.name!r} was exited: launch() it again.")
            raise NotLaunchedError(f"Environment {self.name!r} has no workers: launch() it first.")
        return pool
