"""Ending an environment's workers."""

from __future__ import annotations

import threading
import time
from typing import Any

import psutil
import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.processes import runs
from tests.support.waiting import best_is_below, wait_until
from wetlands.errors import ConfigurationError, PoolClosedError, TaskAbandonedError
from wetlands.task import TaskEventType, TaskStatus


def test_exit_is_quick_when_nothing_runs(launch: Launch) -> None:
    def seconds() -> float:
        env = launch(max_workers=2)
        begin = time.monotonic()
        env.exit()
        passed = time.monotonic() - begin
        assert env.worker_count == 0
        assert not env.launched()
        return passed

    assert best_is_below(1.0, seconds)


@pytest.mark.parametrize("function", ["hold", "hold_gil_from"])
def test_exit_is_bounded_while_a_function_runs(launch: Launch, gate: Gate, function: str) -> None:
    env = launch()
    task = env.submit(WORK, function, (gate.path,))
    gate.wait_started("gil" if "gil" in function else "gate")
    begin = time.monotonic()
    env.exit(grace=0.2)
    assert time.monotonic() - begin < 2.0
    assert task.status is TaskStatus.FAILED
    assert isinstance(task.exception, TaskAbandonedError)
    assert "'own' is shutting down" in (task.error or "")
    assert not psutil.pid_exists(task.worker.pid)  # type: ignore[union-attr]


def test_running_tasks_are_asked_to_stop(launch: Launch, gate: Gate) -> None:
    env = launch()
    polite = env.submit(WORK, "hold_politely", (gate.path,))
    gate.wait_started()
    begin = time.monotonic()
    env.exit(grace=30)
    assert time.monotonic() - begin < 5
    assert polite.status is TaskStatus.CANCELED


def test_a_task_that_ends_within_the_grace_keeps_its_result(launch: Launch, gate: Gate) -> None:
    env = launch()
    task = env.submit(WORK, "ignore_cancel")
    wait_until(lambda: task.status is TaskStatus.RUNNING)
    env.exit(grace=30)
    assert task.result is True


def test_queued_and_unstarted_tasks_fail_and_say_why(launch: Launch, gate: Gate) -> None:
    env = launch()
    running = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    kinds: list[TaskEventType] = []
    waiting = [
        *env.map_tasks(WORK, "echo", range(3)),
        env.submit(WORK, "echo", (1,), start=False),
    ]
    for task in waiting:
        task.listen(lambda event: kinds.append(event.type))
    env.exit(grace=0)
    for task in [*waiting, running]:
        assert task.wait_for(1).status is TaskStatus.FAILED
        assert isinstance(task.exception, TaskAbandonedError)
        assert "shutting down" in (task.error or "")
    assert all("queued" in (task.error or "") for task in waiting)
    wait_until(lambda: kinds == [TaskEventType.FAILURE] * 4)


def test_after_exit_submitting_and_starting_raise(launch: Launch) -> None:
    env = launch()
    unstarted = env.submit(WORK, "echo", (1,), start=False)
    env.exit()
    for call in (
        lambda: env.submit(WORK, "echo", (1,)),
        lambda: env.submit_script(WORK),
        lambda: env.map(WORK, "echo", [1]),
        lambda: env.map_tasks(WORK, "echo", [1]),
        lambda: env.execute(WORK, "echo", (1,)),
    ):
        with pytest.raises(PoolClosedError, match="launch"):
            call()
    unstarted.start()  # it has ended, hence this does nothing
    unstarted.cancel()
    assert unstarted.status is TaskStatus.FAILED


def test_exit_may_be_called_again_and_from_many_threads(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2)
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    pid = task.worker.pid  # type: ignore[union-attr]
    gone: list[bool] = []

    def leave() -> None:
        env.exit(grace=0.1)
        gone.append(not psutil.pid_exists(pid))

    threads = [threading.Thread(target=leave) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert gone == [True] * 4  # each returned when no worker was left
    env.exit()
    env.exit()


def test_a_second_exit_may_shorten_the_grace(launch: Launch, gate: Gate) -> None:
    env = launch()
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    patient = threading.Thread(target=env.exit, args=(60,))
    patient.start()
    wait_until(lambda: not env.launched())
    env.exit(grace=0)
    patient.join(5)
    assert not patient.is_alive()
    assert task.status is TaskStatus.FAILED


def test_a_listener_may_exit_its_own_environment(launch: Launch) -> None:
    env = launch()
    done = threading.Event()

    def leave(event: Any) -> None:
        if event.type is TaskEventType.COMPLETION:
            env.exit()
            done.set()

    task = env.submit(WORK, "echo", (1,), start=False).listen(leave).start()
    assert done.wait(5)
    assert task.result == 1
    assert env.worker_count == 0


def test_who_exited_has_seen_the_last_event(launch: Launch) -> None:
    env, other = launch(), launch(name="other")
    begun, seen = threading.Event(), threading.Event()
    order: list[str] = []

    def listen(event: Any) -> None:
        if event.type is TaskEventType.COMPLETION:
            begun.set()
            seen.wait(10)
            order.append("event")

    def leave() -> None:
        env.exit()
        order.append("exited")

    env.submit(WORK, "echo", (1,), start=False).listen(listen).start()
    assert begun.wait(10)
    leaving = threading.Thread(target=leave)
    leaving.start()
    leaving.join(0.1)  # it may take no longer than a second, for the sake of the other's listeners
    seen.set()
    leaving.join(10)
    assert order == ["event", "exited"]
    assert other.execute(WORK, "echo", (1,)) == 1


def test_exit_right_after_submitting_ends_every_task(launch: Launch) -> None:
    env = launch(max_workers=2)
    for _ in range(5):
        env.launch(max_workers=2)
        tasks = env.map_tasks(WORK, "echo", range(200))
        env.exit(grace=0)
        for task in tasks:
            task.wait_for(1)
        assert {task.status for task in tasks} <= {TaskStatus.COMPLETED, TaskStatus.FAILED}


def test_submitting_while_another_thread_exits_never_hangs(launch: Launch) -> None:
    for _ in range(5):
        env = launch(max_workers=2)
        tasks: list[Any] = []
        refused: list[BaseException] = []

        def submit(env: Any = env, tasks: Any = tasks, refused: Any = refused) -> None:
            try:
                while True:
                    tasks.append(env.submit(WORK, "echo", (1,)))
            except PoolClosedError as error:
                refused.append(error)

        threads = [threading.Thread(target=submit) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda tasks=tasks: len(tasks) > 50)
        env.exit(grace=0)
        for thread in threads:
            thread.join(5)
        assert len(refused) == 3
        for task in tasks:
            assert task.wait_for(1).status.is_finished()


def test_exit_ends_what_a_task_started(launch: Launch) -> None:
    env = launch()
    child = env.execute(WORK, "start_child")
    env.exit()
    wait_until(lambda: not runs(child), timeout=2)


def test_exit_while_a_worker_is_being_replaced(launch: Launch) -> None:
    for _ in range(3):
        env = launch(max_workers=2)
        env.submit(WORK, "die", ("SIGKILL",)).wait_for(5)
        env.exit()
        assert env.worker_count == 0


@pytest.mark.parametrize("grace", [-1, "1", float("nan")])
def test_an_impossible_grace_is_refused(launch: Launch, grace: Any) -> None:
    env = launch()
    with pytest.raises(ConfigurationError, match="grace"):
        env.exit(grace=grace)
    assert env.execute(WORK, "echo", (1,)) == 1


def test_exit_without_launch_does_nothing(manager: Any) -> None:
    import sys

    env = manager.load("never", sys.executable)
    env.exit()
    env.exit()


def test_threads_sockets_and_folders_go_with_the_last_environment(manager: Any) -> None:
    import sys

    # The fixture that checks every test for leaks does the work.
    envs = [manager.load(name, sys.executable) for name in ("one", "two")]
    for env in envs:
        env.launch()
    for env in envs:
        env.exit()
    assert not [t for t in threading.enumerate() if t.name.startswith("wetlands")]
