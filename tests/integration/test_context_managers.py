"""Tasks as context managers."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.integration.conftest import WORK, Gate
from wetlands import Environment
from wetlands.task import TaskStatus


def test_entering_starts_a_pending_task(env: Environment) -> None:
    with env.submit(WORK, "echo", (1,), start=False) as task:
        assert task.wait_for(5).result == 1


def test_with_submit_runs_the_function_once(env: Environment, gate: Gate) -> None:
    running = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
    gate.wait_started("a", "b")
    with env.submit(WORK, "count_call", (gate.path,)) as task:  # queued, hence still PENDING
        gate.release("a", "b")
        task.wait_for(5)
    for other in running:
        other.wait_for(5)
    env.execute(WORK, "echo", (1,))
    assert len([name for name in os.listdir(gate.path) if name.startswith("call")]) == 1


def test_leaving_early_cancels_and_waits(env: Environment, gate: Gate) -> None:
    with env.submit(WORK, "hold_politely", (gate.path,)) as task:
        gate.wait_started()
    assert task.status is TaskStatus.CANCELED


def test_an_exception_in_the_block_cancels_and_passes_on(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold_politely", (gate.path,))
    gate.wait_started()
    with pytest.raises(KeyError), task:
        raise KeyError("mine")
    assert task.status is TaskStatus.CANCELED


def test_a_timeout_in_the_block_cancels_and_passes_on(env: Environment, gate: Gate) -> None:
    with pytest.raises(TimeoutError), env.submit(WORK, "hold_politely", (gate.path,)) as task:
        task.wait_for(timeout=0.05)
    assert task.status is TaskStatus.CANCELED


def test_a_task_that_has_ended_is_left_alone(env: Environment) -> None:
    with env.submit(WORK, "fail") as task:
        task.wait_for(5)
    assert task.status is TaskStatus.FAILED


def test_async_with_starts_awaits_and_leaves(env: Environment) -> None:
    async def main() -> object:
        async with env.submit(WORK, "echo", (1,), start=False) as task:
            return await task

    assert asyncio.run(main()) == 1


def test_async_with_leaving_early_cancels_and_raises_nothing(env: Environment, gate: Gate) -> None:
    async def main() -> TaskStatus:
        async with env.submit(WORK, "hold_politely", (gate.path,)) as task:
            await asyncio.to_thread(gate.wait_started)
        return task.status

    assert asyncio.run(main()) is TaskStatus.CANCELED


def test_async_with_passes_the_blocks_exception_on(env: Environment, gate: Gate) -> None:
    async def main() -> None:
        async with env.submit(WORK, "hold_politely", (gate.path,)):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        asyncio.run(main())


def test_async_with_cancels_a_queued_task(env: Environment, gate: Gate) -> None:
    async def main() -> TaskStatus:
        running = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
        async with env.submit(WORK, "echo", (1,)) as task:
            pass
        gate.release("a", "b")
        for other in running:
            await other
        return task.status

    assert asyncio.run(main()) is TaskStatus.CANCELED
