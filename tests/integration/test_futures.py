"""`task.future` among standard futures."""

from __future__ import annotations

import concurrent.futures
import threading
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.task import ExecutionException, TaskStatus


def test_it_is_a_standard_future(env: Environment) -> None:
    task = env.submit(WORK, "echo", (1,))
    assert isinstance(task.future, Future)
    assert task.future is task.future
    assert task.future.result(timeout=5) == 1
    assert task.future.exception(timeout=5) is None
    assert task.future.done()


def test_it_has_all_that_a_standard_future_has(env: Environment) -> None:
    future = env.submit(WORK, "echo", (1,)).future
    standard: Any = Future()
    assert vars(standard).keys() < vars(future).keys()
    assert future.result(20) == 1
    standard.set_result(1)
    assert future._state == standard._state  # type: ignore[attr-defined]


def test_wait_takes_futures_of_tasks(env: Environment) -> None:
    tasks = env.map_tasks(WORK, "echo", range(5))
    done, rest = concurrent.futures.wait([task.future for task in tasks], timeout=5)
    assert not rest
    assert [task.result for task in tasks] == list(range(5))
    assert len(done) == 5


def test_wait_returns_at_the_first_end_or_error(env: Environment, gate: Gate) -> None:
    slow = env.submit(WORK, "hold", (gate.path,))
    quick = env.submit(WORK, "echo", (1,))
    done, _ = concurrent.futures.wait([slow.future, quick.future], 5, FIRST_COMPLETED)
    assert done == {quick.future}
    bad = env.submit(WORK, "fail")
    done, _ = concurrent.futures.wait([slow.future, bad.future], 5, FIRST_EXCEPTION)
    assert done == {bad.future}
    gate.release()
    slow.wait_for(5)


def test_as_completed_yields_every_end(env: Environment, gate: Gate) -> None:
    good, bad = env.submit(WORK, "echo", (1,)), env.submit(WORK, "fail")
    canceled = env.submit(WORK, "echo", (1,), start=False)
    canceled.cancel()
    futures = {task.future for task in (good, bad, canceled)}
    assert set(concurrent.futures.as_completed(futures, timeout=5)) == futures


def test_a_result_that_is_late_raises_timeout(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold", (gate.path,))
    with pytest.raises(concurrent.futures.TimeoutError):
        task.future.result(timeout=0.05)
    gate.release()
    assert task.future.result(timeout=5) == "gate"


def test_its_states_are_those_of_the_task(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold", (gate.path,), start=False)
    future = task.future
    assert (future.running(), future.done(), future.cancelled()) == (False, False, False)
    task.start()
    gate.wait_started()
    assert future.running()
    gate.release()
    wait_until(future.done)
    assert (future.running(), future.done(), future.cancelled()) == (False, True, False)


def test_cancel_of_the_future_is_that_of_the_task(env: Environment, gate: Gate) -> None:
    unstarted = env.submit(WORK, "echo", (1,), start=False)
    assert unstarted.future.cancel() is True
    assert unstarted.status is TaskStatus.CANCELED
    running = env.submit(WORK, "hold_politely", (gate.path,))
    gate.wait_started()
    running.future.cancel()  # cooperative: asked, not ended yet
    assert running.wait_for(5).status is TaskStatus.CANCELED
    done = env.submit(WORK, "echo", (1,)).wait_for(5)
    assert done.future.cancel() is False


@pytest.mark.parametrize(
    ("function", "args"), [("echo", (1,)), ("fail", ()), ("cancel_unasked", ())]
)
def test_a_callback_is_called_once_with_the_future(
    env: Environment, function: str, args: Any
) -> None:
    seen: list[Any] = []
    task = env.submit(WORK, function, args)
    task.future.add_done_callback(seen.append)
    wait_until(lambda: seen == [task.future])
    task.future.add_done_callback(seen.append)
    assert seen == [task.future] * 2


def test_a_callback_may_raise_submit_and_wait(
    env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    def chain(future: Future[Any]) -> None:
        seen.append(env.execute(WORK, "add", (future.result(), 1)))
        raise ValueError("from a callback")

    env.submit(WORK, "echo", (1,)).future.add_done_callback(chain)
    wait_until(lambda: seen == [2])
    assert env.execute(WORK, "echo", (3,)) == 3
    wait_until(lambda: "from a callback" in caplog.text)


def test_callbacks_run_on_a_background_thread_or_late_on_the_callers(env: Environment) -> None:
    names: list[str] = []
    task = env.submit(WORK, "echo", (1,), start=False)
    task.future.add_done_callback(lambda f: names.append(threading.current_thread().name))
    task.start()
    wait_until(lambda: names)
    assert names[0] != threading.main_thread().name


def test_a_value_that_cannot_be_rebuilt_is_the_futures_exception(env: Environment) -> None:
    task = env.submit(WORK, "explodes_in_the_host")
    assert isinstance(task.future.exception(5), ExecutionException)
    with pytest.raises(ExecutionException):
        task.future.result(5)
    assert task.status is TaskStatus.FAILED
