"""Limits: floods, slow listeners, long queues, and what is kept alive."""

from __future__ import annotations

import gc
import logging
import os
import re
import threading
import time
import weakref
from typing import Any

import psutil
import pytest

from tests.conftest import _descriptors
from tests.integration.conftest import WORK, Gate, Launch
from tests.integration.test_host_process import in_child
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import (
    ConfigurationError,
    EnvironmentBuildError,
    ForkedError,
    TaskAbandonedError,
    WorkerStartError,
)
from wetlands.runtime import launcher
from wetlands.runtime.output import BURST, RATE
from wetlands.task import TaskEvent, TaskEventType, TaskStatus
from wetlands.task_state import MAX_UNTOLD

# -- floods ----------------------------------------------------------------------------------------


def test_the_end_of_a_long_queue_holds_up_no_other_environment(launch: Launch, gate: Gate) -> None:
    env, other = launch(), launch(name="other")
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    queued = [env.submit(WORK, "echo", (1,)) for _ in range(20_000)]
    assert other.execute(WORK, "echo", (1,)) == 1
    leaving = threading.Thread(target=env.exit, args=(0,))
    longest, start = 0.0, time.process_time()
    leaving.start()
    while leaving.is_alive():
        begin = time.process_time()  # what the host did meanwhile, however busy the machine is
        other.submit(WORK, "echo", (1,)).wait_for(10)
        longest = max(longest, time.process_time() - begin)
    leaving.join()
    assert longest < (time.process_time() - start) / 2
    assert {task.status for task in [held, *queued]} == {TaskStatus.FAILED}
    assert all(isinstance(task.exception, TaskAbandonedError) for task in queued[::1000])


def test_a_slow_listener_is_told_a_bounded_number_of_updates_and_the_end(env: Environment) -> None:
    steps = 20_000
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    kinds: list[TaskEventType] = []
    last: list[Any] = []

    def slow(event: TaskEvent) -> None:
        begun.set()
        go_on.wait(10)
        kinds.append(event.type)
        last[:] = [event.task.message, event.task.current]
        if event.task.status.is_finished() and event.type is TaskEventType.COMPLETION:
            ended.set()

    task = env.submit(WORK, "report", (steps,), start=False).listen(slow).start()
    assert begun.wait(5)
    task.future.result(10)
    go_on.set()
    assert ended.wait(5)
    assert kinds[0] is TaskEventType.STARTED
    assert kinds.count(TaskEventType.UPDATE) <= MAX_UNTOLD
    assert kinds.count(TaskEventType.COMPLETION) == 1
    assert kinds[-1] is TaskEventType.COMPLETION
    assert last == [f"step {steps}", steps]
    assert (task.message, task.current) == (f"step {steps}", steps)


def test_a_flood_of_log_records_is_bounded_and_counted(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    env = launch()
    caplog.set_level(logging.INFO, "wetlands.task")
    count = 20_000
    begin = time.monotonic()
    env.execute(WORK, "log_flood", (count,))

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "wetlands.task"]

    def says_more() -> bool:
        # Nothing is admitted before some time has passed; what is tells how many were left out.
        nonlocal count
        count += 1
        env.execute(WORK, "log_line", ("afterwards",))
        return any(line.startswith("afterwards") for line in lines())

    wait_until(says_more)
    passed = time.monotonic() - begin
    env.exit()  # now all are delivered
    assert len(lines()) <= BURST + RATE * passed + 2
    left_out = sum(int(n) for line in lines() for n in re.findall(r"after (\d+) records", line))
    assert left_out + len(lines()) == count


# -- what is kept alive ----------------------------------------------------------------------------


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("prints", [False, True])
def test_a_result_goes_with_the_last_reference_to_its_task(
    env: Environment, prints: bool, listens: bool
) -> None:
    task = env.submit(WORK, "say_and_return" if prints else "echo", ({1, 2},), start=False)
    if listens:
        task.listen(lambda event: None)
    task.start().wait_for(5)
    result, name = weakref.ref(task.result), weakref.ref(task)
    assert result() == {1, 2}
    del task

    def is_gone() -> bool:
        gc.collect()
        return result() is None and name() is None

    wait_until(is_gone, timeout=2)


def test_the_arguments_of_dropped_tasks_that_were_not_started_are_freed(env: Environment) -> None:
    driver = env._pool._driver  # type: ignore[union-attr]
    gc.collect()
    before = len(driver.all_tasks())
    tasks = [env.submit(WORK, "echo", (b"x" * 1_000_000,), start=False) for _ in range(5)]
    assert len(driver.all_tasks()) == before + 5
    orders = [weakref.ref(task) for task in tasks]
    tasks.clear()
    gc.collect()
    assert [ref() for ref in orders] == [None] * 5
    assert len(driver.all_tasks()) == before


# -- waiting ---------------------------------------------------------------------------------------


def test_system_exit_while_a_result_is_rebuilt_makes_its_task_failed(env: Environment) -> None:
    kinds: list[TaskEventType] = []
    task = env.submit(WORK, "exits_in_the_host", start=False)
    task.listen(lambda event: kinds.append(event.type)).start()
    task.wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert "SystemExit" in (task.error or "")
    assert kinds == [TaskEventType.STARTED, TaskEventType.FAILURE]


def test_waiting_takes_no_longer_than_its_limit_though_a_listener_is_slow(
    env: Environment, gate: Gate
) -> None:
    go_on = threading.Event()
    task = env.submit(WORK, "hold", (gate.path,), start=False)
    task.listen(lambda event: go_on.wait(10)).start()
    gate.wait_started()
    try:
        with pytest.raises(TimeoutError):
            task.wait_for(0.05)
        gate.release()
        task.future.exception(5)
        begin = time.monotonic()
        task.wait_for(0.1)
        assert time.monotonic() - begin < 2
    finally:
        go_on.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_that_what_it_waits_for_never_ends(
    env: Environment, gate: Gate
) -> None:
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()

    async def wait() -> Any:
        return await task

    def use() -> None:
        import asyncio

        for call in (
            lambda: task.wait_for(2),
            lambda: task.future.result(2),
            lambda: task.future.exception(2),
            lambda: asyncio.run(asyncio.wait_for(wait(), 2)),
        ):
            with pytest.raises(ForkedError, match="forked child"):
                call()

    assert in_child(use) == 0
    gate.release()
    assert task.wait_for(5).result == "gate"


# -- options and starts ----------------------------------------------------------------------------


def test_a_function_that_is_no_name_is_refused(env: Environment) -> None:
    for function in (["a"], {"a": 1}, 5, b"a"):
        with pytest.raises(ConfigurationError, match="by its name"):
            env.submit(WORK, function)  # type: ignore[arg-type]


def test_the_grace_of_an_exit_may_be_as_long_as_one_likes(launch: Launch) -> None:
    env = launch()
    env.submit(WORK, "echo", (1,))
    env.exit(1e12)
    assert not env.launched()


def test_a_command_that_fails_fails_the_installation(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = launch()
    monkeypatch.setattr(env._registry, "install", lambda *args: ["installed"])
    command = "echo what went wrong; exit 3"
    with pytest.raises(EnvironmentBuildError, match="what went wrong") as caught:
        env.install({"pip": []}, [command])
    assert caught.value.returncode == 3
    assert env.install({"pip": []}, ["echo fine"]) == ["installed", "fine"]


def test_a_worker_that_cannot_be_taken_over_leaves_no_process_and_no_descriptor(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = {child.pid for child in psutil.Process().children()}
    descriptors = _descriptors()

    def take_pipes(*args: Any) -> Any:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(launcher, "_take_pipes", take_pipes)
        with pytest.raises(WorkerStartError, match="Too many open files"):
            launch()
    assert {child.pid for child in psutil.Process().children()} <= children
    # The launcher's thread looks afterwards for segments of the worker, in a folder that it opens.
    wait_until(lambda: _descriptors() <= descriptors)
    assert launch().execute(WORK, "echo", (1,)) == 1
