"""Cancelling: what is asked, what becomes of it, and that it touches one task alone."""

from __future__ import annotations

import random
import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ConfigurationError
from wetlands.task import TaskEventType, TaskStatus


def test_a_function_that_acknowledges_is_canceled(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold_politely", (gate.path,))
    gate.wait_started()
    task.cancel()
    assert task.wait_for(5).status is TaskStatus.CANCELED
    assert task.error is None
    assert task.exception is None


def test_a_function_that_returns_without_acknowledging_is_completed(env: Environment) -> None:
    task = env.submit(WORK, "ignore_cancel")
    wait_until(lambda: task.status is TaskStatus.RUNNING)
    task.cancel()
    assert task.wait_for(5).result is True  # it was asked, and went on
    assert task.status is TaskStatus.COMPLETED


def test_what_a_function_raises_after_acknowledging_is_dropped(env: Environment) -> None:
    assert env.submit(WORK, "cancel_and_raise").wait_for(5).status is TaskStatus.CANCELED


def test_a_function_may_cancel_itself_unasked(env: Environment) -> None:
    assert env.submit(WORK, "cancel_unasked").wait_for(5).status is TaskStatus.CANCELED


def test_a_queued_task_is_canceled_at_once_and_never_runs(env: Environment, gate: Gate) -> None:
    for name in ("a", "b"):
        env.submit(WORK, "hold", (gate.path, name))
    gate.wait_started("a", "b")
    kinds: list[TaskEventType] = []
    task = env.submit(WORK, "hold", (gate.path, "never"), start=False)
    task.listen(lambda event: kinds.append(event.type)).start()
    task.cancel()
    assert task.status is TaskStatus.CANCELED
    gate.release("a", "b")
    env.execute(WORK, "echo", (1,))
    assert not gate.has_started("never")
    wait_until(lambda: kinds == [TaskEventType.CANCELATION])


def test_a_task_that_was_not_started_is_canceled_at_once_for_good(
    env: Environment, gate: Gate
) -> None:
    kinds: list[TaskEventType] = []
    task = env.submit(WORK, "hold", (gate.path,), start=False)
    task.listen(lambda event: kinds.append(event.type)).cancel()
    assert task.wait_for(1).status is TaskStatus.CANCELED
    task.start()
    env.execute(WORK, "echo", (1,))
    assert not gate.has_started()
    assert kinds == [TaskEventType.CANCELATION]


def test_cancelling_twice_or_after_the_end_changes_nothing(env: Environment) -> None:
    done = env.submit(WORK, "echo", (1,)).wait_for(5)
    done.cancel()
    assert (done.status, done.result) == (TaskStatus.COMPLETED, 1)
    asked = env.submit(WORK, "wait_until_asked")
    wait_until(lambda: asked.status is TaskStatus.RUNNING)
    asked.cancel()
    asked.cancel()
    asked.wait_for(5).cancel()
    assert asked.status is TaskStatus.CANCELED


def test_a_cancel_that_comes_right_after_submit_is_not_lost(env: Environment) -> None:
    for _ in range(200):
        task = env.submit(WORK, "wait_until_asked")
        task.cancel()
        assert task.wait_for(5).status is TaskStatus.CANCELED


def test_the_worker_goes_on_with_the_next_task(env: Environment) -> None:
    for i in range(20):
        task = env.submit(WORK, "wait_until_asked")
        task.cancel()
        assert env.execute(WORK, "echo", (i,)) == i
        task.wait_for(5)


def test_canceling_one_task_asks_no_other(env: Environment, gate: Gate) -> None:
    asked = env.submit(WORK, "hold_politely", (gate.path, "a"))
    other = env.submit(WORK, "hold_politely", (gate.path, "b"))
    gate.wait_started("a", "b")
    asked.cancel()
    asked.wait_for(5)
    gate.release("b")
    assert other.wait_for(5).result == "b"


def test_a_stale_cancel_does_not_reach_the_next_task_of_the_worker(env: Environment) -> None:
    def asked(*, task: Any = None) -> bool:
        return bool(task.cancel_requested)

    generator = random.Random(7)
    for _ in range(300):
        task = env.submit(WORK, "echo", (1,))
        if generator.random() < 0.5:
            threading.Thread(target=task.cancel).start()
        assert env.execute(asked) is False


# -- by force --------------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [0, 0.2])
def test_force_after_ends_a_task_that_does_not_listen(
    launch: Launch, gate: Gate, patience: float
) -> None:
    env = launch(max_workers=2)
    kinds: list[TaskEventType] = []
    task = env.submit(WORK, "hold", (gate.path,), start=False)
    task.listen(lambda event: kinds.append(event.type)).start()
    gate.wait_started()
    other = env.submit(WORK, "hold", (gate.path, "other"))
    task.cancel(force_after=patience)
    assert task.wait_for(5).status is TaskStatus.CANCELED
    assert kinds == [TaskEventType.STARTED, TaskEventType.CANCELATION]
    gate.release("other")
    assert other.wait_for(5).result == "other"
    wait_until(lambda: env.worker_count == 2)
    assert task.worker is not None
    assert task.worker.pid not in [t.wait_for(5).result for t in env.map_tasks(WORK, "pid", "abcd")]


def test_force_after_ends_code_that_holds_the_gil(launch: Launch, gate: Gate) -> None:
    env = launch()
    task = env.submit(WORK, "hold_gil_from", (gate.path,))
    gate.wait_started("gil")
    task.cancel(force_after=0.1)
    assert task.wait_for(5).status is TaskStatus.CANCELED
    assert env.execute(WORK, "echo", (1,)) == 1


def test_force_after_spares_a_task_that_listens(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold_politely", (gate.path,))
    gate.wait_started()
    task.cancel(force_after=5)
    assert task.wait_for(5).status is TaskStatus.CANCELED


def test_of_several_patiences_the_shortest_holds(launch: Launch, gate: Gate) -> None:
    env = launch()
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    for patience in (60, None, 0.1, 30):
        task.cancel(force_after=patience)
    assert task.wait_for(5).status is TaskStatus.CANCELED


@pytest.mark.parametrize("patience", ["1", -1, float("nan"), True])
def test_an_impossible_patience_is_refused(env: Environment, patience: Any) -> None:
    task = env.submit(WORK, "echo", (1,))
    with pytest.raises(ConfigurationError, match="force_after"):
        task.cancel(force_after=patience)
    assert task.wait_for(5).result == 1


# -- races -----------------------------------------------------------------------------------------


def test_at_any_moment_a_cancel_leads_to_exactly_one_end(env: Environment) -> None:
    generator = random.Random(3)
    for _ in range(150):
        ends: list[Any] = []
        task = env.submit(WORK, "echo", (1,), start=False)
        task.listen(
            lambda event, ends=ends: (
                ends.append(event.type) if event.type is not TaskEventType.STARTED else None
            )
        )
        cancel = threading.Timer(generator.random() / 1000, task.cancel)
        cancel.start()
        task.start().wait_for(5)
        cancel.join()
        expected = {
            TaskStatus.COMPLETED: TaskEventType.COMPLETION,
            TaskStatus.CANCELED: TaskEventType.CANCELATION,
        }[task.status]
        assert ends == [expected]


def test_the_future_of_a_canceled_task_is_cancelled(env: Environment) -> None:
    task = env.submit(WORK, "wait_until_asked")
    task.cancel()
    with pytest.raises(CancelledError):
        task.future.result(5)
    assert task.future.cancelled()
    assert task.future.done()
