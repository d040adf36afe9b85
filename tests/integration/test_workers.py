"""What workers are doing, asked for."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.integration.conftest import WORK, Gate, Launch, worker_pids
from tests.support.waiting import wait_until
from wetlands import Environment, EnvironmentManager, WorkerInfo, WorkerStatus
from wetlands.errors import ConfigurationError


def test_idle_workers_are_idle(env: Environment) -> None:
    wait_until(lambda: {worker.status for worker in env.workers(0)} == {WorkerStatus.IDLE})
    workers = env.workers(0)
    assert [worker.slot for worker in workers] == [0, 1]
    assert {worker.pid for worker in workers} == worker_pids(env)
    assert {(worker.task, worker.silence, worker.cpu) for worker in workers} == {(None, None, None)}


def test_a_busy_one_has_its_task_and_waits(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    (busy,) = [worker for worker in env.workers(0.2) if worker.status is WorkerStatus.BUSY]
    assert (busy.task, busy.slot, busy.pid) == (task, *task.worker)  # type: ignore[misc]
    assert busy.silence is not None
    assert busy.silence > 0
    assert busy.cpu is not None
    assert busy.cpu < 0.8  # it looks for a file now and then
    gate.release()
    task.wait_for(5)


def test_what_a_task_says_ends_its_silence(launch: Launch) -> None:
    env = launch()
    task = env.submit(WORK, "chatter", (5, 0.01))
    wait_until(lambda: task.worker is not None and _only(env).silence is not None)
    wait_until(lambda: _age(task.timings.started) > 0.2)
    found = [_only(env).silence for _ in range(10)]
    assert min(seconds for seconds in found if seconds is not None) < 0.15
    assert None not in found, "it has not ended meanwhile"
    task.cancel(force_after=0)


def test_code_that_holds_the_gil_is_seen_to_be_silent_and_at_work(launch: Launch) -> None:
    env = launch()

    def compute() -> int:
        return sum(range(10**10))

    task = env.submit(compute)
    wait_until(lambda: (_only(env).silence or 0.0) > 0.2)
    busy = env.workers(0.3)[0]
    assert (busy.status, busy.task) == (WorkerStatus.BUSY, task)
    assert busy.cpu is not None
    assert busy.cpu > 0.1  # others want the processor, too
    task.cancel(force_after=0)


def test_one_that_a_signal_has_stopped_is_seen_to_be(launch: Launch) -> None:
    env = launch()
    pid = env.execute(WORK, "pid")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: _only(env).status is WorkerStatus.STOPPED)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: _only(env).status is WorkerStatus.IDLE)


def test_those_that_start_and_end_are_there_too(launch: Launch, tmp_path: Path) -> None:
    env = launch(max_workers=1)
    statuses: set[WorkerStatus] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            statuses.update(worker.status for worker in env.workers(0))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        env.restart()
        wait_until(lambda: WorkerStatus.STARTING in statuses and env.worker_count == 1)
    finally:
        over.set()
        thread.join()
    assert statuses >= {WorkerStatus.ENDING, WorkerStatus.STARTING}


def test_without_workers_there_are_none(manager: EnvironmentManager, launch: Launch) -> None:
    env = launch()
    env.exit()
    assert env.workers() == []


@pytest.mark.parametrize("value", [None, -1, "1"])
def test_an_interval_that_cannot_be_right_is_refused(env: Environment, value: float) -> None:
    with pytest.raises(ConfigurationError, match="interval must be"):
        env.workers(value)


def _only(env: Environment) -> WorkerInfo:
    (worker,) = env.workers(0)
    return worker


def _age(started: float | None) -> float:
    return 0.0 if started is None else time.monotonic() - started
