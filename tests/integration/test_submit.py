"""Submitting: what a task is, what it goes through, what its function gets."""

from __future__ import annotations

import functools
import os
import statistics
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ConfigurationError, SerializationError
from wetlands.task import InvalidStateError, TaskStatus


def test_a_submitted_task_starts_at_once_and_completes(env: Environment) -> None:
    task = env.submit(WORK, "add", args=(1, 2), kwargs={"c": 3})
    assert task.wait_for(5) is task
    assert (task.status, task.result) == (TaskStatus.COMPLETED, 6)


def test_submit_returns_while_the_function_runs(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold", args=(gate.path,))
    gate.wait_started()
    assert task.status is TaskStatus.RUNNING
    assert not task.status.is_finished()
    gate.release()
    assert task.wait_for(5).status.is_finished()


def test_a_task_with_start_false_stays_pending_until_start(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "count_call", args=(gate.path,), start=False)
    env.execute(WORK, "echo", (1,))
    assert task.status is TaskStatus.PENDING
    assert not os.listdir(gate.path)
    assert task.start() is task
    assert task.wait_for(5).result == 0


def test_starting_twice_runs_the_function_once(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "count_call", args=(gate.path,))
    task.start().start()
    task.wait_for(5)
    task.start()
    env.execute(WORK, "echo", (1,))
    assert len(os.listdir(gate.path)) == 1


def test_start_from_many_threads_runs_the_function_once(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "count_call", args=(gate.path,), start=False)
    threads = [threading.Thread(target=task.start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    task.wait_for(5)
    env.execute(WORK, "echo", (1,))
    assert len(os.listdir(gate.path)) == 1


def test_a_queued_task_is_pending(env: Environment, gate: Gate) -> None:
    running = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
    gate.wait_started("a", "b")
    queued = env.submit(WORK, "echo", (1,))
    assert queued.status is TaskStatus.PENDING
    assert queued.worker is None
    gate.release("a", "b")
    assert queued.wait_for(5).result == 1
    assert {task.wait_for(5).worker.slot for task in running} == {0, 1}  # type: ignore[union-attr]


def test_tasks_run_in_the_order_of_submission(launch: Launch, gate: Gate) -> None:
    # Of several workers, one may be a moment behind with the short tasks that it was sent.
    env = launch()
    blocker = env.submit(WORK, "hold", (gate.path, "a"))
    tasks = [env.submit(WORK, "echo", (i,)) for i in range(20)]
    gate.release("a")
    for task in [blocker, *tasks]:
        task.wait_for(5)
    started = [task.timings.started for task in tasks]
    assert started == sorted(started)  # type: ignore[type-var]


def test_two_workers_run_two_tasks_at_the_same_time(env: Environment, gate: Gate) -> None:
    tasks = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
    gate.wait_started("a", "b")  # neither ends before the other has begun
    gate.release("a", "b")
    assert len({task.wait_for(5).worker.pid for task in tasks}) == 2  # type: ignore[union-attr]


def test_an_id_is_a_uuid4_and_unique(env: Environment) -> None:
    ids = {task.id for task in env.map_tasks(WORK, "echo", range(20))}
    assert len(ids) == 20
    assert {uuid.UUID(found).version for found in ids} == {4}


def test_result_never_blocks(env: Environment, gate: Gate) -> None:
    waiting = env.submit(WORK, "echo", (1,), start=False)
    running = env.submit(WORK, "hold", (gate.path,))
    for task in (waiting, running):
        with pytest.raises(InvalidStateError, match=task.status.value):
            _ = task.result
    gate.release()
    waiting.cancel()
    with pytest.raises(InvalidStateError, match="canceled"):
        _ = waiting.result
    failed = env.submit(WORK, "fail", ("my reason",)).wait_for(5)
    with pytest.raises(InvalidStateError, match="my reason"):
        _ = failed.result


def test_properties_of_a_task_that_has_reported_nothing(env: Environment) -> None:
    task = env.submit(WORK, "echo", (1,)).wait_for(5)
    assert (task.message, task.current, task.maximum, task.progress) == (None,) * 4
    assert (task.error, task.exception, task.traceback) == (None, None, None)
    assert task.outputs == {}


def test_timings_are_in_order_and_the_worker_is_named(env: Environment) -> None:
    task = env.submit(WORK, "pid", start=False)
    assert task.timings == (None, None, None)
    task.start().wait_for(5)
    submitted, started, finished = task.timings
    assert submitted is not None
    assert started is not None
    assert finished is not None
    assert submitted <= started <= finished
    assert task.worker is not None
    assert task.worker.pid == task.result
    assert task.worker.slot in (0, 1)


# -- the parameter named task ----------------------------------------------------------------------


def test_a_function_that_declares_task_gets_a_handle(env: Environment) -> None:
    assert env.execute(WORK, "takes_task") == "RemoteTaskHandle"


def test_a_task_parameter_may_be_positional(env: Environment) -> None:
    assert env.execute(WORK, "takes_task_first", kwargs={"value": 2}) == ("RemoteTaskHandle", 2)


def test_a_function_without_task_gets_nothing(env: Environment) -> None:
    assert env.execute(WORK, "takes_no_task", (5,), {"other": 1}) == (5, ["other"])


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {"task": "mine", "value": 1}), (("mine", 1), {})]
)
def test_a_task_that_the_caller_gives_is_the_callers(
    env: Environment, args: Any, kwargs: Any
) -> None:
    assert env.execute(WORK, "takes_task_first", args, kwargs) == ("str", 1)


# -- what is run -----------------------------------------------------------------------------------


def test_a_target_may_be_a_path_or_a_string(env: Environment) -> None:
    assert env.execute(WORK, "echo", (1,)) == 1
    assert env.execute(str(WORK), "echo", (2,)) == 2


def test_a_relative_path_is_meant_as_the_host_sees_it(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(WORK.parent)
    assert env.execute("work.py", "echo", (1,)) == 1


def test_a_target_may_be_an_importable_module(env: Environment) -> None:
    assert env.execute("statistics", "mean", ([1, 2, 3],)) == 2
    assert env.execute("os.path", "join", ("a", "b")) == "a/b"


def test_a_target_may_be_a_function_of_an_installed_module(env: Environment) -> None:
    assert env.execute(statistics.mean, args=([1, 2, 3],)) == 2
    assert env.execute(os.getpid) != os.getpid()


def test_a_function_may_be_a_method_of_a_class(env: Environment) -> None:
    assert env.execute("pathlib", "Path.cwd") == Path.cwd()


def test_a_target_may_be_a_lambda_or_a_closure_between_equal_minors(env: Environment) -> None:
    factor = 3
    assert env.execute(lambda x: x * factor, args=(4,)) == 12
    assert env.execute(functools.partial(max, 5), args=(4,)) == 5
    assert env.execute([1, 2].index, args=(2,)) == 1


def test_a_closure_may_take_a_handle(env: Environment) -> None:
    def remote(*, task: Any = None) -> None:
        task.update("from a closure")

    assert env.submit(remote).wait_for(5).message == "from a closure"


def test_a_callable_that_holds_a_lock_is_refused_at_submit(env: Environment) -> None:
    lock = threading.Lock()
    with pytest.raises(SerializationError, match="lock") as caught:
        env.submit(lambda: lock)
    assert caught.value.where == "target"


def test_a_callable_and_a_name_are_too_much(env: Environment) -> None:
    with pytest.raises(ConfigurationError, match="either"):
        env.submit(os.getpid, "getpid")


def test_module_state_lives_as_long_as_its_worker(env: Environment) -> None:
    marker = uuid.uuid4().hex
    grown = [env.execute(WORK, "remember", (marker,)).count(marker) for _ in range(5)]
    assert max(grown) > 1


def test_tasks_run_on_the_main_thread_in_the_hosts_folder(env: Environment) -> None:
    assert env.execute(WORK, "on_main_thread")
    assert env.execute(WORK, "folder") == os.getcwd()


def test_workers_run_the_python_of_the_environment(env: Environment) -> None:
    executable, version, prefix = env.execute(WORK, "interpreter")
    assert os.path.samefile(executable, sys.executable)
    assert version == sys.version_info[:2]
    assert prefix == sys.prefix


def test_concurrent_submitters_get_their_own_results(env: Environment) -> None:
    wrong: list[Any] = []

    def submit(base: int) -> None:
        values = range(base, base + 50)
        wrong.extend(value for value in values if env.execute(WORK, "echo", (value,)) != value)

    threads = [threading.Thread(target=submit, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_blocking_calls_of_several_threads_run_at_the_same_time(
    env: Environment, gate: Gate
) -> None:
    threads = [
        threading.Thread(target=env.execute, args=(WORK, "hold", (gate.path, name)))
        for name in ("a", "b")
    ]
    for thread in threads:
        thread.start()
    gate.wait_started("a", "b")
    gate.release("a", "b")
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_worker_count_says_how_many_are_alive(env: Environment) -> None:
    assert env.worker_count == 2
    wait_until(lambda: env.worker_count == 2)
    assert env.launched()
