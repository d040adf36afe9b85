"""How remote errors look in the host."""

from __future__ import annotations

import concurrent.futures
import pickle
from typing import Any

import pytest

from tests.integration.conftest import WORK
from wetlands import Environment
from wetlands.task import ExecutionException, TaskStatus


def test_a_failed_task_has_error_traceback_and_exception(env: Environment) -> None:
    task = env.submit(WORK, "fail", ("my words",)).wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert task.error == "ValueError: my words"
    assert isinstance(task.traceback, list)
    assert all(isinstance(line, str) for line in task.traceback)
    assert isinstance(task.exception, ExecutionException)
    assert task.exception.exception == task.error
    assert task.exception.traceback == task.traceback
    assert task.future.exception() is task.exception


def test_the_traceback_is_that_of_the_function_and_of_nothing_else(env: Environment) -> None:
    lines = env.submit(WORK, "fail", ("x",)).wait_for(5).traceback or []
    text = "\n".join(lines)
    assert str(WORK) in text
    assert "raise ValueError(text)" in text
    assert lines[-1] == "ValueError: x"
    assert "worker_entry" not in text


def test_the_error_says_its_type_place_and_cause(env: Environment) -> None:
    task = env.submit(WORK, "fail_with_cause").wait_for(5)
    error = task.exception
    assert error is not None
    assert (error.type_name, error.exception) == ("RuntimeError", "RuntimeError: outer")
    assert (error.task_id, error.environment) == (task.id, "host")
    assert error.worker == task.worker.slot  # type: ignore[union-attr]
    assert error.cause is not None
    assert error.cause.type_name == "KeyError"


def test_printing_the_error_shows_the_remote_traceback(env: Environment) -> None:
    with pytest.raises(ExecutionException) as caught:
        env.execute(WORK, "fail", ("x",))
    text = str(caught.value)
    assert text.startswith("ValueError: x\n")
    assert "Remote traceback in environment 'host'" in text
    assert str(WORK) in text


def test_the_error_can_be_pickled(env: Environment) -> None:
    error = env.submit(WORK, "fail_with_cause").wait_for(5).exception
    again = pickle.loads(pickle.dumps(error))
    assert vars(again).keys() == vars(error).keys()
    assert str(again) == str(error)
    assert again.cause.type_name == "KeyError"


def test_the_future_raises_the_same_error(env: Environment) -> None:
    task = env.submit(WORK, "fail")
    with pytest.raises(ExecutionException):
        task.future.result(5)
    concurrent.futures.wait([task.future])
    assert task.future.exception() is task.exception


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        ("sys_exit", (3,), "SystemExit: 3"),
        ("sys_exit", (0,), "SystemExit: 0"),
        ("interrupt", (), "KeyboardInterrupt"),
        ("generator_exit", (), "GeneratorExit"),
        ("raise_rude", (), "its __str__ raised"),
        ("raise_unpicklable", (), "UnpicklableError: holds a lock"),
        ("raise_cycle", (), "ValueError: ring"),
        ("recurse", (), "RecursionError"),
        ("_private", (1,), "takes 0 positional arguments"),
        ("add", (1, 2, 3), "takes from 1 to 2 positional arguments"),
    ],
)
def test_whatever_a_function_raises_fails_that_task_alone(
    env: Environment, function: str, args: Any, text: str
) -> None:
    task = env.submit(WORK, function, args).wait_for(10)
    assert task.status is TaskStatus.FAILED
    assert text in (task.error or "")
    assert isinstance(task.exception, Exception)  # and never a BaseException of its own kind
    assert env.execute(WORK, "echo", (1,)) == 1


def test_a_huge_error_message_is_cut(env: Environment) -> None:
    task = env.submit(WORK, "raise_long", (50_000_000,)).wait_for(10)
    assert task.status is TaskStatus.FAILED
    assert len(task.error or "") < 100_000


def test_a_raise_from_an_import_shows_where(env: Environment, tmp_path: Any) -> None:
    (tmp_path / "broken.py").write_text("import json\n1 / 0\n")
    task = env.submit(tmp_path / "broken.py", "anything").wait_for(5)
    assert task.error == "ZeroDivisionError: division by zero"
    assert "broken.py" in "\n".join(task.traceback or [])


def test_a_failure_that_makes_no_sense_still_ends_its_task(env: Environment) -> None:
    task = env.submit(WORK, "fail_badly").wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert "described" in (task.error or "")
    assert env.execute(WORK, "echo", (1,)) == 1
