"""An environment: packages on disk, and workers that run functions with them.

Its parts, each a class on top of the one before: packages (`wetlands.installed`), workers
(`wetlands.staffed`), and here the tasks that workers run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from wetlands.errors import ConfigurationError
from wetlands.options import positive
from wetlands.pace import Pace
from wetlands.proxy import ModuleProxy
from wetlands.result_proxy import Passing, ResultProxy, keeps_result
from wetlands.staffed import StaffedEnvironment
from wetlands.target import (
    Target,
    TargetLike,
    encode_arguments,
    find_functions,
    find_script,
    find_target,
)
from wetlands.task import Task, TaskStatus
from worker_entry.codec import type_name

if TYPE_CHECKING:
    from wetlands.environments.registry import Prefix, Registry
    from wetlands.retry import RetryPolicy
    from wetlands.runtime.pool import Pool

#: How many targets are remembered, so that a file is not looked for with every task, and of how
#: many it is known how long they take.
TARGETS = 1000


class Environment(StaffedEnvironment):
    """Runs functions in a dedicated environment, on a pool of worker processes.

    Made by `EnvironmentManager`. Safe to use from any thread. As a context manager it exits its
    workers at the end.
    """

    def __init__(
        self, prefix: Prefix, registry: Registry, *, on_exit: Callable[[Environment], None]
    ) -> None:
        super().__init__(prefix, registry, on_exit=on_exit)
        self._targets: dict[tuple[str, str], Target] = {}
        self._paces: dict[int, Pace] = {}

    def __repr__(self) -> str:
        workers = f", {self.worker_count} workers" if self.launched() else ""
        return f"<Environment {self.name!r} at {self.path}{workers}>"

    # -- tasks -------------------------------------------------------------------------------------

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
        pool = self._pool or self._living_pool()
        plain = kwargs is None and timeout is None and type(retries) is int and retries == 0
        if plain and start and result == "value":
            task = self._submit_plain(pool, target, function, args, block)
            if task is not None:
                return task
        pool.check_open()
        limit = math.inf if timeout is None else positive("timeout", timeout)
        retry = _policy(retries)
        keep = result != "value" and keeps_result(result)
        found, frames, proxies = self._prepare(pool, target, function, args, kwargs)
        if keep:
            found = found.keeping()
        return pool.submit(
            (*found.frames, *frames),
            limit,
            found.label,
            start=start,
            proxies=proxies,
            retry=retry,
            block=block,
        )

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
        retry = _policy(retries)
        return pool.submit(found.frames, limit, found.label, start=start, retry=retry, block=block)

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

        Items of a function that takes microseconds share tasks, as many as run in a millisecond or
        so; which ones do shows in nothing but the time that it takes.

        Args:
            target: As for `submit`. With a callable, the iterable comes second.
            function: As for `submit`.
            iterable: The items; each is the function's only argument.
            timeout: Seconds to wait for the next result at most. None: no limit.
            ordered: Whether results come in the order of the items, or as they are ready.
            retries: As for `submit`, for each item.

        Raises:
            ExecutionException: From the iterator, in place of the result of an item that failed;
                ``item`` is its number.
            concurrent.futures.CancelledError: Likewise, of one that was canceled.
            TimeoutError: Likewise, when no result came in time.
        """
        pool = self._open_pool()
        found, items = self._mapped(pool, target, function, iterable)
        limit = positive("timeout", timeout)
        retry = _policy(retries)
        alone = retry is not None or pool.counts_tasks
        # Only now, as some are slow to load, and many programs never map.
        from wetlands.map_sending import MapSender
        from wetlands.map_window import Window
        from wetlands.mapping import MapIterator

        sender = MapSender(pool, found, retry, None if alone else self._pace(found))
        window = Window(sender, items, pool, self._max_workers, ordered)
        return MapIterator(window, None if limit == math.inf else limit)

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
        retry = _policy(retries)
        tasks: list[Task[Any]] = []
        try:
            for item in items:
                frames, proxies = encode_arguments(pool.codec, (item,), None, found.label)
                task = pool.submit(
                    (*found.frames, *frames),
                    math.inf,
                    found.label,
                    start=True,
                    proxies=proxies,
                    retry=retry,
                )
                tasks.append(task)
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
        found = find_functions(module)
        names = _result(pool.submit(found.frames, math.inf, found.label, start=True))
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

    # -- helpers -----------------------------------------------------------------------------------

    def _submit_plain(
        self, pool: Pool, target: TargetLike, function: str | None, args: Any, block: bool
    ) -> Task[Any] | None:
        """Submit a call of a function that is known, if its arguments are plain data."""
        if type(target) is str and type(function) is str and type(args) is tuple:
            found = self._targets.get((target, function))
            frame = None if found is None else pool.codec.dumps_plain(args)
            if found is not None and frame is not None:
                return pool.submit_plain(found, frame, block)
        return None

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

    def _pace(self, target: Target) -> Pace:
        """Return what is known of how long a function takes; maps of it share that."""
        key = hash(target.frames)
        pace = self._paces.get(key)
        if pace is None:
            if len(self._paces) >= TARGETS:
                self._paces.clear()
            pace = self._paces.setdefault(key, Pace())
        return pace

    def _look_for(self, pool: Pool, target: TargetLike, function: str | None) -> Target:
        version = self.interpreter.version
        return find_target(target, function, pool.codec, self._place(), version)

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


def _policy(retries: int | RetryPolicy) -> RetryPolicy | None:
    if type(retries) is int and retries == 0:
        return None
    from wetlands.retry import policy  # loads slowly, and most tasks are not tried again

    return policy(retries)


def _result(task: Task[Any]) -> Any:
    try:
        if task.wait_for().status is TaskStatus.CANCELED:
            raise CancelledError(f"{task!r} was canceled")
        return task._value()
    except BaseException:  # KeyboardInterrupt while waiting: nobody will want the result
        task.cancel()
        raise
