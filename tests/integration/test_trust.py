"""What comes from a worker that is not trusted, and types that users register."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wetlands
from tests.integration.conftest import WORK, Launch
from wetlands import Environment, EnvironmentManager
from wetlands.errors import ConfigurationError, ResultError
from wetlands.task import TaskStatus
from worker_entry.portable import registry

MODULES = Path(__file__).parent / "modules"


@pytest.fixture(scope="module")
def guarded(manager: EnvironmentManager) -> Iterator[Environment]:
    env = manager.load("guarded", sys.executable)
    env.launch(trust="data")
    yield env
    env.exit()


def test_data_comes_back_from_a_worker_that_is_not_trusted(guarded: Environment) -> None:
    value = {"a": (1, 2.5, None), "b": [b"x", "é", {3}], "p": Path("x")}
    assert guarded.execute(WORK, "echo", (value,)) == value
    array = np.arange(500_000.0).reshape(500, 1000)
    assert (guarded.execute(WORK, "echo", (array,)) == array).all()
    task = guarded.submit(WORK, "publish", ([("k", value)],)).wait_for(5)
    assert task.outputs == {"k": value}


def test_code_of_a_worker_that_is_not_trusted_never_runs(
    guarded: Environment, tmp_path: Path
) -> None:
    proof = tmp_path / "was here"

    def evil(path: str, *, task: Any) -> Any:
        import os

        class Evil:
            def __reduce__(self) -> Any:
                return os.system, (f"touch {path}",)

        task.set_output("evil", Evil())
        return {"deep": [Evil()]}

    task = guarded.submit(evil, args=(str(proof),)).wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert isinstance(task.exception, ResultError)
    assert "posix.system is not among the types that are data" in (task.error or "")
    assert isinstance(task.outputs["evil"], Exception)
    assert not proof.exists()
    assert guarded.execute(WORK, "echo", (1,)) == 1


def test_a_class_of_a_user_is_a_result_only_with_full_trust(guarded: Environment) -> None:
    task = guarded.submit(WORK, "of_a_foreign_type").wait_for(5)
    assert isinstance(task.exception, ResultError)
    assert "register its type with wetlands.register_portable()" in (task.error or "")


def test_trust_is_full_or_data(manager: EnvironmentManager) -> None:
    env = manager.load("other", sys.executable)
    with pytest.raises(ConfigurationError, match="trust must be 'full' or 'data'"):
        env.launch(trust="some")


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module that both sides can import, and a clean registry."""
    monkeypatch.syspath_prepend(str(MODULES))
    import shapes

    before = dict(registry._known)
    yield shapes
    registry._known.clear()
    registry._known.update(before)
    registry._changes += 1
    del sys.modules["shapes"]


@pytest.mark.parametrize("trust", ["full", "data"])
def test_a_registered_type_crosses_both_ways(launch: Launch, shapes: Any, trust: str) -> None:
    wetlands.register_portable(shapes.Circle, shapes.reduce_circle, "shapes:rebuild_circle")
    env = launch(worker_env=lambda _: {"PYTHONPATH": str(MODULES)}, trust=trust)
    found = env.execute("shapes", "grow", (shapes.Circle(2),))
    assert (found.radius, found.made_by) == (3, "rebuild")


def test_a_type_registered_after_the_launch_crosses_as_an_argument(
    launch: Launch, shapes: Any
) -> None:
    env = launch(worker_env=lambda _: {"PYTHONPATH": str(MODULES)})
    wetlands.register_portable("shapes:Circle", lambda c: (c.radius,), shapes.rebuild_circle)
    task = env.submit("shapes", "grow", (shapes.Circle(2),)).wait_for(5)
    assert isinstance(task.exception, ResultError)
    assert "no pickles of circles" in (task.error or "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((5, len, "a:b"), "type must be"),
        (("Circle", len, "a:b"), "no name of the form"),
        ((int, 5, "a:b"), "reduce must be"),
        ((int, len, "nothing"), "no name of the form"),
        ((int, len, lambda: 0), "rebuild must be"),
        ((int, "a b:c", "a:b"), "no name of the form"),
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(arguments: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        wetlands.register_portable(*arguments)
