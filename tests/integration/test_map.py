"""`map()` and `map_tasks()`."""

from __future__ import annotations

import gc
import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ConfigurationError, SerializationError
from wetlands.map_window import WINDOW_ITEMS
from wetlands.task import ExecutionException, TaskStatus


def test_results_come_in_the_order_of_the_items(env: Environment) -> None:
    assert list(env.map(WORK, "echo", range(300))) == list(range(300))


def test_a_slow_item_holds_back_later_ones_when_ordered(env: Environment, gate: Gate) -> None:
    def work(item: int) -> int:
        path = os.path.join(folder, "gate.released")
        while item == 0 and not os.path.exists(path):
            pass
        return item

    folder = gate.path
    results = env.map(work, range(5))
    gate.release()
    assert list(results) == [0, 1, 2, 3, 4]


def test_unordered_results_come_as_they_are_ready(env: Environment, gate: Gate) -> None:
    def work(item: int) -> int:
        path = os.path.join(folder, "gate.released")
        while item == 0 and not os.path.exists(path):
            pass
        return item

    folder = gate.path
    results = env.map(work, range(6), ordered=False)
    first = [next(results) for _ in range(5)]
    assert sorted(first) == [1, 2, 3, 4, 5]
    gate.release()
    assert list(results) == [0]


@pytest.mark.parametrize("ordered", [True, False])
def test_of_many_items_each_has_one_result(env: Environment, ordered: bool) -> None:
    results = list(env.map(WORK, "echo", range(WINDOW_ITEMS + 500), ordered=ordered))
    assert sorted(results) == list(range(WINDOW_ITEMS + 500))


@pytest.mark.parametrize("ordered", [True, False])
def test_no_items_give_no_results(env: Environment, ordered: bool) -> None:
    assert list(env.map(WORK, "echo", [], ordered=ordered)) == []
    assert env.map_tasks(WORK, "echo", []) == []


def test_items_are_submitted_before_anything_is_asked_for(env: Environment, gate: Gate) -> None:
    results = env.map(WORK, "count_call", [gate.path] * 4)
    wait_until(lambda: len(os.listdir(gate.path)) == 4)
    assert len(list(results)) == 4


def test_an_endless_iterable_is_taken_in_windows(env: Environment) -> None:
    taken = itertools.count()
    results = env.map(WORK, "echo", (next(taken) for _ in itertools.count()))
    assert list(itertools.islice(results, 5)) == [0, 1, 2, 3, 4]
    assert next(taken) <= WINDOW_ITEMS + 10
    results.close()  # type: ignore[attr-defined]


def test_large_items_make_a_small_window(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wetlands.map_window.WINDOW_BYTES", 100_000)
    taken: list[int] = []

    def items() -> Iterator[bytes]:
        for i in itertools.count():
            taken.append(i)
            yield bytes(50_000)

    results = env.map(WORK, "echo", items())
    next(results)
    assert len(taken) <= 2 * env.worker_count + 2
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_failing_item_raises_and_cancels_the_rest(
    env: Environment, gate: Gate, ordered: bool
) -> None:
    def work(item: int, *, task: Any = None) -> int:
        if item == 1:
            raise ValueError(f"bad item {item}")
        if item == 2:
            open(os.path.join(folder, "gate.started"), "w").close()
            if task.wait_for_cancel(10):
                open(os.path.join(folder, "asked"), "w").close()
        return item

    folder = gate.path
    results = env.map(work, range(50), ordered=ordered)
    with pytest.raises(ExecutionException, match="bad item 1"):
        list(results)
    if gate.has_started():
        wait_until(lambda: "asked" in os.listdir(gate.path))
    assert list(results) == []
    assert env.execute(WORK, "echo", (1,)) == 1


def test_a_canceled_item_raises_cancelled_error(env: Environment) -> None:
    def work(item: int, *, task: Any = None) -> None:
        task.cancel()

    with pytest.raises(CancelledError):
        next(env.map(work, [1, 2]))


@pytest.mark.parametrize("ordered", [True, False])
def test_a_result_that_takes_too_long_raises_timeout(
    env: Environment, gate: Gate, ordered: bool
) -> None:
    held = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
    results = env.map(WORK, "echo", range(3), timeout=0.1, ordered=ordered)
    with pytest.raises(TimeoutError):
        next(results)
    gate.release("a", "b")
    assert [task.wait_for(5).result for task in held] == ["a", "b"]


@pytest.mark.parametrize("how", ["close", "drop"])
def test_an_iterator_that_is_left_cancels_what_was_not_taken(
    env: Environment, gate: Gate, how: str
) -> None:
    held = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
    gate.wait_started("a", "b")
    results: Any = env.map(WORK, "count_call", [gate.path] * 10)
    if how == "close":
        results.close()
        assert list(results) == []
    del results
    gc.collect()
    gate.release("a", "b")
    for task in held:
        task.wait_for(5)
    env.execute(WORK, "echo", (1,))
    assert not [name for name in os.listdir(gate.path) if name.startswith("call")]


def test_the_function_may_be_a_callable(env: Environment) -> None:
    assert list(env.map(abs, [-1, -2])) == [1, 2]
    assert list(env.map(abs, iterable=[-1])) == [1]
    assert [task.wait_for(5).result for task in env.map_tasks(abs, [-1, -2])] == [1, 2]


def test_an_iterable_that_raises_at_once_raises_from_map(env: Environment) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        env.map(WORK, "echo", items())
    with pytest.raises(OSError, match="no more"):
        env.map_tasks(WORK, "echo", items())


def test_an_iterable_that_raises_later_raises_after_the_results_before(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wetlands.map_window.WINDOW_ITEMS", 1)

    def items() -> Iterator[int]:
        yield from range(8)
        raise OSError("no more")

    results = env.map(WORK, "echo", items())
    assert list(itertools.islice(results, 8)) == list(range(8))
    with pytest.raises(OSError, match="no more"):
        next(results)
    assert list(results) == []


def test_an_item_that_cannot_be_sent_is_named(env: Environment) -> None:
    for call in (env.map, env.map_tasks):
        with pytest.raises(SerializationError, match=r"args\[0\].*lock"):
            call(WORK, "echo", [1, threading.Lock()])


@pytest.mark.parametrize("items", [None, 5])
def test_what_is_no_iterable_is_refused(env: Environment, items: Any) -> None:
    with pytest.raises(ConfigurationError, match="iterable"):
        env.map(WORK, "echo", items)


def test_map_tasks_gives_a_task_for_each_item_in_order(env: Environment) -> None:
    tasks = env.map_tasks(WORK, "square_unless", range(6))
    for task in tasks:
        task.wait_for(5)
    assert [task.status is TaskStatus.FAILED for task in tasks] == [i == 3 for i in range(6)]
    assert [task.result for task in tasks if task.error is None] == [0, 1, 4, 16, 25]


def test_map_tasks_reports_progress_of_each(env: Environment) -> None:
    lines: list[str] = []
    tasks = env.map_tasks(WORK, "report", [1, 2])
    for task in tasks:
        task.listen(lambda event: lines.append(f"[{event.task.progress:.0%}]"))
    for task in tasks:
        task.wait_for(5)
    assert set(lines) <= {"[50%]", "[100%]"}
    assert len(lines) >= 2


def test_several_threads_may_map_at_once(env: Environment) -> None:
    seen: dict[int, Any] = {}

    def work(number: int) -> None:
        seen[number] = list(env.map(WORK, "echo", range(number, number + 100)))

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1000 * i: list(range(1000 * i, 1000 * i + 100)) for i in range(4)}


def test_an_iterator_may_be_collected_on_any_thread(env: Environment, gate: Gate) -> None:
    # The garbage collector chooses the thread; here it is the one that serves all pools.
    results: Any = env.map(WORK, "hold_politely", [gate.path])
    pool: Any = env._pool
    pool._host.loop.post(pool._driver, results.close)
    assert env.execute(WORK, "echo", (1,)) == 1
