"""Run Python functions in isolated environments, in parallel, as if they were local.

::

    from wetlands import EnvironmentManager

    with EnvironmentManager() as manager:
        env = manager.create("old-numpy", {"python": "3.10", "pip": ["numpy<2"]})
        env.launch(max_workers=4)
        for result in env.map("segment.py", "segment", images):
            ...

Importing this package starts nothing and reads nothing: the heavy parts are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wetlands.environment import Environment
    from wetlands.environment_manager import EnvironmentManager
    from wetlands.environments.cancellation import Cancellation
    from wetlands.environments.locks.lock import Lock
    from wetlands.portable import register_portable
    from wetlands.result_proxy import ResultProxy
    from wetlands.retry import RetryPolicy
    from wetlands.task import Task, TaskEvent, TaskEventType, TaskStatus
    from wetlands.worker_info import WorkerInfo, WorkerStatus

__version__ = "0.1.0"

__all__ = [
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

_HOME = {
    "Cancellation": "wetlands.environments.cancellation",
    "Environment": "wetlands.environment",
    "EnvironmentManager": "wetlands.environment_manager",
    "Lock": "wetlands.environments.locks.lock",
    "ResultProxy": "wetlands.result_proxy",
    "RetryPolicy": "wetlands.retry",
    "Task": "wetlands.task",
    "TaskEvent": "wetlands.task",
    "TaskEventType": "wetlands.task",
    "TaskStatus": "wetlands.task",
    "WorkerInfo": "wetlands.worker_info",
    "WorkerStatus": "wetlands.worker_info",
    "register_portable": "wetlands.portable",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
