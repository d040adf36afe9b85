"""`MapIterator` and its window on tasks that end when the test says so."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

import pytest

from tests.unit.test_task import FakeDriver, begin, complete
from wetlands import map_window
from wetlands.errors import ExecutionException, ResultError, WorkerLostError
from wetlands.map_task import MapTask
from wetlands.map_window import Window
from wetlands.mapping import MapIterator
from wetlands.task import Task, TaskStatus
from worker_entry import journal
from worker_entry.journal import Report

#: An item that can't be sent.
BAD = ["bad"]


class Pool(FakeDriver):
    """A pool, and what sends to it: so many items in a task; keeps tasks by their first item."""

    def __init__(self, chunk: int | None = None, size: int = 10) -> None:
        super().__init__(eager=False)
        self.chunk = chunk
        self.size = size
        self.tasks: dict[Any, MapTask] = {}
        self.canceled: list[Any] = []
        self.learned: list[tuple[int, float]] = []
        self.late: list[Callable[[], None]] = []
        self.refuses = False

    # -- what sends

    def fitting(self, most: int) -> int:
        return min(self.chunk or 1, most)

    def is_learning(self) -> bool:
        return False

    def learn(self, items: int, seconds: float, *, large: bool = False) -> None:
        self.learned.append((items, seconds))

    def prepare(self, item: Any) -> Any:
        if item == BAD:
            raise ValueError("bad item")
        return item

    def send(self, first: int, items: Sequence[Any], most: int, hear: Any) -> Iterator[MapTask]:
        if self.refuses:
            raise OSError("closed")
        for at in range(0, len(items), self.fitting(most)):
            part = items[at : at + self.fitting(most)]
            args = (first + at, part, self.size, self.chunk is not None, hear)
            task = MapTask(self, len(self.tasks), "f", *args)
            self.tasks[part[0]] = task
            begin(task)
            yield task

    def rebuild(self, pickles: Iterator[bytes], task: MapTask) -> Iterator[Any]:
        for pickle in pickles:
            if pickle == b"bad":
                raise ResultError("can't be rebuilt")
            yield pickle.decode()

    # -- the pool

    def cancel_soon(self, tasks: list[Task[Any]]) -> None:
        self.canceled += [item for item, found in self.tasks.items() if found in tasks]

    def deliver_later(self, delay: float, call: Callable[[], None]) -> None:
        self.late.append(call)


def iterate(
    pool: Pool, items: Any, *, workers: int = 1, timeout: float | None = 1.0, ordered: bool = True
) -> MapIterator:
    sender: Any = pool
    return MapIterator(Window(sender, items, pool, workers, ordered), timeout)


def row(*results: str) -> bytes:
    return journal.join_items(0, [result.encode() for result in results])[4:]


def report(*results: str, begun: int, own: bool = False) -> bytes:
    return Report(begun, own, 0.5, row(*results)).encode()


def tell(task: MapTask, *results: str, begun: int, own: bool = False) -> None:
    """Have a worker report on a chunk."""
    task._set_output(journal.REPORT, lambda task: report(*results, begun=begun, own=own))


def end(task: MapTask, *results: str) -> None:
    """Have a chunk come to its end."""
    complete(task, report(*results, begun=task.count))


# -- one item in a task ----------------------------------------------------------------------------


def test_everything_that_fits_the_window_is_submitted_at_once() -> None:
    pool = Pool()
    iterate(pool, range(10))
    assert list(pool.tasks) == list(range(10))


def test_the_window_is_bounded_in_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_window, "WINDOW_ITEMS", 5)
    pool = Pool()
    results = iterate(pool, itertools.count())
    assert len(pool.tasks) == 5
    complete(pool.tasks[0], "zero")
    assert next(results) == "zero"
    complete(pool.tasks[1], "one")
    assert next(results) == "one"
    assert len(pool.tasks) == 6


def test_the_window_is_bounded_in_bytes_but_never_below_the_minimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(map_window, "WINDOW_BYTES", 100)
    pool = Pool(size=60)
    iterate(pool, itertools.count(), workers=1)
    assert len(pool.tasks) == 2
    pool = Pool(size=1000)
    iterate(pool, itertools.count(), workers=2)
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
def test_a_failure_is_raised_names_its_item_and_the_rest_is_canceled(ordered: bool) -> None:
    pool = Pool()
    results = iterate(pool, "abc", ordered=ordered)
    pool.tasks["a"]._finish(TaskStatus.FAILED, None, ExecutionException("no"))
    with pytest.raises(ExecutionException, match="no") as raised:
        next(results)
    assert raised.value.item == 0
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
    with pytest.raises(ValueError, match="bad item"):
        iterate(pool, ["a", "b", BAD])
    assert pool.canceled == ["a", "b"]


def test_a_later_item_that_cannot_be_had_costs_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_window, "WINDOW_ITEMS", 1)

    def items() -> Any:
        yield from "ab"
        raise OSError("gone")

    pool = Pool()
    results = iterate(pool, items(), workers=1)
    complete(pool.tasks["a"], 1)
    complete(pool.tasks["b"], 2)
    assert next(results) == 1
    assert next(results) == 2
    with pytest.raises(OSError, match="gone"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)
    assert not pool.canceled


# -- chunks ----------------------------------------------------------------------------------------


def test_items_go_in_chunks_and_what_is_left_over_in_a_smaller_one() -> None:
    pool = Pool(3)
    results = iterate(pool, "abcdefgh")
    assert [task.count for task in pool.tasks.values()] == [3, 3, 2]
    end(pool.tasks["d"], "D", "E", "F")
    end(pool.tasks["g"], "G", "H")
    end(pool.tasks["a"], "A", "B", "C")
    assert "".join(results) == "ABCDEFGH"
    assert pool.learned == [(3, 0.5), (3, 0.5), (2, 0.5)]


def test_two_chunks_for_each_worker_fit_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_window, "WINDOW_ITEMS", 20)
    pool = Pool(100)
    results = iterate(pool, itertools.count(), workers=2)
    assert [task.count for task in pool.tasks.values()] == [5, 5, 5, 5]
    results.close()


def test_items_before_one_that_cannot_be_sent_are_sent() -> None:
    pool = Pool(3)

    def items() -> Iterator[Any]:
        yield from "ab"
        yield BAD

    with pytest.raises(ValueError, match="bad item"):
        iterate(pool, items())
    assert [task.count for task in pool.tasks.values()] == [2]
    assert pool.canceled == ["a"]


def test_what_a_worker_gives_back_is_sent_again_in_its_place() -> None:
    pool = Pool(4)
    results = iterate(pool, "abcdefgh")
    tell(pool.tasks["a"], "A", begun=2)
    pool.run()
    assert [task.first for task in pool.tasks.values()] == [0, 4, 2]
    assert next(results) == "A"  # before the slow one has ended
    end(pool.tasks["c"], "C", "D")
    end(pool.tasks["e"], *"EFGH")
    end(pool.tasks["a"], "A", "B")
    assert "".join(results) == "BCDEFGH"


def test_it_is_sent_again_though_the_report_of_it_was_lost() -> None:
    pool = Pool(4)
    results = iterate(pool, "abcd")
    end(pool.tasks["a"], "A", "B")
    assert [next(results), next(results)] == ["A", "B"]
    end(pool.tasks["c"], "C", "D")
    assert "".join(results) == "CD"


@pytest.mark.parametrize("ordered", [True, False])
def test_what_cannot_be_sent_again_raises_in_its_place(ordered: bool) -> None:
    pool = Pool(4)
    results = iterate(pool, "abcd", ordered=ordered)
    pool.refuses = True
    tell(pool.tasks["a"], "A", begun=2)
    pool.run()
    end(pool.tasks["a"], "A", "B")
    assert [next(results), next(results)] == ["A", "B"]
    with pytest.raises(OSError, match="closed"):
        next(results)


def test_unordered_chunks_come_as_they_end_and_reports_at_once() -> None:
    pool = Pool(2)
    results = iterate(pool, "abcdef", ordered=False)
    end(pool.tasks["c"], "C", "D")
    tell(pool.tasks["e"], "E", begun=2)
    pool.run()
    assert [next(results) for _ in range(3)] == ["C", "D", "E"]
    end(pool.tasks["e"], "E", "F")
    end(pool.tasks["a"], "A", "B")
    assert "".join(results) == "FAB"


def test_a_large_result_comes_by_itself_after_those_before_it() -> None:
    pool = Pool(4)
    results = iterate(pool, "abcd")
    tell(pool.tasks["a"], "A", begun=2, own=True)
    complete(pool.tasks["a"], "large")
    assert [next(results), next(results)] == ["A", "large"]
    end(pool.tasks["c"], "C", "D")
    assert "".join(results) == "CD"


def test_a_failed_item_raises_after_the_results_before_it() -> None:
    pool = Pool(4)
    results = iterate(pool, "abcdefgh")
    tell(pool.tasks["a"], "A", "B", begun=4)
    pool.tasks["a"]._finish(TaskStatus.FAILED, None, ExecutionException("no"))
    assert [next(results), next(results)] == ["A", "B"]
    with pytest.raises(ExecutionException) as raised:
        next(results)
    assert raised.value.item == 2
    assert pool.canceled == ["e"]


def test_a_lost_worker_costs_no_result_that_it_had_made() -> None:
    pool = Pool(4)
    results = iterate(pool, "abcd")
    lost = WorkerLostError("worker 0 died")
    lost._row = row("A", "B", "C")
    pool.tasks["a"]._finish(TaskStatus.FAILED, None, lost)
    assert [next(results) for _ in range(3)] == ["A", "B", "C"]
    with pytest.raises(WorkerLostError, match="at item 3") as raised:
        next(results)
    assert raised.value.item == 3


def test_a_result_that_cannot_be_rebuilt_raises_in_its_place() -> None:
    pool = Pool(3)
    results = iterate(pool, "abc")
    end(pool.tasks["a"], "A", "bad", "C")
    assert next(results) == "A"
    with pytest.raises(ResultError) as raised:
        next(results)
    assert raised.value.item == 1
    assert list(results) == []


@pytest.mark.parametrize("value", [b"", None, Report(9, False, 0.0, b"\0\0\0\7cut").encode()])
def test_a_report_that_makes_no_sense_is_an_error(value: object) -> None:
    pool = Pool(3)
    results = iterate(pool, "abc")
    complete(pool.tasks["a"], value)
    with pytest.raises(ResultError, match="sense"):
        next(results)


def test_too_many_results_are_an_error() -> None:
    pool = Pool(2)
    results = iterate(pool, "ab")
    end(pool.tasks["a"], "A", "B", "C")
    with pytest.raises(ResultError, match="3 results for 2 items"):
        list(results)


# -- iterables that take their time ----------------------------------------------------------------


def test_what_was_taken_is_sent_while_the_iterable_thinks() -> None:
    pool = Pool(10)
    seen: list[list[int]] = []

    def items() -> Iterator[str]:
        yield from "abc"
        pool.late.pop()()  # time passes
        seen.append([task.count for task in pool.tasks.values()])
        yield "d"

    results = iterate(pool, items())
    assert seen == [[3]]
    assert [task.count for task in pool.tasks.values()] == [3, 1]
    end(pool.tasks["a"], "A", "B", "C")
    end(pool.tasks["d"], "D")
    assert "".join(results) == "ABCD"


def test_a_bad_item_that_is_found_meanwhile_raises_as_ever() -> None:
    pool = Pool(10)

    def items() -> Iterator[Any]:
        yield "a"
        yield BAD
        pool.late.pop()()
        yield "c"

    with pytest.raises(ValueError, match="bad item"):
        iterate(pool, items())
    assert list(pool.tasks) == ["a"]


def test_nobody_looks_at_iterables_that_cannot_wait() -> None:
    pool = Pool(10)
    results = iterate(pool, list("abc"))
    assert not pool.late
    results.close()


def test_closing_while_the_iterable_thinks_sends_nothing_more() -> None:
    pool = Pool(10)
    results = iterate(pool, iter("abc"))
    results.close()
    pool.late.pop()()
    assert pool.canceled == ["a"]
