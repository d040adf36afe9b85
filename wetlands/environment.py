"""An environment: packages on disk, and workers that run functions with them."""

from __future__ import annotations

import math
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from wetlands import activation
from wetlands.activation import Commands
from wetlands.errors import (
    ConfigurationError,
    EnvironmentBuildError,
    NotLaunchedError,
    PoolClosedError,
    WorkerStartError,
)
from wetlands.mapping import MapIterator
from wetlands.options import byte_count, count, positive, seconds
from wetlands.proxy import ModuleProxy
from wetlands.result_proxy import Passing, ResultProxy, keeps_result
from wetlands.retry import RetryPolicy, policy
from wetlands.target import (
    Target,
    TargetLike,
    encode_arguments,
    find_functions,
    find_script,
    find_target,
)
from wetlands.task import Task, TaskStatus
from worker_entry.codec import carried, type_name

# Sockets, processes and what goes with them are imported by the first launch(): a program that
# imports this package may never come to that.
if TYPE_CHECKING:
    from wetlands.environments.locks.lock import Lock
    from wetlands.environments.probing import Interpreter
    from wetlands.environments.progress import ProgressCallback
    from wetlands.environments.registry import Prefix, Registry
    from wetlands.environments.upkeep.inventory import InstalledPackage
    from wetlands.environments.upkeep.verification import Verification
    from wetlands.launching import WorkerEnv
    from wetlands.runtime.pool import Pool

#: How long running tasks may go on at `exit()`, in seconds.
EXIT_GRACE = 2.0
#: How many targets are remembered, so that a file is not looked for with every task.
TARGETS = 1000


class Environment:
    """Runs functions in a dedicated environment, on a pool of worker processes.

    Made by `EnvironmentManager`. Safe to use from any thread. As a context manager it exits its
    workers at the end.
    """

    def __init__(
        self, prefix: Prefix, registry: Registry, *, on_exit: Callable[[Environment], None]
    ) -> None:
        self._prefix = prefix
        self._registry = registry
        self._on_exit = on_exit
        self._launching = threading.Lock()  # held throughout a launch
        self._lock = threading.Lock()  # held for moments
        self._starting: Pool | None = None
        self._pool: Pool | None = None
        self._closing: Pool | None = None
        self._was_launched = False
        self._max_workers = 0
        self._targets: dict[tuple[str, str], Target] = {}

    def __repr__(self) -> str:
        workers = f", {self.worker_count} workers" if self.launched() else ""
        return f"<Environment {self.name!r} at {self.path}{workers}>"

    # -- what it is -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name that it was created or loaded under."""
        return self._prefix.name

    @property
    def path(self) -> Path:
        """The folder in which its Python and packages lie."""
        return self._prefix.path

    @property
    def interpreter(self) -> Interpreter:
        """Its Python."""
        return self._prefix.interpreter

    @property
    def worker_count(self) -> int:
        """How many workers are up at this moment."""
        pool = self._pool
        return 0 if pool is None else pool.alive()

    def launched(self) -> bool:
        """Whether it has workers: `launch()` was called, and `exit()` not since."""
        return self._pool is not None

    # -- workers ----------------------------------------------------------------------------------

    def launch(
        self,
        additional_activate_commands: Commands | None = None,
        *,
        max_workers: int = 1,
        worker_env: WorkerEnv | None = None,
        worker_timeout: float | None = None,
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
                plan = make_plan(self._prefix, self._registry, config.size, worker_env, commands)
                plan = replace(plan, max_shared_memory=ceiling, trust=trust)
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

    def __enter__(self) -> Environment:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.exit()

    # -- tasks ------------------------------------------------------------------------------------

    def submit(
        self,
        target: TargetLike,
        function: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        start: bool = True,
        timeout: float | None = None,
        result: str = "value",
        retries: int | RetryPolicy = 0,
        block: bool = True,
    ) -> Task[Any]:
        """Call a function in a worker; return the task at once.

        Args:
            target: The path of a Python file, the name of a module that is installed in the
                environment, or a callable.
            function: The name of the function in the file or module. Leave it out for a callable.
            args: Positional arguments.
            kwargs: Keyword arguments. A function with a parameter named ``task`` gets a
                `RemoteTaskHandle` for it, unless one is given here.
            start: Whether to queue the task now; if not, ``task.start()`` does.
            timeout: Seconds that the task may run; then it fails, is asked to stop, and if it
                does not within a second, its worker is replaced. None: no limit.
            result: "value", or "proxy" to leave the result in the worker and get a
                `ResultProxy`, which can be passed to other tasks.
            retries: How often to run it again when it fails, by an exception or by the loss of its
                worker, or a `RetryPolicy`. With 0, what has begun never runs twice.
            block: Whether to wait while as many tasks are queued as `launch` allows.

        Raises:
            NotLaunchedError, PoolClosedError, PoolBrokenError: There are no workers.
            ConfigurationError: The target or an option can't be right.
            SerializationError: An argument or the callable can't be sent; it is named.
            QueueFullError: There is no room in the queue, and ``block`` is false.
        """
        pool = self._open_pool()
        limit = math.inf if timeout is None else positive("timeout", timeout)
        retry = policy(retries)
        keep = result != "value" and keeps_result(result)
        found, frames, proxies = self._prepare(pool, target, function, args, kwargs)
        if keep:
            found = found.keeping()
        return self._submit(pool, found, frames, limit, start, proxies, retry, block)

    def submit_script(
        self,
        path: str | os.PathLike[str],
        args: Sequence[str] = (),
        run_name: str = "__main__",
        *,
        start: bool = True,
        timeout: float | None = None,
        retries: int | RetryPolicy = 0,
        block: bool = True,
    ) -> Task[None]:
        """Run a Python file as a program in a worker; return the task at once.

        Args:
            path: The file.
            args: What it finds in ``sys.argv[1:]``.
            run_name: What it finds in ``__name__``.
            start: Whether to queue the task now.
            timeout: As for `submit`.
            retries: As for `submit`.
            block: As for `submit`.

        Raises:
            NotLaunchedError, PoolClosedError, PoolBrokenError: There are no workers.
            QueueFullError: As for `submit`.
            ConfigurationError: There is no such file, or an option can't be right.
        """
        pool = self._open_pool()
        limit = positive("timeout", timeout)
        found = find_script(path, args, run_name)
        return self._submit(pool, found, (), limit, start, (), policy(retries), block)

    def map(
        self,
        target: TargetLike,
        function: str | Iterable[Any] | None = None,
        iterable: Iterable[Any] | None = None,
        *,
        timeout: float | None = None,
        ordered: bool = True,
        retries: int | RetryPolicy = 0,
    ) -> Iterator[Any]:
        """Call a function with each item, on all workers; iterate over the results.

        Items are submitted at once, as many as make a reasonable window; the rest follows as
        results are taken, hence an endless iterable is fine. Closing the iterator, or dropping it,
        cancels what has not been yielded; so does an item that fails.

        Args:
            target: As for `submit`. With a callable, the iterable comes second.
            function: As for `submit`.
            iterable: The items; each is the function's only argument.
            timeout: Seconds to wait for the next result at most. None: no limit.
            ordered: Whether results come in the order of the items, or as they are ready.
            retries: As for `submit`, for each item.

        Raises:
            ExecutionException: From the iterator, in place of the result of an item that failed.
            concurrent.futures.CancelledError: Likewise, of one that was canceled.
            TimeoutError: Likewise, when no result came in time.
        """
        pool = self._open_pool()
        found, items = self._mapped(pool, target, function, iterable)
        limit = positive("timeout", timeout)
        retry = policy(retries)

        def submit(item: Any) -> tuple[Task[Any], int]:
            frames, proxies = encode_arguments(pool.codec, (item,), None, found.label)
            task = self._submit(pool, found, frames, math.inf, True, proxies, retry)
            return task, carried(frames)

        return MapIterator(
            submit,
            items,
            pool.cancel_soon,
            minimum=2 * self._max_workers,
            timeout=None if limit == math.inf else limit,
            ordered=ordered,
        )

    def map_tasks(
        self,
        target: TargetLike,
        function: str | Iterable[Any] | None = None,
        iterable: Iterable[Any] | None = None,
        *,
        retries: int | RetryPolicy = 0,
    ) -> list[Task[Any]]:
        """Submit a function for each item; return the tasks, in the order of the items.

        If an item can't be sent, the tasks submitted before it are canceled. ``retries`` is as for
        `submit`, for each item.

        Raises:
            As `submit`.
        """
        pool = self._open_pool()
        found, items = self._mapped(pool, target, function, iterable)
        retry = policy(retries)
        tasks: list[Task[Any]] = []
        try:
            for item in items:
                frames, proxies = encode_arguments(pool.codec, (item,), None, found.label)
                tasks.append(self._submit(pool, found, frames, math.inf, True, proxies, retry))
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        return tasks

    def execute(
        self,
        target: TargetLike,
        function: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        result: str = "value",
        retries: int | RetryPolicy = 0,
    ) -> Any:
        """Call a function in a worker, wait, and return its result, or a proxy of it.

        Raises:
            ExecutionException: It failed. Otherwise as `submit`.
        """
        return _result(self.submit(target, function, args, kwargs, result=result, retries=retries))

    def run_script(
        self,
        path: str | os.PathLike[str],
        args: Sequence[str] = (),
        run_name: str = "__main__",
        *,
        retries: int | RetryPolicy = 0,
    ) -> None:
        """Run a Python file as a program in a worker and wait for its end.

        Raises:
            ExecutionException: It failed. Otherwise as `submit_script`.
        """
        _result(self.submit_script(path, args, run_name, retries=retries))

    def import_module(self, module: str | os.PathLike[str]) -> Any:
        """Return an object whose methods are the functions of a file or module.

        Each call runs in a worker and returns the result. The host never imports the module.

        Raises:
            ExecutionException: The module can't be imported there.
        """
        pool = self._open_pool()
        names = _result(self._submit(pool, find_functions(module), (), math.inf, True))
        return ModuleProxy(module, names, self.execute)

    # -- arrays that workers share -----------------------------------------------------------------

    def empty(self, shape: int | Sequence[int], dtype: Any = float, mode: str = "in") -> Any:
        """Return a new NumPy array, its values unset, that tasks get without a copy.

        It is an ordinary array to the caller. Submitting it, or a contiguous view of it, costs the
        same whatever its size. It must not be written to while tasks that read it are under way.

        Args:
            shape: As for `numpy.empty`.
            dtype: As for `numpy.empty`; without references to objects.
            mode: What workers see: with "in" what they write stays with them, with "inout" they
                write into this very array.

        Raises:
            NotLaunchedError, PoolClosedError, PoolBrokenError: There are no workers to share with.
            ConfigurationError: NumPy is missing, an argument can't be right, or "inout" is not
                possible with this Python or system.
            MemoryError: There is no space for an array that is written to.
        """
        return self._open_pool().empty(shape, dtype, mode)

    def share(self, array: Any, mode: str = "in") -> Any:
        """Return a copy of an array that tasks get without a further copy; see `empty`."""
        return self._open_pool().share(array, mode)

    # -- packages and programs --------------------------------------------------------------------

    def install(
        self, dependencies: Mapping[str, Any], additional_install_commands: Commands | None = None
    ) -> list[str]:
        """Install further packages; return what the installer said, line by line.

        Workers that run already keep what they have imported.

        Raises:
            EnvironmentBuildError: Installing failed.
        """
        lines = self._registry.install(self._prefix, dependencies)
        if additional_install_commands:
            process = self.execute_commands(
                additional_install_commands,
                popen_kwargs={"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
            )
            output = process.communicate()[0].decode(errors="replace")
            if process.returncode != 0:
                raise EnvironmentBuildError(
                    f"additional_install_commands {additional_install_commands!r} failed with "
                    f"status {process.returncode} in environment {self.name!r}:\n{output}",
                    command=[str(process.args)],
                    returncode=process.returncode,
                    log_tail=output,
                )
            lines += output.splitlines()
        return lines

    def execute_commands(
        self,
        commands: Commands,
        additional_activate_commands: Commands | None = None,
        popen_kwargs: Mapping[str, Any] | None = None,
        wait: bool = False,
    ) -> subprocess.Popen[Any]:
        """Run shell commands with the environment's programs first on PATH.

        Args:
            commands: A list of commands, or lists for "all", "linux", "mac" and "windows".
            additional_activate_commands: Commands to run before, in the same shell.
            popen_kwargs: Options of `subprocess.Popen`.
            wait: Whether to wait for their end.

        Returns:
            The shell's process; the first command that fails ends it.

        Raises:
            ConfigurationError: The commands are no lists of strings.
        """
        lines = activation.for_this_system(additional_activate_commands)
        lines += activation.for_this_system(commands)
        options: dict[str, Any] = {"env": self._base_environ(), **(popen_kwargs or {})}
        process = subprocess.Popen([*activation.shell(), "\n".join(["set -e", *lines])], **options)
        if wait:
            process.wait()
        return process

    def packages(self) -> list[InstalledPackage]:
        """Return the packages that lie in it: name, version, kind, source, size; sorted by name.

        Read from the files that packages leave, whoever installed them; nothing is run.
        """
        return self._registry.upkeep.packages(self._prefix)

    def verify(self) -> Verification:
        """Compare every file with what its package says of it; return what does not match.

        Compiled bytecode is passed over. Of an environment that was loaded by path, files that
        belong to no package are untracked.
        """
        return self._registry.upkeep.verify(self._prefix)

    def repair(self, on_progress: ProgressCallback | None = None) -> Verification:
        """Build it anew from its lock if a file is missing or changed; return what was found.

        What was installed later, by `install`, is gone then.

        Args:
            on_progress: As for `EnvironmentManager.create`.

        Raises:
            EnvironmentInUseError: Workers of some process run in it.
            ConfigurationError: It was loaded by path, and is not ours to change.
            EnvironmentBuildError: A package can't be fetched.
        """
        return self._registry.upkeep.repair(self._prefix, on_progress)

    def lock(self) -> Lock:
        """Return the lock that gives this environment, as it is now.

        Raises:
            EnvironmentBuildError: What was installed later is not on the package index.
        """
        return self._registry.upkeep.lock(self._prefix)

    def export(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return it as the text of a file for others, and write that file if a path is given.

        Args:
            path: Of an ``environment.yml`` (any ``.yml`` or ``.yaml``), with names and versions,
                or of a lock (``pylock.toml``), with every file and its hash. None: the text of
                an ``environment.yml``, which is not written.

        Raises:
            ConfigurationError: No such file is called like that.
            EnvironmentBuildError: As for `lock`.
            ProvisioningError: The file can't be written.
        """
        return self._registry.upkeep.export(self._prefix, path)

    def delete(self) -> None:
        """Exit the workers and remove the environment from disk.

        Raises:
            EnvironmentInUseError: Another process runs workers in it.
            ProvisioningError: It was not created here, but loaded.
        """
        self.exit()
        self._registry.delete(self._prefix)

    # -- helpers ----------------------------------------------------------------------------------

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

    def _prepare(
        self, pool: Pool, target: TargetLike, function: str | None, args: Any, kwargs: Any
    ) -> tuple[Target, Sequence[Any], Sequence[ResultProxy]]:
        """Return what to call, its arguments as frames, and the proxies in all of that."""
        if isinstance(target, str):
            found = self._find(pool, target, function)
            return (found, *encode_arguments(pool.codec, args, kwargs, found.label))
        with Passing() as closed_over:
            found = self._find(pool, target, function)
        frames, proxies = encode_arguments(pool.codec, args, kwargs, found.label)
        return found, frames, [*closed_over, *proxies]

    def _find(self, pool: Pool, target: TargetLike, function: str | None) -> Target:
        """Find the target; the last ones that were given as strings are remembered."""
        if not isinstance(target, str) or not isinstance(function, str):
            return self._look_for(pool, target, function)
        found = self._targets.get((target, function))
        if found is None:
            found = self._look_for(pool, target, function)
            if os.path.isabs(target):  # others mean another file once the host changes its folder
                if len(self._targets) >= TARGETS:
                    self._targets.clear()
                self._targets[target, function] = found
        return found

    def _look_for(self, pool: Pool, target: TargetLike, function: str | None) -> Target:
        version = self.interpreter.version
        return find_target(target, function, pool.codec, self._place(), version)

    def _submit(
        self,
        pool: Pool,
        target: Target,
        arguments: Sequence[Any],
        timeout: float,
        start: bool,
        proxies: Sequence[ResultProxy] = (),
        retry: RetryPolicy | None = None,
        block: bool = True,
    ) -> Task[Any]:
        frames = (*target.frames, *arguments)
        return pool.submit(
            frames,
            timeout,
            target.label,
            start=start,
            proxies=proxies,
            retry=retry,
            block=block,
        )

    def _mapped(
        self,
        pool: Pool,
        target: TargetLike,
        function: str | Iterable[Any] | None,
        iterable: Iterable[Any] | None,
    ) -> tuple[Target, Iterable[Any]]:
        name: Any = function
        if callable(target) and not isinstance(target, str) and iterable is None:
            name, iterable = None, function
        if iterable is None or not hasattr(iterable, "__iter__"):
            raise ConfigurationError(f"map needs an iterable of items, not {type_name(iterable)}")
        return self._find(pool, target, name), iterable

    def _base_environ(self) -> dict[str, str]:
        from wetlands.runtime.launcher import base_environ

        environ = base_environ(self.path, self.interpreter.executable)
        return self._registry.activated(self._prefix, environ)

    def _place(self) -> str:
        version = ".".join(str(part) for part in self.interpreter.version)
        return f"environment {self.name!r} (Python {version})"


def _result(task: Task[Any]) -> Any:
    try:
        if task.wait_for().status is TaskStatus.CANCELED:
            raise CancelledError(f"{task!r} was canceled")
        return task._value()
    except BaseException:  # KeyboardInterrupt while waiting: nobody will want the result
        task.cancel()
        raise
