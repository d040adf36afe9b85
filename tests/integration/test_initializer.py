"""The initializer: once in every worker, before its first task, and a part of its start."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Launch, worker_pids
from tests.support.waiting import wait_until
from wetlands.errors import PoolBrokenError, SerializationError, WorkerLostError, WorkerStartError


def note(folder: str, *more: Any) -> None:
    """Leave a file with the worker's number, and a mark in its memory."""
    with open(os.path.join(folder, str(os.getpid())), "a") as file:
        file.write("x")
    import builtins

    builtins.INITIALIZED = list(more)  # type: ignore[attr-defined]


def seen() -> Any:
    import builtins

    return builtins.INITIALIZED  # type: ignore[attr-defined]


def runs(folder: Path) -> dict[int, int]:
    return {int(path.name): len(path.read_text()) for path in folder.iterdir()}


def test_it_runs_once_in_every_worker_before_its_first_task(launch: Launch, tmp_path: Path) -> None:
    env = launch(max_workers=2, initializer=note, initargs=(str(tmp_path), 1, "two"))
    pids = worker_pids(env)
    assert runs(tmp_path) == dict.fromkeys(pids, 1)
    tasks = [env.submit(seen) for _ in range(10)]
    assert [task.wait_for(5).result for task in tasks] == [[1, "two"]] * 10


def test_it_runs_in_replacements_too(launch: Launch, tmp_path: Path) -> None:
    env = launch(initializer=note, initargs=(str(tmp_path),), max_tasks_per_worker=3)
    victim = env.execute(WORK, "pid")
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(runs(tmp_path)) == 2)
    pids = {task.wait_for(10).result for task in env.map_tasks(WORK, "pid", range(7))}
    assert len(pids) == 3
    assert runs(tmp_path).items() >= dict.fromkeys(pids, 1).items()


def test_one_that_fails_is_a_start_failure_with_its_traceback(launch: Launch) -> None:
    def explode() -> None:
        raise RuntimeError("the model is not there")

    with pytest.raises(WorkerStartError, match="the model is not there") as caught:
        launch(initializer=explode)
    text = str(caught.value)
    assert "its initializer failed: RuntimeError" in text
    assert "in explode" in text


def test_one_that_dies_is_a_start_failure(launch: Launch) -> None:
    with pytest.raises(WorkerStartError, match="SIGKILL"):
        launch(initializer=os.kill, initargs=(0, signal.SIGKILL))


def test_one_that_takes_too_long_is_a_start_failure(launch: Launch) -> None:
    import time

    with pytest.raises(WorkerStartError, match="did not say hello within"):
        launch(initializer=time.sleep, initargs=(60,), startup_timeout=1.5)


@pytest.mark.usefixtures("no_pauses")
def test_one_that_fails_in_replacements_breaks_the_pool(launch: Launch, tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    def prepare(path: str) -> None:
        if os.path.exists(path):
            raise RuntimeError("no second time")

    env = launch(initializer=prepare, initargs=(str(flag),))
    flag.touch()
    assert isinstance(env.submit(WORK, "die", ("exit 1",)).wait_for(5).exception, WorkerLostError)
    error = env.submit(WORK, "echo", (1,)).wait_for(30).error or ""
    assert "no second time" in error
    with pytest.raises(PoolBrokenError, match="no second time"):
        env.submit(WORK, "echo", (1,))


def test_what_cannot_be_sent_is_named_and_nothing_is_left(launch: Launch) -> None:
    import threading

    with pytest.raises(SerializationError):
        launch(initializer=note, initargs=(threading.Lock(),))


def test_a_large_argument_is_there_for_every_worker(launch: Launch) -> None:
    np = pytest.importorskip("numpy")
    array = np.arange(500_000)

    def keep(values: Any) -> None:
        import builtins

        builtins.INITIALIZED = int(values.sum())  # type: ignore[attr-defined]

    env = launch(max_workers=2, initializer=keep, initargs=(array,), max_tasks_per_worker=2)
    results = [task.wait_for(20).result for task in [env.submit(seen) for _ in range(8)]]
    assert results == [int(array.sum())] * 8
