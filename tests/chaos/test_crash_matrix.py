"""Where a worker dies, and how: its task knows, nobody else feels it, and a new worker follows."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ExecutionException, TaskTimeoutError, WorkerLostError
from wetlands.task import Task, TaskStatus

#: How: code to run in the worker, and what the task ends as; None: the worker lives on.
HOW: dict[str, tuple[str, type[ExecutionException], bool]] = {
    "exception": ("raise ValueError('planned')", ExecutionException, True),
    "sys.exit": ("raise SystemExit(0)", ExecutionException, True),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", ExecutionException, True),
    "os._exit(0)": ("os._exit(0)", WorkerLostError, False),
    "os._exit(3)": ("os._exit(3)", WorkerLostError, False),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", WorkerLostError, False),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", WorkerLostError, False),
    "SIGSEGV": ("os.kill(os.getpid(), signal.SIGSEGV)", WorkerLostError, False),
    "segfault": ("ctypes.string_at(0)", WorkerLostError, False),
    "abort": ("os.abort()", WorkerLostError, False),
    "SIGSTOP": ("os.kill(os.getpid(), signal.SIGSTOP)", TaskTimeoutError, False),
}

#: Where: what to submit, given the statement that ends the worker.
HEADER = "import ctypes, os, signal, sys, threading, time\n"
BODY = {
    "at import": "{now}\ndef f(): return 1",
    "while arguments are unpickled": "def end():\n    {now}\ndef f(arg): return 1",
    "before anything": "def f():\n    {now}",
    "after an update": "def f(*, task=None):\n    task.update('x')\n    {now}",
    "after an output": "def f(*, task=None):\n    task.set_output('x', bytes(10**6))\n    {now}",
    "while printing": "def f():\n    print('half a line', end='', flush=True)\n    {now}",
    "while the result is pickled": (
        "class R:\n    def __reduce__(self):\n        {now}\n        return int, ()\n"
        "def f(): return R()"
    ),
    "while the error is described": (
        "class E(Exception):\n    def __str__(self):\n        {now}\n        return 'x'\n"
        "def f(): raise E()"
    ),
}
SHORT = [
    ("at import", "SIGKILL"),
    ("while arguments are unpickled", "SIGSEGV"),
    ("while arguments are unpickled", "exception"),
    ("before anything", "os._exit(0)"),
    ("after an update", "SIGTERM"),
    ("after an output", "abort"),
    ("while printing", "segfault"),
    ("while the result is pickled", "SIGKILL"),
    ("while the result is pickled", "exception"),
    ("while the error is described", "os._exit(3)"),
    ("before anything", "SIGSTOP"),
    ("at import", "sys.exit"),
]
CASES = [
    pytest.param(where, how, marks=() if (where, how) in SHORT else pytest.mark.long)
    for where in BODY
    for how in HOW
]


class Call:
    """An argument that calls a function of the worker's module when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        code = f"__import__('runpy').run_path({self.path!r})['end']()"
        return eval, (code,)


@pytest.mark.parametrize(("where", "how"), CASES)
def test_a_worker_that_dies_anywhere_costs_its_task_alone(
    launch: Launch, gate: Gate, tmp_path: Any, where: str, how: str
) -> None:
    now, kind, lives = HOW[how]
    path = tmp_path / "victim.py"
    path.write_text(HEADER + BODY[where].format(now=now))
    env = launch(max_workers=2, worker_timeout=0.5 if how == "SIGSTOP" else None)
    pids = _workers(env)
    neighbour = env.submit(WORK, "chatter_until_released", (gate.path, "neighbour"))
    gate.wait_started("neighbour")
    args = (Call(str(path)),) if where == "while arguments are unpickled" else ()
    victim = env.submit(path, "f", args)
    queued = env.map_tasks(WORK, "echo", range(20))
    _check_victim(victim.wait_for(10), kind, where, how)
    assert [task.wait_for(10).result for task in queued] == list(range(20))
    gate.release("neighbour")
    assert neighbour.wait_for(10).result == "neighbour"
    wait_until(lambda: env.worker_count == 2)
    assert (pids == _workers(env)) is lives


def _check_victim(task: Task[Any], kind: type[ExecutionException], where: str, how: str) -> None:
    described_alive = where == "while the error is described" and how == "exception"
    assert task.status is TaskStatus.FAILED, task
    assert isinstance(task.exception, kind), task.error
    if kind is WorkerLostError:
        assert isinstance(task.exception, WorkerLostError)
        name = {"segfault": "SIGSEGV", "abort": "SIGABRT"}.get(how, how)
        status = {"os._exit(0)": 0, "os._exit(3)": 3}.get(how)
        if status is None:
            assert task.exception.signal == name
        else:
            assert task.exception.returncode == status
    elif how == "exception" and not described_alive:
        assert "planned" in (task.error or "")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
def test_a_worker_that_dies_idle_costs_nothing(launch: Launch, how: signal.Signals) -> None:
    env = launch(max_workers=2)
    for _ in range(3):
        victim = min(_workers(env))
        os.kill(victim, how)
        tasks = env.map_tasks(WORK, "echo", range(20))
        assert [task.wait_for(10).result for task in tasks] == list(range(20))
        wait_until(lambda victim=victim: env.worker_count == 2 and victim not in _workers(env))


def test_a_task_sent_to_a_worker_that_is_dying_runs_elsewhere(launch: Launch) -> None:
    env = launch(max_workers=1)
    for i in range(5):
        wait_until(lambda: env.worker_count == 1)
        (pid,) = _workers(env)
        os.kill(pid, signal.SIGSTOP)
        task = env.submit(WORK, "echo", (i,))  # sent, and not begun
        wait_until(lambda task=task: task.status is TaskStatus.RUNNING)
        os.kill(pid, signal.SIGKILL)
        assert task.wait_for(10).result == i
        env.submit(WORK, "die", ("exit 1",)).wait_for(10)  # a blameless end: no backoff adds up


def _workers(env: Environment) -> set[int]:
    """Return the process ids of the workers, without asking them."""
    links = env._pool._driver._workers.values()  # type: ignore[union-attr]
    return {link.process.pid for link in list(links) if link.process is not None}
