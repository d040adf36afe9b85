"""Names and signatures that users rely on, those of the 1.x line among them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import wetlands
from wetlands import Environment, EnvironmentManager
from wetlands.task import Task, TaskEvent, TaskEventType, TaskStatus
from worker_entry.handle import RemoteTaskHandle


def test_the_package_offers_its_names() -> None:
    assert wetlands.__all__ == [
        "Cancellation",
        "Environment",
        "EnvironmentManager",
        "Lock",
        "ResultProxy",
        "RetryPolicy",
        "Task",
        "TaskEvent",
        "TaskEventType",
        "TaskStatus",
        "WorkerInfo",
        "WorkerStatus",
        "__version__",
        "register_portable",
    ]
    for name in wetlands.__all__:
        assert getattr(wetlands, name) is not None
    assert set(dir(wetlands)) >= set(wetlands.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = wetlands.nothing


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("wetlands.environment_manager", ["EnvironmentManager"]),
        ("wetlands.environment", ["Environment"]),
        (
            "wetlands.task",
            ["Task", "TaskStatus", "TaskEvent", "TaskEventType", "InvalidStateError",
             "ExecutionException"],
        ),
        ("worker_entry.handle", ["RemoteTaskHandle"]),
    ],
)  # fmt: skip
def test_names_are_where_users_import_them_from(module: str, names: list[str]) -> None:
    for name in names:
        assert hasattr(importlib.import_module(module), name)


POSITIONAL = {
    EnvironmentManager.create: ["name", "dependencies", "additional_install_commands"],
    EnvironmentManager.create_from_config: [
        "name",
        "path",
        "optional_dependencies",
        "additional_install_commands",
    ],
    EnvironmentManager.lock: ["recipe", "platforms"],
    EnvironmentManager.load: ["name", "path"],
    EnvironmentManager.install: ["environment", "dependencies", "additional_install_commands"],
    EnvironmentManager.prune: ["unused_days"],
    EnvironmentManager.disk_usage: [],
    Environment.launch: ["additional_activate_commands"],
    Environment.submit: ["target", "function", "args", "kwargs"],
    Environment.submit_script: ["path", "args", "run_name"],
    Environment.map: ["target", "function", "iterable"],
    Environment.map_tasks: ["target", "function", "iterable"],
    Environment.execute: ["target", "function", "args", "kwargs"],
    Environment.run_script: ["path", "args", "run_name"],
    Environment.import_module: ["module"],
    Environment.install: ["dependencies", "additional_install_commands"],
    Environment.execute_commands: [
        "commands",
        "additional_activate_commands",
        "popen_kwargs",
        "wait",
    ],
    Environment.packages: [],
    Environment.verify: [],
    Environment.repair: ["on_progress"],
    Environment.lock: [],
    Environment.export: ["path"],
    Environment.launched: [],
    Environment.exit: ["grace"],
    Environment.delete: [],
    Task.start: [],
    Task.cancel: ["force_after"],
    Task.wait_for: ["timeout"],
    Task.listen: ["callback"],
    Task.remove_listener: ["callback"],
    Task.events: [],
    RemoteTaskHandle.update: ["message", "current", "maximum"],
    RemoteTaskHandle.set_output: ["key", "value"],
    RemoteTaskHandle.cancel: [],
    RemoteTaskHandle.log: ["message", "level"],
}
KEYWORDS = {
    EnvironmentManager.create: {"replace_existing", "on_progress", "lock", "cancellation"},
    EnvironmentManager.__init__: {"wetlands_instance_path"},
    Environment.launch: {"max_workers", "worker_env", "worker_timeout", "startup_timeout"},
    Environment.submit: {"start", "timeout"},
    Environment.submit_script: {"start", "timeout"},
    Environment.map: {"timeout", "ordered"},
}


@pytest.mark.parametrize("method", POSITIONAL, ids=lambda m: m.__qualname__)
def test_positional_arguments_have_their_order(method: Callable[..., Any]) -> None:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    found = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert found == POSITIONAL[method]


@pytest.mark.parametrize("method", KEYWORDS, ids=lambda m: m.__qualname__)
def test_keyword_arguments_are_there(method: Callable[..., Any]) -> None:
    parameters = inspect.signature(method).parameters.values()
    found = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert found >= KEYWORDS[method]


def test_defaults_are_those_of_the_documentation() -> None:
    launch = inspect.signature(Environment.launch).parameters
    assert (launch["max_workers"].default, launch["worker_timeout"].default) == (1, None)
    submit = inspect.signature(Environment.submit).parameters
    assert (submit["args"].default, submit["kwargs"].default) == ((), None)
    assert submit["start"].default is True
    assert inspect.signature(Environment.map).parameters["ordered"].default is True
    script = inspect.signature(Environment.submit_script).parameters
    assert script["run_name"].default == "__main__"


def test_statuses_and_events_have_their_names_and_values() -> None:
    statuses = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELED"]
    events = ["STARTED", "UPDATE", "COMPLETION", "FAILURE", "CANCELATION"]
    assert [status.name for status in TaskStatus] == statuses
    assert [status.value for status in TaskStatus] == [name.lower() for name in statuses]
    assert [kind.name for kind in TaskEventType] == events


def test_three_statuses_are_final() -> None:
    final = {status for status in TaskStatus if status.is_finished()}
    assert final == {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED}


@pytest.mark.parametrize(
    "name",
    ["id", "status", "result", "error", "exception", "traceback", "message", "current", "maximum",
     "progress", "outputs", "future", "worker", "timings"],
)  # fmt: skip
def test_a_tasks_properties_are_read_only(name: str) -> None:
    found = inspect.getattr_static(Task, name)
    assert isinstance(found, property)
    assert found.fset is None
    assert inspect.getdoc(found)


def test_an_event_has_two_fields_to_see() -> None:
    fields = [name for name in dir(TaskEvent) if not name.startswith("_")]
    assert fields == ["task", "type"]


def test_every_public_method_says_what_it_does() -> None:
    for cls in (EnvironmentManager, Environment, Task, RemoteTaskHandle):
        for name, value in vars(cls).items():
            if not name.startswith("_") and callable(value):
                assert inspect.getdoc(value), f"{cls.__name__}.{name}"
