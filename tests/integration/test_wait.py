"""`wait_for()`."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from wetlands import Environment
from wetlands.task import TaskStatus


def test_wait_for_returns_the_task_however_it_ended(env: Environment) -> None:
    for function, args, status in (
        ("echo", (1,), TaskStatus.COMPLETED),
        ("fail", (), TaskStatus.FAILED),
        ("cancel_unasked", (), TaskStatus.CANCELED),
    ):
        task = env.submit(WORK, function, args)
        assert task.wait_for() is task
        assert task.status is status
        assert task.wait_for(0) is task


def test_a_timeout_raises_and_does_not_cancel(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold_politely", (gate.path,))
    gate.wait_started()
    for timeout in (0.05, 0, -1):
        with pytest.raises(TimeoutError, match="did not finish within"):
            task.wait_for(timeout)
    assert task.status is TaskStatus.RUNNING
    gate.release()
    assert task.wait_for(5).status is TaskStatus.COMPLETED


def test_after_a_timeout_the_caller_may_cancel_and_wait_again(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold_politely", (gate.path,))
    with pytest.raises(TimeoutError):
        task.wait_for(timeout=0.05)
    task.cancel()
    assert task.wait_for().status is TaskStatus.CANCELED


def test_waiting_for_a_task_that_was_not_started_times_out(env: Environment) -> None:
    task = env.submit(WORK, "echo", (1,), start=False)
    with pytest.raises(TimeoutError):
        task.wait_for(0.05)
    assert task.start().wait_for(5).result == 1


def test_many_threads_may_wait_for_one_task(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold", (gate.path,))
    seen: list[Any] = []
    threads = [
        threading.Thread(target=lambda: seen.append(task.wait_for(5).result)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    gate.release()
    for thread in threads:
        thread.join()
    assert seen == ["gate"] * 16


def test_a_listener_that_blocks_holds_no_waiter_for_long(env: Environment) -> None:
    go = threading.Event()
    task = env.submit(WORK, "echo", (1,), start=False).listen(lambda event: go.wait(30)).start()
    begin = time.monotonic()
    try:
        task.wait_for()
        assert time.monotonic() - begin < 5
        assert task.result == 1
    finally:
        go.set()
