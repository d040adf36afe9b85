"""Threads that do the loop's work: whatever happens meanwhile, nobody is forgotten."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.runtime import loop as loop_module
from wetlands.runtime.loop import Loop
from wetlands.task import Task, TaskStatus


def loop_of(env: Environment) -> Loop:
    return env._pool._host.loop  # type: ignore[union-attr]


def leads(env: Environment) -> bool:
    return loop_of(env)._seat.locked()


@pytest.fixture
def elsewhere() -> Iterator[Callable[[Callable[[], Any]], threading.Thread]]:
    """Runs something on another thread."""
    threads: list[threading.Thread] = []

    def run(call: Callable[[], Any]) -> threading.Thread:
        threads.append(threading.Thread(target=call))
        threads[-1].start()
        return threads[-1]

    yield run
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_who_waits_for_the_only_task_leads_and_leaves_the_seat(
    env: Environment, gate: Gate, elsewhere: Any
) -> None:
    task = env.submit(WORK, "hold", (gate.path,))
    elsewhere(task.wait_for)
    wait_until(lambda: leads(env))
    gate.release()
    assert task.wait_for(5).result == "gate"
    wait_until(lambda: not leads(env))


def test_what_others_submit_meanwhile_is_run_and_ended(
    env: Environment, gate: Gate, elsewhere: Any
) -> None:
    task = env.submit(WORK, "hold", (gate.path,))
    elsewhere(task.wait_for)
    wait_until(lambda: leads(env))
    others = env.map_tasks(WORK, "echo", range(20))
    assert [other.wait_for(5).result for other in others] == list(range(20))
    assert leads(env)
    gate.release()


def test_a_leader_learns_of_an_end_that_another_thread_brought_about(
    env: Environment, gate: Gate, elsewhere: Any
) -> None:
    task = env.submit(WORK, "hold_politely", (gate.path,), start=False)
    seen: list[TaskStatus] = []
    elsewhere(lambda: seen.append(task.wait_for(5).status))
    wait_until(lambda: leads(env))
    task.cancel()
    wait_until(lambda: seen == [TaskStatus.CANCELED])


@pytest.mark.parametrize("where", ["main thread", "another"])
def test_a_leader_learns_of_a_death_and_of_an_exit(
    launch: Launch, gate: Gate, elsewhere: Any, where: str
) -> None:
    env = launch(max_workers=2)
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()

    def kill() -> None:
        wait_until(lambda: leads(env))
        os.kill(task.worker.pid, signal.SIGKILL)  # type: ignore[union-attr]

    if where == "main thread":
        elsewhere(kill)
        assert task.wait_for(5).status is TaskStatus.FAILED
    else:
        waiting = elsewhere(task.wait_for)
        kill()
        waiting.join(5)
        assert task.status is TaskStatus.FAILED
    last = env.submit(WORK, "hold", (gate.path, "last"))
    elsewhere(lambda: (wait_until(lambda: leads(env)), env.exit(grace=0)))
    assert last.wait_for(5).status is TaskStatus.FAILED


def test_a_leader_keeps_its_time(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "hold", (gate.path,))
    for timeout in (0.0, 0.001, 0.1):
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            task.wait_for(timeout)
        assert timeout <= time.monotonic() - begin < timeout + 1.0
    gate.release()
    assert task.wait_for(5).result == "gate"


def test_time_limits_and_deaths_are_noticed_while_somebody_leads(
    launch: Launch, gate: Gate
) -> None:
    env = launch(max_workers=2)
    begin = time.monotonic()
    task = env.submit(WORK, "hold", (gate.path,), timeout=0.2)
    assert task.wait_for(5).status is TaskStatus.FAILED
    assert 0.2 <= time.monotonic() - begin < 2.0
    assert "timed out" in str(task.error)


def test_two_environments_share_the_work(launch: Launch, gate: Gate, elsewhere: Any) -> None:
    first, second = launch(name="first"), launch(name="second")
    task = first.submit(WORK, "hold", (gate.path,))
    elsewhere(task.wait_for)
    wait_until(lambda: leads(first))
    assert second.execute(WORK, "echo", (1,)) == 1
    gate.release()


@pytest.mark.parametrize("how", ["status", "callback", "listener", "asyncio", "thread", "as_ended"])
def test_after_leading_everybody_is_served_who_waits_in_another_way(
    env: Environment, how: str
) -> None:
    """The loop thread stands aside for those who lead; here it must come back."""

    def wait_by_asyncio(task: Task[Any]) -> None:
        async def wait() -> None:
            assert await task == 2

        asyncio.run(asyncio.wait_for(wait(), 5))

    def wait_by_event(add: Callable[[Callable[[Any], Any]], Any]) -> None:
        seen = threading.Event()
        add(lambda _: seen.set())
        assert seen.wait(5)

    ways: dict[str, Callable[[Task[Any]], Any]] = {
        "status": lambda task: wait_until(lambda: task.status is TaskStatus.COMPLETED),
        "callback": lambda task: wait_by_event(task.future.add_done_callback),
        "listener": lambda task: wait_by_event(task.listen),
        "asyncio": wait_by_asyncio,
        "thread": lambda task: threading.Thread(target=task.wait_for).start(),
        "as_ended": lambda task: [*env.map(WORK, "echo", [1, 2], ordered=False)],
    }
    for _ in range(30):
        assert env.submit(WORK, "echo", (1,)).wait_for(5).result == 1
        task = env.submit(WORK, "echo", (2,))
        ways[how](task)
        assert task.wait_for(5).result == 2


def test_the_loop_thread_comes_back_within_its_pause(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "PAUSE", 0.05)
    latencies = []
    for _ in range(20):
        env.execute(WORK, "echo", (1,))
        task = env.submit(WORK, "echo", (2,))
        begin = time.monotonic()
        wait_until(lambda task=task: task.status is TaskStatus.COMPLETED)  # type: ignore[misc]
        latencies.append(time.monotonic() - begin)
    assert max(latencies) < 0.05 + 1.0


def test_with_a_handler_that_may_raise_the_main_thread_leaves_it_to_the_loop(
    env: Environment, gate: Gate, elsewhere: Any
) -> None:
    def hold() -> None:
        gate.wait_started()
        led.append(leads(env))
        gate.release()

    led: list[bool] = []
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        elsewhere(hold)
        assert env.execute(WORK, "hold", (gate.path,)) == "gate"
        assert led == [False]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_ctrl_c_interrupts_a_leader_at_once(env: Environment, gate: Gate, elsewhere: Any) -> None:
    task = env.submit(WORK, "hold", (gate.path,))

    def strike() -> None:
        wait_until(lambda: leads(env))
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        elsewhere(strike)
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            task.wait_for(5)
        assert time.monotonic() - begin < 2
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    wait_until(lambda: not leads(env))
    gate.release()
    assert task.wait_for(5).result == "gate"


def with_frames_left(left: int, call: Callable[[], Any]) -> Any:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1

    def descend(further: int) -> Any:
        return call() if further <= 0 else descend(further - 1)

    return descend(sys.getrecursionlimit() - depth - left)


@pytest.mark.parametrize("left", [*range(5, 60, 5), 100, 140, 160])
def test_at_the_end_of_the_stack_a_call_works_or_fails_and_no_other_does(
    env: Environment, left: int
) -> None:
    try:
        found = with_frames_left(left, lambda: env.submit(WORK, "echo", (1,)).wait_for(5).result)
    except RecursionError:
        assert left < 60
    else:
        assert found == 1
    assert env.execute(WORK, "echo", (2,)) == 2


class Submitter:
    """Garbage that submits when it is collected, wherever that may be."""

    def __init__(self, env: Environment, found: list[Task[Any]]) -> None:
        self.me = self
        self.env, self.found = env, found

    def __del__(self) -> None:
        self.found.append(self.env.submit(WORK, "echo", (3,)))


def test_a_finalizer_may_submit_in_the_middle_of_a_pass(env: Environment) -> None:
    found: list[Task[Any]] = []
    loop = loop_of(env)
    for _ in range(20):
        Submitter(env, found)
        loop.post(None, gc.collect)
    wait_until(lambda: len(found) == 20)
    assert [task.wait_for(5).result for task in found] == [3] * 20


def test_sixteen_threads_call_and_wait_and_none_starves(env: Environment) -> None:
    done = [0] * 16

    def work(number: int) -> None:
        for i in range(40):
            assert env.execute(WORK, "echo", (i,)) == i
            done[number] += 1

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    finally:
        sys.setswitchinterval(interval)
    assert done == [40] * 16


def test_a_handler_of_the_leader_may_wait_as_well(env: Environment, gate: Gate) -> None:
    task, waited = env.submit(WORK, "hold", (gate.path,)), []

    def stop_and_wait(number: int, frame: Any) -> None:
        gate.release()
        waited.append(task.wait_for(5).result)

    def interrupt() -> None:
        wait_until(lambda: leads(env) and loop_of(env)._leader._asleep)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, stop_and_wait)
    sender = threading.Thread(target=interrupt)
    try:
        gate.wait_started()
        sender.start()
        assert task.wait_for(5).result == "gate"
    finally:
        sender.join(5)
        signal.signal(signal.SIGINT, before)
    assert waited == ["gate"]
    assert not leads(env)
    assert env.execute(WORK, "echo", (1,)) == 1


def test_who_has_led_before_does_not_take_the_seat_of_another(env: Environment) -> None:
    loop = loop_of(env)
    assert env.execute(WORK, "echo", (1,)) == 1
    assert loop._seat.acquire(timeout=5)  # another thread, which has not yet said who it is
    try:
        assert env.execute(WORK, "echo", (2,)) == 2
        assert leads(env)
    finally:
        loop._seat.release()


class Waiter(Submitter):
    """Garbage that even waits."""

    def __del__(self) -> None:
        task = self.env.submit(WORK, "echo", (4,))
        self.found.append(task)
        task.cancel()
        try:
            task.wait_for(5)
        except RuntimeError as error:
            self.errors.append(str(error))

    errors: list[str] = []  # noqa: RUF012


def test_a_finalizer_that_waits_in_the_middle_of_a_pass_is_told_so(env: Environment) -> None:
    found: list[Task[Any]] = []
    for _ in range(5):
        Waiter(env, found)
        loop_of(env).post(None, gc.collect)
    wait_until(lambda: len(found) == 5)
    for task in found:
        task.wait_for(5)
    assert env.execute(WORK, "echo", (1,)) == 1
    assert set(Waiter.errors) == {
        "a finalizer can't wait for a task in the middle of a pool's work"
    }
