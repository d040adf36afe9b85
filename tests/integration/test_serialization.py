"""Arguments and results that cross, or can't, and whose they are."""

from __future__ import annotations

import random
import sys
import threading
import types
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from wetlands import Environment
from wetlands.errors import ResultError, SerializationError
from wetlands.task import TaskStatus


@pytest.mark.parametrize(
    "value",
    [None, True, -(2**200), 1.5, 1j, "日本\ud800", b"\x00", (1, [2, {"k": {3}}]), range(3), ...],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_come_back_as_they_went(env: Environment, value: Any) -> None:
    assert env.execute(WORK, "echo", (value,)) == value
    assert type(env.execute(WORK, "echo", (), {"value": value})) is type(value)


def test_a_large_value_comes_back_as_it_went(env: Environment) -> None:
    value = random.Random(1).randbytes(30_000_000)
    assert env.execute(WORK, "echo", (value,)) == value


def test_an_object_that_is_cyclic_comes_back_cyclic(env: Environment) -> None:
    ring: list[Any] = []
    ring.append(ring)
    found = env.execute(WORK, "echo", (ring,))
    assert found[0] is found


def test_the_arguments_are_those_of_the_moment_of_submission(env: Environment, gate: Gate) -> None:
    held = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
    value = [1]
    task = env.submit(WORK, "echo", (value,))
    value.append(2)
    gate.release("a", "b")
    assert task.wait_for(5).result == [1]
    for other in held:
        other.wait_for(5)


@pytest.mark.parametrize(
    ("args", "kwargs", "where"),
    [
        ((1, threading.Lock()), {}, r"args\[1\]"),
        ((), {"value": threading.Lock()}, r"kwargs\['value'\]"),
        (([{"deep": threading.Lock()}],), {}, r"args\[0\]"),
        ((threading.Event(),), {}, r"args\[0\]\._cond\._lock of type _thread.lock"),
        ((x for x in ()), {}, None),
    ],
)
def test_an_argument_that_cannot_be_sent_raises_at_submit_and_is_named(
    env: Environment, args: Any, kwargs: Any, where: str | None
) -> None:
    if where is None:
        args, where = (args,), r"args\[0\] of type generator"
    with pytest.raises(SerializationError, match=where) as caught:
        env.submit(WORK, "echo", args, kwargs)
    assert caught.value.where == "arguments"
    assert env.execute(WORK, "echo", (1,)) == 1


def test_an_argument_whose_pickling_raises_is_named(env: Environment) -> None:
    class Rude:
        def __getstate__(self) -> Any:
            raise ValueError("rude")

    with pytest.raises(SerializationError, match=r"args\[0\].*rude"):
        env.submit(WORK, "echo", (Rude(),))


def test_too_deep_an_argument_is_a_serialization_error(env: Environment) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SerializationError, match=r"args\[0\] is nested too deep"):
        env.submit(WORK, "echo", (deep,))
    while deep:  # or freeing it would recurse
        deep = deep[0]


def test_an_argument_that_the_environment_cannot_rebuild_fails_the_task(env: Environment) -> None:
    module = types.ModuleType("a_module_that_only_the_host_has")
    exec("class Thing: pass", module.__dict__)
    sys.modules[module.__name__] = module
    try:
        task = env.submit(WORK, "echo", (module.Thing(),)).wait_for(5)
    finally:
        del sys.modules[module.__name__]
    assert task.status is TaskStatus.FAILED
    assert "arguments can't be rebuilt" in (task.error or "")
    assert "a_module_that_only_the_host_has" in (task.error or "")


# -- results ---------------------------------------------------------------------------------------


def test_a_result_that_cannot_be_sent_fails_that_task_alone(env: Environment) -> None:
    task = env.submit(WORK, "unpicklable").wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert isinstance(task.exception, ResultError)
    assert "lock" in (task.error or "")
    assert "result" in (task.error or "")


def test_too_deep_a_result_fails_that_task_alone(env: Environment) -> None:
    task = env.submit(WORK, "nest", (100_000,)).wait_for(10)
    assert isinstance(task.exception, ResultError)


@pytest.mark.parametrize("function", ["of_a_foreign_type", "explodes_in_the_host"])
def test_a_result_that_the_host_cannot_rebuild_fails_that_task_alone(
    env: Environment, function: str
) -> None:
    task = env.submit(WORK, function)
    neighbour = env.submit(WORK, "echo", (1,))
    task.wait_for(5)
    assert neighbour.wait_for(5).result == 1
    assert task.status is TaskStatus.FAILED
    assert isinstance(task.exception, ResultError)
    assert "can't be rebuilt in the host" in (task.error or "")
    assert task.id in (task.error or "")


def test_results_are_rebuilt_by_who_asks_and_not_before(env: Environment) -> None:
    def slow() -> Any:
        class Slow:
            def __reduce__(self) -> Any:
                import time

                return time.sleep, (0.3,)

        return Slow()

    slow_task = env.submit(slow)
    slow_task.future.exception  # noqa: B018
    quick = [env.execute(WORK, "echo", (i,)) for i in range(20)]
    assert quick == list(range(20))
    assert slow_task.wait_for(5).result is None


def test_rebuilding_an_output_may_call_the_environment(env: Environment) -> None:
    # Code of the user that runs in the host must hold nothing that the pool needs.
    seen: list[Any] = []

    def publish(*, task: Any = None) -> str:
        class Asks:
            def __reduce__(self) -> Any:
                return __import__("tests.integration.hooks", fromlist=["call"]).call, ()

        import sys as sys_there
        import types as types_there

        hooks = types_there.ModuleType("tests.integration.hooks")
        exec("def call(): pass", hooks.__dict__)
        for name in ("tests", "tests.integration"):
            sys_there.modules.setdefault(name, types_there.ModuleType(name))
        sys_there.modules[hooks.__name__] = hooks
        hooks.call.__module__ = hooks.__name__
        task.set_output("asks", Asks())
        return "done"

    hooks = types.ModuleType("tests.integration.hooks")
    hooks.call = lambda: seen.append(env.execute(WORK, "echo", (1,)))  # type: ignore[attr-defined]
    sys.modules[hooks.__name__] = hooks
    try:
        task = env.submit(publish)
        assert task.wait_for(5).error is None
        _ = task.outputs
    finally:
        del sys.modules[hooks.__name__]
    assert seen == [1]


# -- whose they are --------------------------------------------------------------------------------


def test_a_canceled_task_leaves_no_result_for_the_next(env: Environment) -> None:
    for i in range(100):
        env.submit(WORK, "cancel_unasked")
        assert env.execute(WORK, "echo", (i,)) == i


def test_results_never_reach_the_wrong_task(env: Environment) -> None:
    generator = random.Random(20)
    tasks = env.map_tasks(WORK, "echo", range(1000))
    chosen = generator.sample(tasks, 400)
    threads = [
        threading.Thread(target=lambda part=part: [task.cancel() for task in part])
        for part in (chosen[:200], chosen[200:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, task in enumerate(tasks):
        if task.wait_for(5).status is TaskStatus.COMPLETED:
            assert task.result == number
        else:
            assert task.status is TaskStatus.CANCELED
            assert task in chosen


def test_results_never_reach_the_wrong_task_whatever_else_happens(env: Environment) -> None:
    generator = random.Random(21)
    functions = {
        "echo": lambda task, i: task.result == i,
        "fail": lambda task, i: task.error == f"ValueError: {i}",
        "square_unless": lambda task, i: i == 3 or task.result == i * i,
        "takes_task": lambda task, i: task.result == "RemoteTaskHandle",
        "cancel_unasked": lambda task, i: task.status is TaskStatus.CANCELED,
    }
    submitted = []
    for i in range(500):
        name = generator.choice(list(functions))
        args = () if name in ("takes_task", "cancel_unasked") else (i,)
        submitted.append((env.submit(WORK, name, args), name, i))
    for task, name, i in submitted:
        assert functions[name](task.wait_for(10), i), (name, i, task)
