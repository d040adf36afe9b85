"""Adapters of pools for one machine."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

from benchmarks import work
from benchmarks.peers.adapter import CHUNKS, Adapter


class Wetlands(Adapter):
    """Ours, on the Python that it is installed in."""

    name = "wetlands"

    def start(self, workers: int) -> None:
        from benchmarks import subject

        self._stack = ExitStack()
        self._env = self._stack.enter_context(subject.environment(workers))
        self._file = subject.WORK

    def stop(self) -> None:
        self._stack.close()

    def submit(self, value: Any) -> Any:
        return self._env.submit(self._file, "noop", (value,))

    def result(self, handle: Any) -> Any:
        return handle.wait_for().result

    def mapped(self, count: int) -> list[Any]:
        return list(self._env.map(self._file, "noop", range(count)))


class Executor(Adapter):
    """`concurrent.futures.ProcessPoolExecutor`, and the base for what is made in its image."""

    name = "ProcessPoolExecutor"
    note = f"map in chunks of {CHUNKS}"
    _pool: Any

    def start(self, workers: int) -> None:
        from concurrent.futures import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(workers)

    def stop(self) -> None:
        self._pool.shutdown()

    def submit(self, value: Any) -> Any:
        return self._pool.submit(work.noop, value)

    def mapped(self, count: int) -> list[Any] | None:
        return list(self._pool.map(work.noop, range(count), chunksize=CHUNKS))


class MultiprocessingPool(Adapter):
    """`multiprocessing.Pool`."""

    name = "multiprocessing.Pool"
    note = "chooses its own chunks"

    def start(self, workers: int) -> None:
        import multiprocessing

        self._pool = multiprocessing.Pool(workers)

    def stop(self) -> None:
        self._pool.close()
        self._pool.join()

    def submit(self, value: Any) -> Any:
        return self._pool.apply_async(work.noop, (value,))

    def result(self, handle: Any) -> Any:
        return handle.get()

    def mapped(self, count: int) -> list[Any]:
        return self._pool.map(work.noop, range(count))


class Loky(Executor):
    """The pool under joblib."""

    name = "loky"
    requirements = ("loky",)

    def start(self, workers: int) -> None:
        from loky import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(workers)


class Pebble(Adapter):
    """Pebble's pool, whose tasks can have time limits."""

    name = "pebble"
    requirements = ("pebble",)
    note = f"map in chunks of {CHUNKS}"

    def start(self, workers: int) -> None:
        from pebble import ProcessPool

        self._pool = ProcessPool(max_workers=workers)

    def stop(self) -> None:
        self._pool.close()
        self._pool.join()

    def submit(self, value: Any) -> Any:
        return self._pool.schedule(work.noop, args=[value])

    def mapped(self, count: int) -> list[Any]:
        return list(self._pool.map(work.noop, range(count), chunksize=CHUNKS).result())


class Executorlib(Executor):
    """executorlib on one node."""

    name = "executorlib"
    requirements = ("executorlib",)
    note = "workers that stay, and without its search for dependencies, which takes 10 ms a task"

    def start(self, workers: int) -> None:
        from executorlib import SingleNodeExecutor

        self._pool = SingleNodeExecutor(
            max_workers=workers, block_allocation=True, disable_dependencies=True
        )

    def mapped(self, count: int) -> list[Any]:
        return list(self._pool.map(work.noop, range(count)))


class Appose(Adapter):
    """Appose: one process, each task a script in a thread of its own."""

    name = "Appose"
    requirements = ("appose",)
    note = "one process, whatever the number of workers; loses tasks when many are under way"

    def start(self, workers: int) -> None:
        import appose

        self._service: Any = appose.system(sys.prefix).python()

    def stop(self) -> None:
        self._service.close()

    def submit(self, value: Any) -> Any:
        return self._service.task("task.outputs['back'] = value", {"value": value}).start()

    def result(self, handle: Any) -> Any:
        handle.wait_for()
        return handle.outputs["back"]

    def submit_many(self, n: int) -> float | None:
        return None
