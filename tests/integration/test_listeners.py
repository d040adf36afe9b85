"""Listeners: which events, in which order, and what a listener may do."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.task import TaskEvent, TaskEventType, TaskStatus

STARTED, UPDATE = TaskEventType.STARTED, TaskEventType.UPDATE
ENDS = {
    "echo": (TaskEventType.COMPLETION, (1,)),
    "fail": (TaskEventType.FAILURE, ()),
    "cancel_unasked": (TaskEventType.CANCELATION, ()),
}


@pytest.mark.parametrize("function", ENDS)
def test_events_are_started_then_updates_then_one_end(env: Environment, function: str) -> None:
    end, args = ENDS[function]
    kinds: list[TaskEventType] = []
    task = env.submit(WORK, function, args, start=False)
    assert task.listen(lambda event: kinds.append(event.type)) is task
    task.start().wait_for(5)
    assert kinds == [STARTED, end]


def test_an_event_has_the_task_and_its_type(env: Environment) -> None:
    events: list[TaskEvent] = []
    task = env.submit(WORK, "report", (2,), start=False).listen(events.append)
    task.start().wait_for(5)
    assert [event.type for event in events] == [STARTED, UPDATE, UPDATE, TaskEventType.COMPLETION]
    assert all(event.task is task for event in events)
    with pytest.raises(AttributeError):
        events[0].type = UPDATE  # type: ignore[misc]


def test_at_the_end_the_outcome_is_there_for_the_listener(env: Environment) -> None:
    seen: list[Any] = []

    def on_event(event: TaskEvent) -> None:
        if event.type is TaskEventType.COMPLETION:
            seen.append(event.task.result)
        elif event.type is TaskEventType.FAILURE:
            seen.append(event.task.error)

    env.submit(WORK, "echo", (5,), start=False).listen(on_event).start().wait_for(5)
    env.submit(WORK, "fail", ("why",), start=False).listen(on_event).start().wait_for(5)
    assert seen == [5, "ValueError: why"]


@pytest.mark.parametrize("function", ENDS)
def test_a_late_listener_gets_the_end_and_nothing_else(env: Environment, function: str) -> None:
    end, args = ENDS[function]
    task = env.submit(WORK, function, args).wait_for(5)
    kinds: list[TaskEventType] = []
    task.listen(lambda event: kinds.append(event.type))
    assert kinds == [end]  # at once, on this thread


def test_a_listener_in_the_middle_gets_no_replay_of_progress(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "report_and_hold", (gate.path, "x", 1, 2))
    gate.wait_started()
    wait_until(lambda: task.outputs)
    kinds: list[TaskEventType] = []
    task.listen(lambda event: kinds.append(event.type))
    gate.release()
    task.wait_for(5)
    assert kinds == [TaskEventType.COMPLETION]


def test_a_removed_listener_hears_nothing_more(env: Environment, gate: Gate) -> None:
    gone: list[TaskEvent] = []
    kept: list[TaskEvent] = []
    task = env.submit(WORK, "hold", (gate.path,), start=False)
    task.listen(gone.append).listen(kept.append).start()
    gate.wait_started()
    wait_until(lambda: kept)
    task.remove_listener(gone.append)
    gate.release()
    task.wait_for(5)
    assert len(gone) == 1
    assert len(kept) == 2


def test_removing_an_unknown_listener_raises(env: Environment) -> None:
    task = env.submit(WORK, "echo", (1,))
    with pytest.raises(ValueError, match="not in list"):
        task.remove_listener(print)
    task.wait_for(5)


def test_a_listener_may_remove_itself(env: Environment) -> None:
    seen: list[TaskEventType] = []

    def once(event: TaskEvent) -> None:
        seen.append(event.type)
        event.task.remove_listener(once)

    env.submit(WORK, "report", (3,), start=False).listen(once).start().wait_for(5)
    assert seen == [STARTED]


def test_progress_inside_a_listener_is_that_of_its_event(env: Environment) -> None:
    seen: list[Any] = []
    first = threading.Event()

    def slow(event: TaskEvent) -> None:
        if event.type is UPDATE:
            first.wait(5)  # the task is at its end long before this listener goes on
            seen.append((event.task.current, event.task.message))

    task = env.submit(WORK, "report", (5,), start=False).listen(slow).start()
    wait_until(lambda: task.status.is_finished())
    assert task.current == 5
    first.set()
    task.wait_for(5)
    assert seen == [(i, f"step {i}") for i in range(1, 6)]


def test_the_documented_listener_on_a_task_without_progress_hurts_nothing(
    env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[str] = []

    def on_event(event: TaskEvent) -> None:
        lines.append(f"[{event.task.progress:.0%}] {event.task.message}")

    task = env.submit(WORK, "echo", (1,), start=False).listen(on_event).start()
    assert task.wait_for(5).result == 1
    assert env.execute(WORK, "echo", (2,)) == 2
    wait_until(lambda: caplog.text.count("A listener of") == 2)


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_listener_raises_is_logged_and_stops_no_other_listener(
    env: Environment, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def bad(event: TaskEvent) -> None:
        raise error

    kinds: list[TaskEventType] = []
    task = env.submit(WORK, "report", (2,), start=False)
    task.listen(bad).listen(lambda event: kinds.append(event.type)).start()
    assert task.wait_for(5).result == 2
    assert kinds == [STARTED, UPDATE, UPDATE, TaskEventType.COMPLETION]
    records = [r for r in caplog.records if "listener" in r.getMessage()]
    assert len(records) == 4
    assert {record.levelno for record in records} == {logging.ERROR}


def test_what_a_late_listener_raises_does_not_reach_the_caller(
    env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    task = env.submit(WORK, "echo", (1,)).wait_for(5)
    task.listen(lambda event: 1 / 0)
    assert "ZeroDivisionError" in caplog.text


def test_a_listener_may_wait_for_its_own_task(env: Environment) -> None:
    seen: list[Any] = []

    def on_event(event: TaskEvent) -> None:
        if event.type is STARTED:
            seen.append(event.task.wait_for(5).result)

    task = env.submit(WORK, "echo", (7,), start=False).listen(on_event).start()
    task.wait_for(5)
    wait_until(lambda: seen == [7])


def test_a_listener_may_submit_and_wait_for_another_task(env: Environment) -> None:
    seen: list[Any] = []

    def on_event(event: TaskEvent) -> None:
        if event.type is TaskEventType.COMPLETION:
            seen.append(env.execute(WORK, "echo", (event.task.result + 1,)))

    env.submit(WORK, "echo", (1,), start=False).listen(on_event).start().wait_for(5)
    wait_until(lambda: seen == [2])


def test_a_listener_may_cancel_its_task(env: Environment) -> None:
    task = env.submit(WORK, "wait_until_asked", start=False)
    task.listen(lambda event: event.task.cancel() if event.type is STARTED else None).start()
    assert task.wait_for(5).status is TaskStatus.CANCELED


def test_a_listener_that_blocks_delays_no_task(env: Environment) -> None:
    go = threading.Event()
    blocked = env.submit(WORK, "echo", (1,), start=False).listen(lambda event: go.wait(10))
    blocked.start()
    try:
        assert [env.execute(WORK, "echo", (i,)) for i in range(50)] == list(range(50))
        assert blocked.future.result(5) == 1
    finally:
        go.set()
    blocked.wait_for(5)


def test_events_of_one_task_come_one_after_the_other_on_a_background_thread(
    env: Environment,
) -> None:
    inside = 0
    threads: set[str] = set()

    def on_event(event: TaskEvent) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        threads.add(threading.current_thread().name)
        inside -= 1

    env.submit(WORK, "report", (20,), start=False).listen(on_event).start().wait_for(5)
    assert len(threads) == 1
    assert threads.isdisjoint({threading.main_thread().name})


def test_wait_for_returns_after_the_listeners_saw_the_end(env: Environment) -> None:
    for _ in range(50):
        seen: list[TaskEventType] = []
        task = env.submit(WORK, "echo", (1,), start=False)
        task.listen(lambda event, seen=seen: seen.append(event.type)).start().wait_for(5)
        assert seen[-1] is TaskEventType.COMPLETION


def test_listening_at_any_moment_delivers_the_end_exactly_once(env: Environment) -> None:
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(200):
            ends: list[TaskEventType] = []
            task = env.submit(WORK, "echo", (1,))
            task.listen(
                lambda event, ends=ends: (
                    ends.append(event.type) if event.type is not STARTED else None
                )
            )
            task.wait_for(5)
            assert ends == [TaskEventType.COMPLETION]
    finally:
        sys.setswitchinterval(switch)
