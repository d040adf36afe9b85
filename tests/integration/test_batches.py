"""Calls of a short function that are queued behind each other go together, and nobody can tell."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest

from tests.integration.conftest import Launch
from tests.integration.test_ahead import held_up, make_quick, module
from tests.support.waiting import wait_until
from wetlands import Environment, Task, TaskStatus
from wetlands.errors import TaskAbandonedError, TaskTimeoutError, WorkerLostError
from wetlands.runtime.batch import Batch

__all__ = ["module"]  # the fixture


def batches(env: Environment) -> list[Batch]:
    """Return those that are queued, or with workers."""
    assert env._pool is not None
    return list(env._pool._driver.batches._batches.values())


def queued_behind(
    env: Environment, module: str, tmp_path: Path, function: str, *arguments: object
) -> tuple[list[Task], Path]:
    """Queue calls while the only worker is busy; return their tasks, and what to touch."""
    make_quick(env, module, function)
    _, gate = held_up(env, module, tmp_path, 1)
    tasks = [env.submit(module, function, (argument,)) for argument in arguments]
    assert env._pool is not None
    env._pool._host.loop.run_queued()  # which happens every so many submissions, or with news
    wait_until(lambda: sum(len(batch.entries) for batch in batches(env)) == len(tasks), 20)
    return tasks, gate


def test_what_is_queued_goes_in_few_messages_and_comes_back_in_order(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    before = env.execute(module, "ran_here")
    tasks, gate = queued_behind(env, module, tmp_path, "same", *range(1, 301))
    assert len(batches(env)) < 60
    gate.touch()
    assert [task.wait_for(20).result for task in tasks] == list(range(1, 301))
    ran = [x for x in env.execute(module, "ran_here")[len(before) :] if x]
    assert ran == list(range(1, 301))
    assert batches(env) == []


def test_each_ends_in_its_own_way(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    tasks, gate = queued_behind(
        env, module, tmp_path, "odd", *["raise", 1, "large", 2, "print"] * 9
    )
    gate.touch()
    for task in tasks:
        task.wait_for(20)
    assert {task.error for task in tasks[::5]} == {"ValueError: raise"}
    assert [task.result for task in tasks[1::5]] == [1] * 9
    assert [len(task.result) for task in tasks[2::5]] == [100_000] * 9
    assert [task.result for task in tasks[4::5]] == ["print"] * 9


def test_the_one_that_kills_the_worker_is_to_blame_and_those_behind_it_run_elsewhere(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    tasks, gate = queued_behind(env, module, tmp_path, "odd", 1, 2, "die", 3, 4)
    assert len(batches(env)) < 5
    gate.touch()
    assert isinstance(tasks[2].wait_for(20).exception, WorkerLostError)
    ran = [task.wait_for(20) for task in tasks if task is not tasks[2]]
    assert [task.result for task in ran] == [1, 2, 3, 4]
    first, *others = [task.worker.pid for task in ran if task.worker]
    assert others[0] == first
    assert first not in others[1:]


def test_what_waits_behind_a_slow_one_goes_to_whoever_is_idle(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    slow = tmp_path / "slow"
    tasks, gate = queued_behind(env, module, tmp_path, "odd", 1, str(slow), *range(2, 30))
    env.resize(2)
    gate.touch()
    assert [task.wait_for(20).result for task in tasks[2:]] == list(range(2, 30))
    assert tasks[0].wait_for(20).result == 1
    wait_until(lambda: tasks[1].status is TaskStatus.RUNNING, 20)
    assert tasks[1].started
    slow.touch()
    assert tasks[1].wait_for(20).result == str(slow)


def test_some_are_canceled_where_they_are_queued(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    tasks, gate = queued_behind(env, module, tmp_path, "same", *range(1, 61))
    for task in tasks[::2]:
        task.cancel()
        assert task.status is TaskStatus.CANCELED
    gate.touch()
    assert [task.wait_for(20).result for task in tasks[1::2]] == list(range(2, 61, 2))
    assert not {*range(1, 61, 2)} & {*env.execute(module, "ran_here")}


def test_all_of_a_batch_are_canceled(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    tasks, gate = queued_behind(env, module, tmp_path, "same", *range(1, 9))
    for task in tasks:
        task.cancel()
    assert batches(env) == []
    gate.touch()
    assert env.execute(module, "same", ("after",)) == "after"


@pytest.mark.parametrize("last", [True, False])
def test_one_is_canceled_that_the_worker_has_and_has_not_begun(
    launch: Launch, module: str, tmp_path: Path, last: bool
) -> None:
    env = launch()
    slow = tmp_path / "slow"
    tasks, gate = queued_behind(env, module, tmp_path, "odd", str(slow), 1, 2, 3)
    gate.touch()
    wait_until(lambda: tasks[0].status is TaskStatus.RUNNING, 20)
    canceled = tasks.pop(-1 if last else 1)
    canceled.cancel()
    assert canceled.status is TaskStatus.CANCELED
    slow.touch()
    results = [task.wait_for(20).result for task in tasks]
    assert results == [str(slow), *([1, 2] if last else [2, 3])]


def test_the_running_one_is_ended_by_force_and_no_other(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    slow = tmp_path / "slow"
    tasks, gate = queued_behind(env, module, tmp_path, "odd", 1, str(slow), 2, 3)
    gate.touch()
    wait_until(lambda: tasks[1].status is TaskStatus.RUNNING, 20)
    tasks[1].cancel(force_after=0.01)
    assert tasks[1].wait_for(20).status is TaskStatus.CANCELED
    assert [tasks[i].wait_for(20).result for i in (0, 2, 3)] == [1, 2, 3]


def test_a_silent_one_is_ended_and_no_other(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch(worker_timeout=1.0)
    tasks, gate = queued_behind(env, module, tmp_path, "odd", 1, str(tmp_path / "never"), 2, 3)
    gate.touch()
    assert isinstance(tasks[1].wait_for(20).exception, TaskTimeoutError)
    assert [tasks[i].wait_for(20).result for i in (0, 2, 3)] == [1, 2, 3]


def test_exit_ends_all_of_them(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    slow = str(tmp_path / "slow")
    tasks, gate = queued_behind(env, module, tmp_path, "odd", 1, slow, *range(2, 200))
    gate.touch()
    wait_until(lambda: tasks[1].status is TaskStatus.RUNNING, 20)
    env.exit(grace=0.05)
    assert tasks[0].result == 1
    errors = [task.exception for task in tasks[1:]]
    assert {type(error) for error in errors} == {TaskAbandonedError}
    assert "was stopped" in str(errors[0])
    assert "still queued" in str(errors[1])


def test_listeners_hear_of_every_one(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    tasks, gate = queued_behind(env, module, tmp_path, "same", *range(1, 40))
    heard: dict[Task, list[str]] = {task: [] for task in tasks}
    over = threading.Semaphore(0)
    for task in tasks:

        def note(event, heard=heard[task]):
            heard.append(event.type.name)
            if event.type.name == "COMPLETION":
                over.release()

        task.listen(note)
    gate.touch()
    for _ in tasks:
        assert over.acquire(timeout=20)
    assert all(events == ["STARTED", "COMPLETION"] for events in heard.values())
    for task in tasks:
        times = task.timings
        assert times.submitted <= times.started <= times.finished
        assert task.worker is not None


def test_functions_that_take_the_handle_have_one_each(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    tasks, gate = queued_behind(env, module, tmp_path, "told", *range(1, 40))
    gate.touch()
    for number, task in enumerate(tasks, start=1):
        assert task.wait_for(20).result == number
        assert (task.message, task.current, task.outputs["x"]) == (str(number), number, number)


def test_draining_waits_for_those_that_come_back(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    tasks, gate = queued_behind(env, module, tmp_path, "odd", 1, "die", *range(2, 20))
    gate.touch()
    env.drain(20)
    assert all(task.status.is_finished() for task in tasks)


def test_where_the_queue_is_limited_they_leave_it_when_they_are_sent(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch(max_queued=20)
    tasks, gate = queued_behind(env, module, tmp_path, "same", *range(1, 21))
    gate.touch()
    tasks += [env.submit(module, "same", (i,)) for i in range(21, 200)]
    assert [task.wait_for(20).result for task in tasks] == list(range(1, 200))


def test_a_worker_hears_after_a_batch_what_it_need_not_keep(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    proxy = env.submit(module, "odd", (0,), result="proxy").wait_for(20).result
    slow = tmp_path / "slow"
    tasks, gate = queued_behind(env, module, tmp_path, "odd", str(slow), 1)
    gate.touch()
    wait_until(lambda: tasks[0].status is TaskStatus.RUNNING, 20)
    assert env._pool is not None
    (link,) = env._pool._driver._workers.values()
    proxy.release()
    wait_until(lambda: link.dropped, 20)
    slow.touch()
    for task in tasks:
        task.wait_for(20)
    wait_until(lambda: not link.dropped, 20)


def test_other_functions_and_options_keep_their_place_between_them(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    make_quick(env, module, "same")
    _, gate = held_up(env, module, tmp_path, 1)
    tasks = []
    for i in range(1, 31):
        timeout = 20.0 if i % 10 == 0 else None
        tasks.append(env.submit(module, "same", (i,), timeout=timeout, retries=int(i % 7 == 0)))
    gate.touch()
    assert [task.wait_for(20).result for task in tasks] == list(range(1, 31))
    assert [x for x in env.execute(module, "ran_here") if x] == list(range(1, 31))


def test_a_module_that_breaks_fails_each_of_them(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    tasks, gate = queued_behind(env, module, tmp_path, "same", *range(1, 9))
    Path(module).write_text("def same(:\n")
    gate.touch()
    assert ["invalid syntax" in str(task.wait_for(20).error) for task in tasks] == [True] * 8


def test_a_large_call_is_sent_by_itself(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    texts = ["x" * size for size in (10, 9000, 3000, 3000, 3000, 3000, 3000, 10)]
    make_quick(env, module, "same")
    _, gate = held_up(env, module, tmp_path, 1)
    tasks = [env.submit(module, "same", (text,)) for text in texts]
    gate.touch()
    assert [task.wait_for(20).result for task in tasks] == texts
    assert math.isfinite(env._pool._driver.core.paces.expect("ahead_module.py:same"))  # type: ignore[union-attr]
