"""Bad input: one clear error each, and no other task hurt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK
from wetlands import Environment, EnvironmentManager
from wetlands.errors import (
    ConfigurationError,
    EnvironmentNotFoundError,
    InvalidStateError,
    WetlandsError,
)


@pytest.mark.parametrize(
    ("target", "function", "text"),
    [
        ("nowhere/module.py", "f", "there is no file"),
        (Path("nowhere.py"), "f", "there is no file"),
        ("", "f", "target must be"),
        ("not an identifier", "f", "target must be"),
        ("a..b", "f", "target must be"),
        (None, "f", "target must be"),
        (5, "f", "target must be"),
        (b"bytes.py", "f", "target must be"),
        (WORK, None, "by its name"),
        (WORK, "", "by its name"),
        (WORK, 5, "by its name"),
        (WORK.parent, "f", "there is no file"),
        (print, "print", "either"),
    ],
)
def test_a_target_that_cannot_be_is_refused_at_submit(
    env: Environment, target: Any, function: Any, text: str
) -> None:
    for call in (env.submit, env.execute):
        with pytest.raises(ConfigurationError, match=text):
            call(target, function)
    with pytest.raises(ConfigurationError, match=text):
        env.map(target, function, [1])


@pytest.mark.parametrize(
    ("target", "function", "text"),
    [
        ("no_such_module", "f", "no module 'no_such_module'"),
        ("json.no_such_module", "f", "no module 'json.no_such_module'"),
        ("json", "no_such_function", "no function no_such_function"),
        ("json", "decoder", "no function decoder"),
        (str(WORK), "no_such_function", "no function no_such_function"),
    ],
)
def test_a_target_that_the_environment_does_not_have_fails_that_task_alone(
    env: Environment, target: Any, function: Any, text: str
) -> None:
    task = env.submit(target, function)
    neighbour = env.submit(WORK, "echo", (1,))
    assert text in (task.wait_for(5).error or "")
    assert neighbour.wait_for(5).result == 1


@pytest.mark.parametrize("args", ["text", 5, None, {1}, {"a": 1}, iter(())])
def test_args_must_be_a_tuple_or_list(env: Environment, args: Any) -> None:
    with pytest.raises(ConfigurationError, match="args must be a tuple or list"):
        env.submit(WORK, "echo", args)


@pytest.mark.parametrize("kwargs", ["text", 5, [("a", 1)], {1: 2}])
def test_kwargs_must_be_a_mapping_of_strings(env: Environment, kwargs: Any) -> None:
    with pytest.raises(ConfigurationError, match="kwargs must be a mapping"):
        env.submit(WORK, "echo", (), kwargs)


@pytest.mark.parametrize("path", [None, 5, "nowhere.py", ""])
def test_a_script_must_be_a_file(env: Environment, path: Any) -> None:
    with pytest.raises((ConfigurationError, TypeError)):
        env.submit_script(path)


@pytest.mark.parametrize("timeout", ["1", -1, 0, float("nan")])
def test_the_timeout_of_map_must_be_seconds(env: Environment, timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        env.map(WORK, "echo", [1], timeout=timeout)


def test_a_listener_that_cannot_be_called_hurts_nothing(env: Environment, caplog: Any) -> None:
    task = env.submit(WORK, "echo", (1,), start=False).listen("no function")  # type: ignore[arg-type]
    assert task.start().wait_for(5).result == 1
    assert "not callable" in caplog.text


def test_an_environment_that_is_not_there_is_named(manager: EnvironmentManager) -> None:
    with pytest.raises(EnvironmentNotFoundError, match="no-such-environment"):
        manager.load("no-such-environment")
    with pytest.raises(EnvironmentNotFoundError, match="nowhere"):
        manager.load("lost", Path("/nowhere/at/all"))


def test_every_error_is_one_of_ours(env: Environment) -> None:
    for call in (
        lambda: env.submit("nowhere.py", "f"),
        lambda: env.submit(WORK, "echo", "text"),
        lambda: env.submit(WORK, "echo", (1,), start=False).result,
    ):
        with pytest.raises(WetlandsError):
            call()
    with pytest.raises(InvalidStateError):
        _ = env.submit(WORK, "fail").wait_for(5).result


def test_removing_what_was_only_loaded_is_refused(manager: EnvironmentManager) -> None:
    env = manager.load("loaded", sys.executable)
    with pytest.raises(WetlandsError):
        env.delete()
    assert Path(sys.executable).exists()
