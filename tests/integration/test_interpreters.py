"""Environments of several Python versions side by side in one host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Launch
from tests.support.pythons import SUPPORTED, interpreters
from wetlands import Environment, EnvironmentManager
from wetlands.errors import EnvironmentBuildError, WorkerLostError
from wetlands.task import TaskStatus


@pytest.fixture(scope="module")
def pythons(manager: EnvironmentManager) -> Iterator[dict[str, Environment]]:
    """One worker of every Python that is installed here, launched together."""
    found: dict[str, Environment] = {}
    for minor, python in interpreters().items():
        if minor not in SUPPORTED:
            continue
        env = manager.load(f"python-{minor}", python)
        try:
            env.launch()
        except EnvironmentBuildError:  # there is no pyzmq for it within reach
            env.exit()
            continue
        found[minor] = env
    yield found
    for env in found.values():
        env.exit()


@pytest.fixture(params=SUPPORTED)
def env_of(request: pytest.FixtureRequest, pythons: dict[str, Environment]) -> Environment:
    if request.param not in pythons:
        pytest.skip(f"Python {request.param} is not installed here, or has no pyzmq")
    return pythons[request.param]


def test_each_runs_its_own_python(env_of: Environment) -> None:
    executable, version, _ = env_of.execute(WORK, "interpreter")
    assert f"python-{version[0]}.{version[1]}" == env_of.name
    assert Path(executable).exists()


def test_values_progress_outputs_and_errors_cross(env_of: Environment) -> None:
    value = {"a": (1, 2.5, None), "b": [b"x", "é", {3}]}
    assert env_of.execute(WORK, "echo", (value,)) == value
    assert env_of.submit(WORK, "report", (3,)).wait_for(5).progress == 1.0
    assert env_of.submit(WORK, "publish", ([("k", value)],)).wait_for(5).outputs == {"k": value}
    task = env_of.submit(WORK, "fail_with_cause").wait_for(5)
    assert task.error == "RuntimeError: outer"
    assert task.exception is not None
    assert task.exception.cause is not None
    assert task.exception.cause.type_name == "KeyError"


def test_a_cancel_crosses(env_of: Environment) -> None:
    task = env_of.submit(WORK, "wait_until_asked")
    task.cancel()
    assert task.wait_for(5).status is TaskStatus.CANCELED


def test_a_death_is_told_and_repaired(env_of: Environment, launch: Launch) -> None:
    own = launch(python=env_of.interpreter.executable)
    task = own.submit(WORK, "die", ("segfault",)).wait_for(5)
    assert isinstance(task.exception, WorkerLostError)
    assert task.exception.signal == "SIGSEGV"
    assert "Fatal Python error" in (task.error or "")
    assert own.execute(WORK, "echo", (1,)) == 1


def test_all_work_at_the_same_time(pythons: dict[str, Environment]) -> None:
    if len(pythons) < 2:
        pytest.skip("only one Python is installed here")
    tasks: list[tuple[str, Any]] = [
        (minor, env.submit(WORK, "interpreter")) for minor, env in pythons.items() for _ in range(5)
    ]
    for minor, task in tasks:
        version = task.wait_for(5).result[1]
        assert f"{version[0]}.{version[1]}" == minor
