"""`Task` against a driver that does nothing by itself."""

from __future__ import annotations

import random
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from wetlands.errors import ExecutionException, PoolClosedError, ResultError
from wetlands.latch import Latch
from wetlands.task import (
    InvalidStateError,
    Task,
    TaskEvent,
    TaskEventType,
    TaskStatus,
    TaskWorker,
)
from wetlands.task_state import MAX_UNTOLD

STARTED, UPDATE = TaskEventType.STARTED, TaskEventType.UPDATE
COMPLETION, CANCELATION = TaskEventType.COMPLETION, TaskEventType.CANCELATION
COMPLETED, FAILED, CANCELED = TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED


class FakeDriver:
    """Notes what is asked of it; delivers when it is told to, or at once."""

    def __init__(self, *, eager: bool = True) -> None:
        self.eager = eager
        self.calls: list[tuple[str, Any]] = []
        self.waiting: deque[Callable[[], None]] = deque()

    def start_task(self, task: Task[Any]) -> None:
        self.calls.append(("start", task.number))

    def cancel_task(self, task: Task[Any], force_after: float) -> None:
        self.calls.append(("cancel", force_after))
        if ("start", task.number) not in self.calls:
            task._finish(CANCELED)

    def wait_for_end(self, latch: Latch, timeout: float | None) -> bool:
        return latch.wait(timeout)

    def expect_end(self) -> None:
        pass

    def deliver(self, call: Callable[[], None]) -> None:
        self.waiting.append(call)
        if self.eager:
            self.run()

    def run(self) -> None:
        while self.waiting:
            self.waiting.popleft()()

    def on_delivery_thread(self) -> bool:
        return False


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def task(driver: FakeDriver) -> Task[Any]:
    return Task(driver, 7, "work.py:f")


def begin(task: Task[Any]) -> None:
    task.start()
    task._start(TaskWorker(0, 4711))


def complete(task: Task[Any], value: Any = None) -> None:
    task._finish(COMPLETED, lambda task: value)


def test_its_life_goes_from_pending_to_running_to_completed(
    task: Task[Any], driver: FakeDriver
) -> None:
    assert task.status is TaskStatus.PENDING
    begin(task)
    assert task.status is TaskStatus.RUNNING
    assert task.worker == (0, 4711)
    complete(task, 5)
    assert (task.status, task.result) == (COMPLETED, 5)
    assert driver.calls == [("start", 7)]


def test_it_is_started_once(task: Task[Any], driver: FakeDriver) -> None:
    task.start().start()
    assert driver.calls == [("start", 7)]


def test_a_start_that_is_refused_raises(driver: FakeDriver) -> None:
    def refuse(task: Task[Any]) -> None:
        raise PoolClosedError("closed")

    driver.start_task = refuse  # type: ignore[method-assign]
    with pytest.raises(PoolClosedError):
        Task(driver, 1, "f").start()


def test_a_start_that_was_interrupted_is_asked_for_again(
    task: Task[Any], driver: FakeDriver
) -> None:
    start_task = driver.start_task

    def torn(task: Task[Any]) -> None:
        raise KeyboardInterrupt

    driver.start_task = torn  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        task.start()
    driver.start_task = start_task  # type: ignore[method-assign]
    submitted = task.timings.submitted
    task.start().start()
    assert driver.calls == [("start", 7)]
    assert task.timings.submitted == submitted


def test_cancelled_before_it_was_started_it_never_starts(
    task: Task[Any], driver: FakeDriver
) -> None:
    task.cancel()
    assert task.status is CANCELED
    task.start().cancel()
    assert driver.calls == [("cancel", float("inf"))]


def test_cancelled_after_its_start_it_asks_the_pool(task: Task[Any], driver: FakeDriver) -> None:
    task.start().cancel(2)
    task.cancel()
    assert driver.calls == [("start", 7), ("cancel", 2.0), ("cancel", float("inf"))]
    task._finish(CANCELED)
    task.cancel()
    assert len(driver.calls) == 3


def test_the_first_end_is_the_only_one(task: Task[Any]) -> None:
    kinds: list[TaskEventType] = []
    task.listen(lambda event: kinds.append(event.type))
    begin(task)
    complete(task, 1)
    task._finish(FAILED, None, ExecutionException("late"))
    task._finish(CANCELED)
    assert (task.status, task.result, task.error) == (COMPLETED, 1, None)
    assert kinds == [STARTED, COMPLETION]


def test_the_value_is_rebuilt_once_and_by_who_asks(task: Task[Any]) -> None:
    rebuilt: list[str] = []

    def load(task: Task[Any]) -> str:
        rebuilt.append(threading.current_thread().name)
        return "value"

    begin(task)
    task._finish(COMPLETED, load)
    assert task.future.done()
    assert not rebuilt
    threads = [threading.Thread(target=lambda: task.result) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rebuilt) == 1
    assert rebuilt[0] != threading.main_thread().name
    assert task.future.result(0) == task.result == "value"


def test_a_value_that_cannot_be_rebuilt_makes_it_failed_for_everybody(task: Task[Any]) -> None:
    def load(task: Task[Any]) -> Any:
        raise ResultError("can't")

    kinds: list[TaskEventType] = []
    task.listen(lambda event: kinds.append(event.type))
    begin(task)
    task._finish(COMPLETED, load)
    assert task.status is FAILED
    assert task.error == "can't"
    assert task.future.exception(0) is task.exception
    assert kinds == [STARTED, TaskEventType.FAILURE]
    with pytest.raises(InvalidStateError, match="can't"):
        _ = task.result


@pytest.mark.parametrize("noticed", ["by nobody", "by a listener", "in a future", "by a waker"])
def test_a_task_that_ends_with_a_frame_has_its_value(noticed: str) -> None:
    driver = FakeDriver()
    task: Task[Any] = Task(driver, 7, "work.py:f")
    heard: list[Any] = []
    if noticed == "by a listener":
        task.listen(lambda event: heard.append(event.type))
    elif noticed == "in a future":
        task.future.add_done_callback(lambda future: heard.append(future.done()))
    elif noticed == "by a waker":
        task._when_ended(lambda: heard.append("woken"))
    task.start()
    for frame in (b"first", b"late"):
        task._complete(lambda task: task._result.decode(), frame, TaskWorker(0, 4711), 1.5, 100.0)
    assert task.wait_for().result == "first"
    assert task.worker == (0, 4711)
    assert task.timings.finished is not None
    assert task.timings.started == task.timings.finished - 1.5
    expected = {"by a listener": [STARTED, COMPLETION], "in a future": [True]}
    expected["by a waker"] = ["woken"]
    assert heard == expected.get(noticed, [])


def test_a_frame_that_cannot_be_rebuilt_makes_it_failed(task: Task[Any]) -> None:
    def load(task: Task[Any]) -> Any:
        raise ResultError("can't")

    begin(task)
    task._complete(load, b"frame", TaskWorker(0, 4711), 1.5, 100.0)
    assert task.status is FAILED
    assert task._result is None


def test_a_value_may_ask_about_its_own_task_while_it_is_rebuilt(task: Task[Any]) -> None:
    begin(task)
    task._finish(COMPLETED, lambda task: task.started)
    assert task.result is True


def test_progress_in_a_listener_is_that_of_the_event() -> None:
    driver = FakeDriver(eager=False)
    task: Task[Any] = Task(driver, 1, "f")
    seen: list[Any] = []
    task.listen(lambda event: seen.append((event.type, task.current, task.message)))
    begin(task)
    for i in range(3):
        task._update(f"m{i}", i, None)
    complete(task)
    assert task.current == 2
    driver.run()
    assert seen == [
        (STARTED, None, None),
        (UPDATE, 0, "m0"),
        (UPDATE, 1, "m1"),
        (UPDATE, 2, "m2"),
        (COMPLETION, 2, "m2"),
    ]


def test_progress_of_another_task_in_a_listener_is_the_latest(driver: FakeDriver) -> None:
    one, other = (Task[Any](driver, number, "f") for number in (1, 2))
    seen: list[Any] = []
    one.listen(lambda event: seen.append(other.current))
    begin(other)
    other._update(None, 5, None)
    begin(one)
    assert seen == [5]


def test_a_listener_that_is_removed_while_events_wait_hears_none_of_them() -> None:
    driver = FakeDriver(eager=False)
    task: Task[Any] = Task(driver, 1, "f")
    seen: list[TaskEvent] = []
    task.listen(seen.append)
    begin(task)
    complete(task)
    task.remove_listener(seen.append)
    driver.run()
    assert not seen


def test_a_late_listener_hears_the_end_though_others_still_wait_for_it() -> None:
    driver = FakeDriver(eager=False)
    task: Task[Any] = Task(driver, 1, "f")
    early: list[TaskEventType] = []
    late: list[TaskEventType] = []
    task.listen(lambda event: early.append(event.type))
    begin(task)
    complete(task)
    task.listen(lambda event: late.append(event.type))
    assert (early, late) == ([], [COMPLETION])
    driver.run()
    assert (early, late) == ([STARTED, COMPLETION], [COMPLETION])


def test_updates_that_wait_for_a_slow_listener_are_bounded_and_the_end_is_none_of_them() -> None:
    driver = FakeDriver(eager=False)
    task: Task[Any] = Task(driver, 1, "f")
    seen: list[tuple[TaskEventType, Any]] = []
    task.listen(lambda event: seen.append((event.type, task.current)))
    begin(task)
    for i in range(3 * MAX_UNTOLD):
        task._update(None, i, None)
    assert len(driver.waiting) == MAX_UNTOLD
    driver.run()
    assert seen[-1] == (UPDATE, MAX_UNTOLD - 2)
    task._update(None, -1, None)
    complete(task)
    driver.run()
    assert seen[-2:] == [(UPDATE, -1), (COMPLETION, -1)]


def test_wait_for_waits_a_moment_for_listeners_and_no_longer() -> None:
    driver = FakeDriver(eager=False)
    task: Task[Any] = Task(driver, 1, "f")
    task.listen(lambda event: None)
    begin(task)
    complete(task, 1)
    assert task.wait_for(0.05).result == 1  # nobody delivers


def test_a_requeued_task_is_pending_again(task: Task[Any]) -> None:
    begin(task)
    task._requeue()
    assert (task.status, task.worker, task.timings.started) == (TaskStatus.PENDING, None, None)
    task._start(TaskWorker(1, 4712))
    complete(task, 1)
    assert task.result == 1


def test_outputs_are_rebuilt_once_and_outside_the_tasks_lock(task: Task[Any]) -> None:
    rebuilt: list[str] = []

    def decode(task: Task[Any]) -> str:
        # Another thread can use the task meanwhile, as the loop thread must.
        thread = threading.Thread(target=lambda: task._set_output("b", lambda task: 2))
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
        rebuilt.append("a")
        return "value"

    begin(task)
    task._set_output("a", decode)
    assert task.outputs["a"] == "value"
    assert task.outputs == {"a": "value", "b": 2}
    assert rebuilt == ["a"]


def test_an_output_that_cannot_be_rebuilt_is_its_error(task: Task[Any]) -> None:
    def decode(task: Task[Any]) -> Any:
        raise ResultError("can't")

    task._set_output("a", decode)
    assert isinstance(task.outputs["a"], ResultError)


def test_its_repr_says_what_it_is(task: Task[Any]) -> None:
    assert repr(task) == f"<Task {task.id[:8]} work.py:f pending>"


def test_whoever_waits_is_woken_before_listeners_run() -> None:
    order: list[str] = []
    driver = FakeDriver()
    task: Task[Any] = Task(driver, 1, "f")
    task.listen(lambda event: order.append("listener") if event.type is COMPLETION else None)
    task._when_ended(lambda: order.append("waker"))
    begin(task)
    complete(task)
    task._when_ended(lambda: order.append("late waker"))
    assert order == ["waker", "listener", "late waker"]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_timing_each_listener_gets_one_end(seed: int) -> None:
    dice = random.Random(seed)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            _race(dice)
    finally:
        sys.setswitchinterval(switch)


def _race(dice: random.Random) -> None:
    """Listen, finish and cancel at the same moment, from several threads."""
    task: Task[Any] = Task(FakeDriver(), 1, "f")
    begin(task)
    heard: list[list[TaskEventType]] = [[] for _ in range(3)]
    barrier = threading.Barrier(5)

    def listen(mine: list[TaskEventType]) -> None:
        barrier.wait()
        task.listen(lambda event: mine.append(event.type))

    def finish(how: Callable[[], None]) -> None:
        barrier.wait()
        how()

    ends: list[Callable[[], None]] = [
        lambda: complete(task, 1),
        lambda: task._finish(CANCELED),
    ]
    dice.shuffle(ends)
    threads = [threading.Thread(target=listen, args=(mine,)) for mine in heard]
    threads += [threading.Thread(target=finish, args=(how,)) for how in ends]
    dice.shuffle(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = COMPLETION if task.status is COMPLETED else CANCELATION
    assert heard == [[expected]] * 3
    assert task.future.cancelled() is (task.status is CANCELED)
