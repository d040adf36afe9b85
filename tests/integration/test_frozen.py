"""Workers that a signal has stopped are replaced when there is something for them to do."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.integration.test_ahead import make_quick, module
from tests.support.processes import runs
from tests.support.waiting import best_is_below, wait_until
from wetlands import Environment, RetryPolicy
from wetlands.errors import ConfigurationError, WorkerLostError, WorkerStartError
from wetlands.runtime.looking import look_at
from wetlands.task import Task, TaskStatus

__all__ = ["module"]

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no stopping of processes")

#: Long enough for a machine that is busy with other things to let a worker work.
TIMEOUT = 0.15


def pid_of(task: Task[Any]) -> int:
    wait_until(lambda: task.worker is not None)
    return int(task.worker.pid)  # type: ignore[union-attr]


def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: look_at(pid).stopped)


def test_a_task_that_a_frozen_worker_had_begun_is_lost_and_says_so(
    launch: Launch, gate: Gate
) -> None:
    env = launch(max_workers=2, frozen_timeout=TIMEOUT)
    other = env.submit(WORK, "hold", (gate.path, "other"))
    names = iter("abc")

    def seconds() -> float:
        name = next(names)
        task = env.submit(WORK, "hold", (gate.path, name))
        gate.wait_started(name, "other")
        pid, begin = pid_of(task), time.monotonic()
        freeze(pid)
        error = task.wait_for(5).exception
        assert isinstance(error, WorkerLostError)
        assert f"it was frozen (stopped by a signal) for {TIMEOUT} s" in str(error)
        assert error.reason.startswith("it was frozen")
        assert error.signal == "SIGKILL"
        wait_until(lambda: env.worker_count == 2 and not runs(pid))
        passed = time.monotonic() - begin
        assert passed > TIMEOUT
        return passed

    assert best_is_below(TIMEOUT + 2, seconds)
    gate.release("other")
    assert other.wait_for(5).result == "other"


def test_a_task_that_it_had_not_begun_costs_nothing_and_runs_elsewhere(launch: Launch) -> None:
    env = launch(frozen_timeout=TIMEOUT)
    pid = env.execute(WORK, "pid")
    freeze(pid)
    task = env.submit(WORK, "pid")
    wait_until(lambda: task.status is TaskStatus.RUNNING)  # for all that anybody knows
    wait_until(lambda: task.status is not TaskStatus.RUNNING)
    assert task.wait_for(5).result != pid
    assert task.attempts == ()
    assert not runs(pid)


def test_all_that_was_sent_to_it_runs_once(
    launch: Launch, module: str, gate: Gate, tmp_path: Path
) -> None:
    env = launch(frozen_timeout=TIMEOUT)
    make_quick(env, module, "odd")
    pid = env.execute(WORK, "pid")
    freeze(pid)
    marks = [env.submit(WORK, "count_call", (str(tmp_path), "mark")) for _ in range(3)]
    tasks = [env.submit(module, "odd", (i,)) for i in range(300)]
    assert [task.wait_for(10).result for task in tasks] == list(range(300))
    assert sorted(task.wait_for(5).result for task in marks) == [0, 1, 2]
    assert len(list(tmp_path.glob("mark-*"))) == 3


def test_of_many_that_are_sent_together_only_the_one_that_had_begun_is_lost(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch(frozen_timeout=TIMEOUT)
    make_quick(env, module, "odd")
    pid, gate = env.execute(WORK, "pid"), tmp_path / "gate"
    first = env.submit(module, "odd", (1,))
    tasks = [env.submit(module, "odd", (i if i != 20 else str(gate),)) for i in range(100)]
    wait_until(lambda: tasks[19].wait_for(5) and tasks[20].status is TaskStatus.RUNNING)
    freeze(pid)
    assert isinstance(tasks[20].wait_for(5).exception, WorkerLostError)
    assert [task.wait_for(5).result for i, task in enumerate(tasks) if i != 20] == [
        i for i in range(100) if i != 20
    ]
    assert first.result == 1


@pytest.mark.long
def test_a_loss_is_tried_again_where_that_is_asked_for(launch: Launch, tmp_path: Path) -> None:
    env = launch(frozen_timeout=TIMEOUT)
    runs_file = tmp_path / "runs"
    runs_file.touch()
    retries = RetryPolicy(on_lost=1)
    task = env.submit(WORK, "trip", (str(runs_file), 1, "stop"), retries=retries).wait_for(5)
    assert task.result == 2
    assert [type(attempt.error) for attempt in task.attempts] == [WorkerLostError]


@pytest.mark.long
def test_one_that_is_canceled_before_it_began_never_runs(launch: Launch) -> None:
    env = launch(frozen_timeout=TIMEOUT)
    pid = env.execute(WORK, "pid")
    freeze(pid)
    task = env.submit(WORK, "pid")
    wait_until(lambda: task.status is TaskStatus.RUNNING)
    task.cancel()
    assert task.wait_for(5).status is TaskStatus.CANCELED
    assert env.execute(WORK, "pid") != pid


def test_a_frozen_worker_that_has_nothing_to_do_is_left_alone_and_not_looked_at(
    launch: Launch,
) -> None:
    env = launch(frozen_timeout=0.1)
    pid = env.execute(WORK, "pid")
    wait_until(lambda: not _is_about_to_look(env))  # what is left of the task
    freeze(pid)
    assert _never_within(0.3, lambda: _is_about_to_look(env) or not runs(pid))
    os.kill(pid, signal.SIGCONT)
    assert env.execute(WORK, "pid") == pid


def test_one_that_goes_on_in_time_is_left_alone(launch: Launch, gate: Gate) -> None:
    env = launch(frozen_timeout=0.4)
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    pid = pid_of(task)
    slot = env._pool._driver.core.slots[0]  # type: ignore[union-attr]
    freeze(pid)
    wait_until(lambda: slot.standstill is not None)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: slot.standstill is None)
    gate.release()
    assert task.wait_for(5).result == "gate"
    assert env.execute(WORK, "pid") == pid


def test_one_that_is_slowed_down_by_stops_is_left_alone(launch: Launch) -> None:
    """As cpulimit does, which would be at it whenever somebody looks."""
    env = launch(frozen_timeout=0.2)
    path, over = str(WORK), threading.Event()
    task = env.submit(path, "silent_for", (0.7,))
    pid = pid_of(task)

    def slow_down() -> None:
        while not over.wait(0.03):
            os.kill(pid, signal.SIGCONT)
            over.wait(0.03)
            os.kill(pid, signal.SIGSTOP)

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        assert _never_within(0.6, lambda: not runs(pid))
    finally:
        over.set()
        thread.join()
        os.kill(pid, signal.SIGCONT)
    assert task.wait_for(5).result == "spoke"


@pytest.mark.skipif(sys.platform != "linux", reason="ptrace of Linux")
def test_a_worker_in_a_debugger_is_left_alone(launch: Launch, gate: Gate) -> None:
    env = launch(frozen_timeout=0.1)
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    pid = pid_of(task)
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    attach, detach = 16, 17
    if ptrace(attach, pid, None, None) != 0:
        pytest.skip(f"no ptrace here: {os.strerror(ctypes.get_errno())}")
    try:
        wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_TRACING_STOP)
        assert _never_within(0.3, lambda: task.status is not TaskStatus.RUNNING or not runs(pid))
    finally:
        ptrace(detach, pid, None, None)
    gate.release()
    assert task.wait_for(5).result == "gate"


def test_without_a_timeout_nobody_looks(launch: Launch, gate: Gate) -> None:
    env = launch(frozen_timeout=None)
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    assert not _is_about_to_look(env)
    freeze(pid_of(task))
    assert not _is_about_to_look(env)
    os.kill(pid_of(task), signal.SIGCONT)
    gate.release()
    assert task.wait_for(5).result == "gate"


def test_one_that_freezes_while_it_starts_is_a_start_failure(launch: Launch) -> None:
    begin = time.monotonic()
    with pytest.raises(WorkerStartError, match=r"did not say hello within 0\.5 s"):
        launch(startup_timeout=0.5, initializer=_stop_yourself)
    assert time.monotonic() - begin < 3


def _stop_yourself() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.long
def test_one_that_is_to_make_way_has_a_second_to_exit(launch: Launch) -> None:
    env = launch()
    pid = env.execute(WORK, "pid")
    freeze(pid)
    env.restart()
    assert env.execute(WORK, "pid") != pid
    assert not runs(pid)


def test_exit_does_not_wait_for_frozen_workers(launch: Launch, gate: Gate) -> None:
    env = launch()
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    pid = pid_of(task)
    freeze(pid)
    begin = time.monotonic()
    env.exit(grace=0.1)
    assert time.monotonic() - begin < 2
    assert task.status is TaskStatus.FAILED
    assert not runs(pid)


@pytest.mark.parametrize("value", [0, 0.001, -1, "10", True])
def test_a_timeout_that_cannot_be_right_is_refused(launch: Launch, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="frozen_timeout must be"):
        launch(frozen_timeout=value)


def _is_about_to_look(env: Environment) -> bool:
    driver = env._pool._driver  # type: ignore[union-attr]
    due = driver.core.next_deadline()
    return due is not None and due < driver._clock.now() + 2.0


def _never_within(seconds: float, condition: Any) -> bool:
    return not wait_until(condition, seconds, fail=False)
