"""`map()` of quick functions, whose items share tasks: nobody can tell, but by the time."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ExecutionException, ResultError, WorkerLostError
from wetlands.map_sending import MapSender
from wetlands.pace import Pace


@pytest.fixture(autouse=True)
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the first items share tasks, too; give the sizes of tasks."""
    sizes: list[int] = []
    submit = MapSender._submit

    def note(sender: MapSender, first: int, items: Any, hear: Any) -> Any:
        sizes.append(len(items))
        return submit(sender, first, items, hear)

    monkeypatch.setattr(MapSender, "_submit", note)
    monkeypatch.setattr(Pace, "is_known", lambda pace: True)
    monkeypatch.setattr(Pace, "fitting", lambda pace, most: min(most, 50))
    return sizes


def outcomes(results: Iterator[Any]) -> tuple[list[Any], Exception | None]:
    found: list[Any] = []
    try:
        for result in results:
            found.append(result)  # noqa: PERF402  (those before an error count)
    except Exception as error:
        return found, error
    return found, None


def test_items_share_tasks(env: Environment, sizes: list[int]) -> None:
    assert list(env.map(WORK, "echo", range(200))) == list(range(200))
    assert sizes == [50] * 4


def test_how_many_follows_from_the_time_that_they_take(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    monkeypatch.undo()
    env = launch(max_workers=1)
    (pace,) = [env._pace(env._find(env._pool, str(WORK), "echo"))]  # type: ignore[arg-type]
    list(env.map(WORK, "echo", range(500)))
    assert pace.fitting(1000) > 1
    list(env.map(WORK, "nap", [0.003] * 10))
    (slow,) = [env._pace(env._find(env._pool, str(WORK), "nap"))]  # type: ignore[arg-type]
    assert slow.fitting(1000) == 1


def test_a_result_is_that_of_its_moment(env: Environment) -> None:
    def grow(item: int, seen: list[int] = []) -> list[int]:  # noqa: B006
        seen.append(item)
        return seen

    assert list(env.map(WORK, "grow", [1, 2, 3])) == [[1], [1, 2], [1, 2, 3]]
    # By value, each task has a function of its own.
    assert list(env.map(grow, [1, 2, 3])) == [[1], [2], [3]]


def test_items_are_apart_in_the_worker_though_they_are_one_in_the_host(env: Environment) -> None:
    shared = [0]
    assert list(env.map(WORK, "append_one", [shared] * 4)) == [[0, 1]] * 4


def test_large_items_and_results_go_alone(env: Environment, sizes: list[int]) -> None:
    numpy = pytest.importorskip("numpy")
    large = numpy.arange(50_000)
    items = [1, 2, large, "text", bytes(100_000), 3]
    found = list(env.map(WORK, "echo", items))
    assert sizes == [2, 1, 1, 1, 1]
    assert [found[0], found[1], found[3], found[4], found[5]] == [1, 2, "text", bytes(100_000), 3]
    assert (found[2] == large).all()
    shapes = [result.shape for result in env.map("numpy", "zeros", [5, 100_000, 6, 7])]
    assert shapes == [(5,), (100_000,), (6,), (7,)]
    sent = [len(result) for result in env.map(bytes, [3, 300_000, 300_000, 4])]
    assert sent == [3, 300_000, 300_000, 4]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_slow_item_holds_up_no_other_one(env: Environment, gate: Gate, ordered: bool) -> None:
    items = [(gate.path, i) for i in range(50)]
    results = env.map(WORK, "hold_third", items, ordered=ordered)
    marks = {f"ran{i}" for i in range(50)} - {"ran3"}
    wait_until(lambda: marks <= set(os.listdir(gate.path)))  # while nobody asks for a result
    first = [next(results) for _ in range(3 if ordered else 49)]
    assert 3 not in first
    gate.release()
    assert sorted(first + list(results)) == list(range(50))
    assert len(os.listdir(gate.path)) == 51  # none ran twice


def test_an_item_that_fails_ends_it_as_a_task_of_its_own_would(env: Environment) -> None:
    found, error = outcomes(env.map(WORK, "square_unless", range(50)))
    assert found == [0, 1, 4]
    assert isinstance(error, ExecutionException)
    task = env.submit(WORK, "square_unless", (3,)).wait_for(5)
    alone: Any = task.exception
    assert (error.type_name, error.exception) == (alone.type_name, alone.exception)
    assert error.traceback == alone.traceback
    assert (error.item, error.environment) == (3, alone.environment)
    assert error.worker in (0, 1)


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt])
def test_whatever_an_item_raises_fails_it_alone(env: Environment, raised: Any) -> None:
    def work(item: int) -> int:
        if item == 2:
            raise raised("enough")
        return item

    found, error = outcomes(env.map(work, range(4)))
    assert found == [0, 1]
    assert isinstance(error, ExecutionException)
    assert error.type_name == raised.__name__
    assert env.execute(WORK, "echo", (1,)) == 1


def test_a_result_that_cannot_be_sent_fails_its_item_alone(env: Environment) -> None:
    found, error = outcomes(env.map(WORK, "lock_at_two", range(5)))
    assert found == [0, 1]
    assert isinstance(error, ResultError)
    assert "lock" in error.exception
    assert error.item == 2


def test_an_item_that_cannot_be_rebuilt_there_fails_alone(env: Environment) -> None:
    found, error = outcomes(env.map(WORK, "echo", [1, 2, OnlyHere(), 3]))
    assert found == [1, 2]
    assert isinstance(error, ExecutionException)
    assert error.item == 2


class OnlyHere:
    def __reduce__(self) -> Any:
        return __import__, ("no_such_module_anywhere",)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_worker_that_dies_costs_no_result_that_was_made_and_names_the_item(
    launch: Launch, ordered: bool, gate: Gate
) -> None:
    env = launch(max_workers=1)
    items = [(gate.path, i, 7) for i in range(40)]
    found, error = outcomes(env.map(WORK, "mark_and_die_at", items, ordered=ordered))
    assert found == list(range(7))
    assert isinstance(error, WorkerLostError)
    assert error.item == 7
    assert "item 7" in str(error)
    assert sorted(os.listdir(gate.path)) == [f"ran{i}" for i in range(8)]  # at most once
    assert env.execute(WORK, "echo", (1,)) == 1


def test_functions_that_take_the_handle_get_a_task_for_each_item(env: Environment) -> None:
    def work(item: int, task: Any = None) -> Any:
        task.update(f"at {item}")
        if item == 4:
            task.cancel()
        return item, task._task

    results = env.map(work, range(10))
    found = [next(results) for _ in range(4)]
    assert [item for item, _ in found] == [0, 1, 2, 3]
    assert len({number for _, number in found}) == 4
    error = outcomes(results)[1]
    assert type(error).__name__ == "CancelledError"


def test_with_retries_items_go_alone(env: Environment, sizes: list[int]) -> None:
    assert list(env.map(WORK, "echo", range(5), retries=1)) == list(range(5))
    assert sizes == [1] * 5


def test_where_tasks_are_counted_items_go_alone(launch: Launch, sizes: list[int]) -> None:
    env = launch(max_workers=1, max_tasks_per_worker=1)
    assert len(set(env.map(WORK, "pid", range(3)))) == 3
    assert sizes == [1] * 3


def test_proxies_become_their_values(env: Environment) -> None:
    kept = env.execute(WORK, "echo", ([1, 2],), result="proxy")
    assert list(env.map(WORK, "echo", [0, kept, 3, [kept]])) == [0, [1, 2], 3, [[1, 2]]]


def test_a_child_that_an_item_forks_runs_no_other_item(env: Environment, gate: Gate) -> None:
    items = [(gate.path, i) for i in range(6)]
    assert list(env.map(WORK, "fork_at_two", items)) == list(range(6))
    wait_until(lambda: "child" in os.listdir(gate.path))
    assert len(os.listdir(gate.path)) == 7


def test_leaving_it_stops_a_chunk_between_two_items(env: Environment, gate: Gate) -> None:
    results: Any = env.map(WORK, "hold_third", [(gate.path, i) for i in range(3, 9)])
    wait_until(lambda: "held" in os.listdir(gate.path))
    results.close()
    gate.release()
    env.execute(WORK, "echo", (1,))


def test_an_iterable_may_wait_for_what_its_items_do(env: Environment, gate: Gate) -> None:
    def items() -> Iterator[str]:
        for i in itertools.count():
            yield gate.path
            if i % 3 == 2:  # two are to share a task with this one
                wait_until(lambda i=i: len(os.listdir(gate.path)) == i + 1)  # type: ignore[misc]
            if i == 8:
                return

    assert len(list(env.map(WORK, "count_call", items()))) == 9


def test_a_changed_file_is_loaded_again(env: Environment, tmp_path: Any) -> None:
    path = tmp_path / "changing.py"
    path.write_text("def work(x): return 1\n")
    assert set(env.map(path, "work", range(20))) == {1}
    path.write_text("def work(x): return 22\n")
    assert set(env.map(path, "work", range(20))) == {22}


def test_workers_that_are_not_trusted_send_data(launch: Launch) -> None:
    env = launch(max_workers=1, trust="data")
    assert list(env.map(WORK, "echo", [1, "a", [2], {"b": (3,)}])) == [1, "a", [2], {"b": (3,)}]
    found, error = outcomes(env.map(WORK, "code_at_two", range(5)))
    assert found == [0, 1]
    assert isinstance(error, ResultError)


def test_closing_the_environment_ends_it_with_an_error(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=1)
    results = env.map(WORK, "hold_third", [(gate.path, i) for i in range(60)])
    assert next(results) == 0
    env.exit(grace=0)
    assert outcomes(results)[1] is not None


KINDS = st.sampled_from(["quick", "quick", "quick", "list", "slow", "large", "fail", "lock"])


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(KINDS, max_size=60), st.booleans())
def test_whatever_the_items_do_the_results_are_those_of_separate_tasks(
    shared: Environment, kinds: list[str], as_iterator: bool
) -> None:
    items = list(enumerate(kinds))
    expected: list[Any] = []
    failed: type[Exception] | None = None
    for number, kind in items:
        if kind in ("fail", "lock"):
            failed = ResultError if kind == "lock" else ExecutionException
            break
        expected.append({"list": [number], "large": bytes(300_000)}.get(kind, number))
    begin = time.monotonic()
    found, error = outcomes(shared.map(WORK, "do", iter(items) if as_iterator else items))
    assert found == expected
    assert (type(error) if error else None) is failed
    if isinstance(error, ExecutionException):
        assert error.item == len(expected)
    assert time.monotonic() - begin < 20
