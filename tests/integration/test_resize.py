"""More workers, fewer, and other ones, while tasks are queued; and waiting for all of them."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import psutil
import pytest

from tests.integration.conftest import WORK, Gate, Launch, worker_pids
from tests.support.waiting import wait_until
from wetlands.errors import (
    ConfigurationError,
    NotLaunchedError,
    PoolBrokenError,
    PoolClosedError,
    WetlandsError,
    WorkerLostError,
)
from wetlands.task import TaskStatus


def test_a_pool_grows(launch: Launch) -> None:
    env = launch()
    before = env.execute(WORK, "pid")
    env.resize(3)
    wait_until(lambda: env.worker_count == 3)
    assert before in worker_pids(env)


def test_new_workers_have_variables_of_their_own(launch: Launch) -> None:
    asked: list[int] = []

    def variables(number: int) -> dict[str, str]:
        asked.append(number)
        return {"NUMBER": str(number)}

    env = launch(worker_env=variables)
    env.resize(3)
    env.resize(1)
    env.resize(3)
    wait_until(lambda: env.worker_count == 3)
    assert asked == [0, 1, 2]  # once each, so that all workers of a number are alike
    tasks = [env.submit(WORK, "silent_for", (0.2,)) for _ in range(3)]
    assert [task.wait_for(5).status for task in tasks] == [TaskStatus.COMPLETED] * 3
    found = {env.execute(WORK, "variable", ("NUMBER",)) for _ in range(20)}
    assert found <= {"0", "1", "2"}


def test_a_pool_shrinks_without_losing_a_task(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=4)
    held = [env.submit(WORK, "hold", (gate.path, name)) for name in "abcd"]
    gate.wait_started(*"abcd")
    queued = env.map_tasks(WORK, "echo", range(50))
    env.resize(1)
    assert [task.status for task in held] == [TaskStatus.RUNNING] * 4
    gate.release(*"abcd")
    assert [task.wait_for(5).result for task in held] == list("abcd")
    assert [task.wait_for(5).result for task in queued] == list(range(50))
    wait_until(lambda: env.worker_count == 1)
    assert len(worker_pids(env)) == 1
    slots = {task.worker.slot for task in env.map_tasks(WORK, "echo", range(9)) if task.wait_for()}
    assert slots == {0}


def test_idle_workers_that_are_too_many_end(launch: Launch) -> None:
    env = launch(max_workers=3)
    pids = worker_pids(env)
    env.resize(1)
    wait_until(lambda: sum(psutil.pid_exists(pid) for pid in pids) == 1)
    assert env.worker_count == 1


def test_resizing_under_load_loses_nothing(launch: Launch) -> None:
    env = launch(max_workers=2)
    tasks = env.map_tasks(WORK, "echo", range(2000))
    for size in (4, 1, 3, 2):
        env.resize(size)
    assert [task.wait_for(20).result for task in tasks] == list(range(2000))
    wait_until(lambda: env.worker_count == 2)


@pytest.mark.parametrize("size", [0, -1, 1.5, "2", True])
def test_a_size_that_cannot_be_is_refused(launch: Launch, size: Any) -> None:
    env = launch()
    with pytest.raises(ConfigurationError, match="max_workers"):
        env.resize(size)


def test_more_workers_than_can_share_memory_are_refused(launch: Launch) -> None:
    env = launch()
    with pytest.raises(ConfigurationError, match="too many"):
        env.resize(100_000)
    assert env.worker_count == 1


# -- restart ---------------------------------------------------------------------------------------


def test_a_restart_replaces_every_worker_and_loses_no_task(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2)
    before = worker_pids(env)
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    queued = env.map_tasks(WORK, "pid", range(20))
    env.restart()
    gate.release()
    assert held.wait_for(5).result == "gate"
    assert {task.wait_for(10).status for task in queued} == {TaskStatus.COMPLETED}
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in before))
    wait_until(lambda: env.worker_count == 2)
    assert not before & worker_pids(env)


def test_a_restart_ends_what_workers_keep(launch: Launch) -> None:
    env = launch()
    proxy = env.execute(WORK, "echo", ([1],), result="proxy")
    pid = env.execute(WORK, "pid")
    env.restart()
    wait_until(lambda: not psutil.pid_exists(pid))
    with pytest.raises(WetlandsError, match=r"lost with its worker|Make the value again"):
        env.execute(WORK, "echo", (proxy,))


@pytest.mark.usefixtures("no_pauses")
def test_a_broken_pool_begins_again(launch: Launch, tmp_path: Any, gate: Gate) -> None:
    switch = tmp_path / "struct.py"  # hides the standard module from workers that start later
    env = launch(worker_env=lambda i: {"PYTHONPATH": str(tmp_path)})
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    switch.write_text("raise SystemExit('broken by the test')")
    os.kill(held.worker.pid, signal.SIGKILL)  # type: ignore[union-attr]
    assert isinstance(held.wait_for(5).exception, WorkerLostError)
    queued = env.submit(WORK, "echo", (1,))
    assert "kept dying" in (queued.wait_for(20).error or "")
    with pytest.raises(PoolBrokenError):
        env.resize(2)
    switch.unlink()
    env.restart()
    assert env.submit(WORK, "echo", (2,)).wait_for(10).result == 2


# -- drain -----------------------------------------------------------------------------------------


def test_drain_waits_for_all_that_was_started(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2)
    tasks = [env.submit(WORK, "hold", (gate.path, "a")), *env.map_tasks(WORK, "echo", range(50))]
    unstarted = env.submit(WORK, "echo", (1,), start=False)
    gate.wait_started("a")
    with pytest.raises(TimeoutError, match=r"not all tasks ended within 0\.1 s"):
        env.drain(timeout=0.1)
    timer = threading.Timer(0.1, gate.release, ("a",))
    timer.start()
    env.drain()
    timer.join()
    assert {task.status for task in tasks} == {TaskStatus.COMPLETED}
    assert unstarted.status is TaskStatus.PENDING
    env.drain()
    env.drain(timeout=0)


def test_drain_waits_for_tasks_that_are_tried_again(launch: Launch, tmp_path: Any) -> None:
    env = launch()
    task = env.submit(WORK, "trip", (str(tmp_path / "runs"), 2, "raise"), retries=2)
    env.drain(timeout=10)
    assert task.result == 3


def test_after_exit_nothing_can_be_changed(launch: Launch, manager: Any) -> None:
    import sys

    env = launch()
    env.exit()
    never = manager.load("never-launched", sys.executable)
    for call in (lambda e: e.resize(2), lambda e: e.restart(), lambda e: e.drain()):
        with pytest.raises(PoolClosedError):
            call(env)
        with pytest.raises(NotLaunchedError):
            call(never)
