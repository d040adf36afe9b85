"""Tasks in coroutines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.task import ExecutionException, Task, TaskEventType, TaskStatus

STARTED, UPDATE = TaskEventType.STARTED, TaskEventType.UPDATE
COMPLETION = TaskEventType.COMPLETION


def test_await_gives_the_result(env: Environment) -> None:
    async def main() -> Any:
        return await env.submit(WORK, "echo", (1,))

    assert asyncio.run(main()) == 1


def test_await_raises_what_the_task_failed_of(env: Environment) -> None:
    async def main() -> None:
        with pytest.raises(ExecutionException, match="why"):
            await env.submit(WORK, "fail", ("why",))

    asyncio.run(main())


def test_await_of_a_canceled_task_raises_cancelled_error(env: Environment) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await env.submit(WORK, "cancel_unasked")

    asyncio.run(main())


def test_a_task_may_be_awaited_again_and_in_another_event_loop(env: Environment) -> None:
    async def main(task: Task[Any]) -> tuple[Any, Any]:
        return await task, await task

    task = env.submit(WORK, "echo", (1,))
    assert asyncio.run(main(task)) == (1, 1)
    assert asyncio.run(main(task)) == (1, 1)


def test_many_tasks_are_awaited_at_once(env: Environment) -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(*env.map_tasks(WORK, "echo", range(200)))

    assert asyncio.run(main()) == list(range(200))


def test_many_coroutines_may_await_one_task(env: Environment, gate: Gate) -> None:
    async def main() -> list[Any]:
        task = env.submit(WORK, "hold", (gate.path,))

        async def wait() -> Any:
            return await task

        waiters = [asyncio.create_task(wait()) for _ in range(20)]
        await asyncio.sleep(0)
        gate.release()
        return await asyncio.gather(*waiters)

    assert asyncio.run(main()) == ["gate"] * 20


def test_awaiting_blocks_no_other_coroutine(env: Environment, gate: Gate) -> None:
    async def main() -> Any:
        task = env.submit(WORK, "hold", (gate.path,))

        async def release() -> None:
            gate.release()

        return (await asyncio.gather(task, release()))[0]

    assert asyncio.run(main()) == "gate"


def test_cancelling_the_awaiting_coroutine_cancels_the_task(env: Environment, gate: Gate) -> None:
    async def main() -> Task[Any]:
        task = env.submit(WORK, "hold_politely", (gate.path,))

        async def wait() -> None:
            await task

        waiter = asyncio.create_task(wait())
        await asyncio.to_thread(gate.wait_started)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        return task

    assert asyncio.run(main()).wait_for(5).status is TaskStatus.CANCELED


def test_wait_for_of_asyncio_limits_and_cancels(env: Environment, gate: Gate) -> None:
    async def main() -> Task[Any]:
        task = env.submit(WORK, "hold_politely", (gate.path,))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, 0.1)
        return task

    assert asyncio.run(main()).wait_for(5).status is TaskStatus.CANCELED


def test_shield_spares_the_task(env: Environment, gate: Gate) -> None:
    async def main() -> Any:
        task = env.submit(WORK, "hold", (gate.path,))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.05)
        gate.release()
        return await task

    assert asyncio.run(main()) == "gate"


def test_the_future_can_be_wrapped(env: Environment) -> None:
    async def main() -> Any:
        return await asyncio.wrap_future(env.submit(WORK, "echo", (1,)).future)

    assert asyncio.run(main()) == 1


def test_events_end_with_the_terminal_one(env: Environment) -> None:
    async def main() -> list[Any]:
        task = env.submit(WORK, "report", (3,), start=False)
        events = task.events()
        task.start()
        return [(event.type, event.task is task) async for event in events]

    kinds = [STARTED, UPDATE, UPDATE, UPDATE, COMPLETION]
    assert asyncio.run(main()) == [(kind, True) for kind in kinds]


def test_events_of_a_finished_task_are_its_end_alone(env: Environment) -> None:
    async def main(task: Task[Any]) -> list[Any]:
        return [event.type async for event in task.events()]

    assert asyncio.run(main(env.submit(WORK, "report", (3,)).wait_for(5))) == [COMPLETION]
    failed = env.submit(WORK, "fail").wait_for(5)
    assert asyncio.run(main(failed)) == [TaskEventType.FAILURE]


def test_the_documented_monitor_works(env: Environment) -> None:
    lines: list[str] = []

    async def monitor(task: Task[Any]) -> None:
        async for event in task.events():
            if event.type is UPDATE:
                lines.append(f"Progress: {event.task.progress:.0%}")
            elif event.type is COMPLETION:
                lines.append(f"Result: {event.task.result}")

    async def main() -> None:
        task = env.submit(WORK, "report", (2,), start=False)
        watching = asyncio.create_task(monitor(task))
        await asyncio.sleep(0)
        task.start()
        await watching

    asyncio.run(main())
    assert len(lines) == 3
    assert lines[1:] == ["Progress: 100%", "Result: 2"]


def test_leaving_the_events_early_removes_the_listener(env: Environment, gate: Gate) -> None:
    async def main() -> Task[Any]:
        task = env.submit(WORK, "hold", (gate.path,), start=False)
        events = task.events()
        task.start()
        async for _ in events:
            break
        await events.aclose()  # type: ignore[attr-defined]
        return task

    task = asyncio.run(main())
    assert not task._listeners
    gate.release()
    task.wait_for(5)


def test_an_event_loop_that_is_closed_hurts_no_task(
    env: Environment, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> Task[Any]:
        task = env.submit(WORK, "hold", (gate.path,))
        task.events()  # never drained

        async def wait() -> None:
            await asyncio.shield(task)

        waiting.append(asyncio.create_task(wait()))
        await asyncio.to_thread(gate.wait_started)
        return task

    waiting: list[Any] = []
    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(main())
    for pending in asyncio.all_tasks(loop):
        pending.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    gate.release()
    assert task.wait_for(5).status.is_finished()
    assert env.execute(WORK, "echo", (1,)) == 1
    assert "raised" not in caplog.text


def test_a_blocked_listener_does_not_stop_an_await(env: Environment) -> None:
    import threading

    go = threading.Event()
    blocked = env.submit(WORK, "echo", (1,), start=False).listen(lambda event: go.wait(10)).start()

    async def main() -> Any:
        return await asyncio.wait_for(env.submit(WORK, "echo", (2,)), 5)

    try:
        assert asyncio.run(main()) == 2
    finally:
        go.set()
    wait_until(lambda: blocked.status.is_finished())
    blocked.wait_for(5)
