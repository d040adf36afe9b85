"""Adapters of pools that are made for many machines, here on one."""

from __future__ import annotations

import logging
import os
import tempfile
from typing import Any

from benchmarks import work
from benchmarks.peers.adapter import Adapter


class Parsl(Adapter):
    """Parsl's high-throughput executor."""

    name = "Parsl"
    requirements = ("parsl",)

    def start(self, workers: int) -> None:
        import parsl
        from parsl.config import Config
        from parsl.executors import HighThroughputExecutor

        executor = HighThroughputExecutor(
            label="measured", address="127.0.0.1", max_workers_per_node=workers, cores_per_worker=1
        )
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._kernel = parsl.load(Config(executors=[executor], run_dir=self._folder.name))
        self._noop = parsl.python_app(work.noop)

    def stop(self) -> None:
        import parsl

        self._kernel.cleanup()
        parsl.clear()
        self._folder.cleanup()

    def submit(self, value: Any) -> Any:
        return self._noop(value)


class Dask(Adapter):
    """Dask's scheduler with local worker processes."""

    name = "Dask"
    requirements = ("distributed",)
    note = "no function is taken for pure, or equal calls would be one"

    def start(self, workers: int) -> None:
        from distributed import Client, LocalCluster

        self._cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        )
        self._client = Client(self._cluster)

    def stop(self) -> None:
        self._client.close()
        self._cluster.close()

    def submit(self, value: Any) -> Any:
        return self._client.submit(work.noop, value, pure=False)

    def mapped(self, count: int) -> list[Any]:
        return list(self._client.gather(self._client.map(work.noop, range(count), pure=False)))


class Ray(Adapter):
    """Ray's tasks."""

    name = "Ray"
    requirements = ("ray",)

    def start(self, workers: int) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=200_000_000,
        )
        self._ray: Any = ray
        self._noop: Any = ray.remote(work.noop)

    def stop(self) -> None:
        self._ray.shutdown()

    def submit(self, value: Any) -> Any:
        return self._noop.remote(value)

    def result(self, handle: Any) -> Any:
        return self._ray.get(handle)
