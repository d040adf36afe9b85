"""`MapIterator` on tasks that end when the test says so."""

from __future__ import annotations

import itertools
from concurrent.futures import CancelledError
from typing import Any

import pytest

from tests.unit.test_task import FakeDriver, begin, complete
from wetlands import mapping
from wetlands.errors import ExecutionException
from wetlands.mapping import MapIterator
from wetlands.task import Task, TaskStatus


class Pool(FakeDriver):
    """Submits tasks; keeps them by item."""

    def __init__(self, size: int = 10) -> None:
        super().__init__()
        self.size = size
        self.tasks: dict[Any, Task[Any]] = {}
        self.canceled: list[Any] = []

    def submit(self, item: Any) -> tuple[Task[Any], int]:
        task: Task[Any] = Task(self, len(self.tasks), "f")
        self.tasks[item] = task
        begin(task)
        return task, self.size

    def cancel_soon(self, tasks: list[Task[Any]]) -> None:
        self.canceled += [item for item, found in self.tasks.items() if found in tasks]


def iterate(
    pool: Pool, items: Any, *, minimum: int = 2, timeout: float | None = 1.0, ordered: bool = True
) -> MapIterator:
    return MapIterator(
        pool.submit, items, pool.cancel_soon, minimum=minimum, timeout=timeout, ordered=ordered
    )


def test_everything_that_fits_the_window_is_submitted_at_once() -> None:
    pool = Pool()
    iterate(pool, range(10))
    assert list(pool.tasks) == list(range(10))


def test_the_window_is_bounded_in_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "WINDOW_TASKS", 5)
    pool = Pool()
    results = iterate(pool, itertools.count())
    assert len(pool.tasks) == 5
    complete(pool.tasks[0], "zero")
    assert next(results) == "zero"
    assert len(pool.tasks) == 6


def test_the_window_is_bounded_in_bytes_but_never_below_the_minimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mapping, "WINDOW_BYTES", 100)
    pool = Pool(size=60)
    iterate(pool, itertools.count(), minimum=1)
    assert len(pool.tasks) == 2
    pool = Pool(size=1000)
    iterate(pool, itertools.count(), minimum=4)
    assert len(pool.tasks) == 4


def test_ordered_results_wait_for_their_turn() -> None:
    pool = Pool()
    results = iterate(pool, "abc")
    for item in "cba":
        complete(pool.tasks[item], item.upper())
    assert list(results) == ["A", "B", "C"]


def test_unordered_results_come_as_they_end() -> None:
    pool = Pool()
    results = iterate(pool, "abc", ordered=False)
    for item in "cab":
        complete(pool.tasks[item], item.upper())
    assert list(results) == ["C", "A", "B"]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_failure_is_raised_and_the_rest_canceled(ordered: bool) -> None:
    pool = Pool()
    results = iterate(pool, "abc", ordered=ordered)
    pool.tasks["a"]._finish(TaskStatus.FAILED, None, ExecutionException("no"))
    with pytest.raises(ExecutionException, match="no"):
        next(results)
    assert pool.canceled == ["b", "c"]
    with pytest.raises(StopIteration):
        next(results)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_canceled_item_raises_cancelled_error(ordered: bool) -> None:
    pool = Pool()
    results = iterate(pool, "ab", ordered=ordered)
    pool.tasks["a"]._finish(TaskStatus.CANCELED)
    with pytest.raises(CancelledError):
        next(results)
    assert pool.canceled == ["b"]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_late_result_raises_timeout_and_cancels_all(ordered: bool) -> None:
    pool = Pool()
    results = iterate(pool, "ab", timeout=0.01, ordered=ordered)
    with pytest.raises(TimeoutError):
        next(results)
    assert pool.canceled == ["a", "b"]


def test_dropping_it_cancels() -> None:
    pool = Pool()
    results: Any = iterate(pool, "ab")
    del results
    assert pool.canceled == ["a", "b"]


def test_a_used_up_one_cancels_nothing() -> None:
    pool = Pool()
    results = iterate(pool, "a")
    complete(pool.tasks["a"], 1)
    assert list(results) == [1]
    results.close()
    del results
    assert not pool.canceled


def test_an_item_that_cannot_be_submitted_cancels_those_before() -> None:
    pool = Pool()

    def submit(item: Any) -> tuple[Task[Any], int]:
        if item == "c":
            raise ValueError("bad item")
        return pool.submit(item)

    with pytest.raises(ValueError, match="bad item"):
        MapIterator(submit, "abc", pool.cancel_soon, minimum=2, timeout=None, ordered=True)
    assert pool.canceled == ["a", "b"]


def test_a_later_item_that_cannot_be_had_costs_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "WINDOW_TASKS", 1)

    def items() -> Any:
        yield from "ab"
        raise OSError("gone")

    pool = Pool()
    results = iterate(pool, items(), minimum=1)
    complete(pool.tasks["a"], 1)
    assert next(results) == 1
    complete(pool.tasks["b"], 2)
    assert next(results) == 2
    with pytest.raises(OSError, match="gone"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)
    assert not pool.canceled
