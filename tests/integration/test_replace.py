"""Workers that die or hang, and what their tasks, their neighbours and their successors feel."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import psutil
import pytest

from tests.integration.conftest import WORK, Gate, Launch, worker_pids
from tests.support.processes import runs
from tests.support.waiting import best_is_below, wait_until
from wetlands import RetryPolicy
from wetlands.errors import PoolBrokenError, TaskTimeoutError, WorkerLostError
from wetlands.task import TaskEventType, TaskStatus

DEATHS = [
    ("SIGKILL", "SIGKILL", -signal.SIGKILL),
    ("SIGSEGV", "SIGSEGV", -signal.SIGSEGV),
    ("SIGTERM", "SIGTERM", -signal.SIGTERM),
    ("segfault", "SIGSEGV", -signal.SIGSEGV),
    ("abort", "SIGABRT", -signal.SIGABRT),
    ("exit 0", None, 0),
    ("exit 3", None, 3),
]


@pytest.mark.parametrize(("how", "signal_name", "returncode"), DEATHS)
def test_a_busy_worker_that_dies_costs_its_task_alone(
    launch: Launch, gate: Gate, how: str, signal_name: str | None, returncode: int
) -> None:
    env = launch(max_workers=2)
    other = env.submit(WORK, "hold", (gate.path, "other"))
    gate.wait_started("other")
    victim = env.submit(WORK, "die", (how, "my last words"))
    queued = env.map_tasks(WORK, "echo", range(10))
    victim.wait_for(5)
    assert victim.status is TaskStatus.FAILED
    error = victim.exception
    assert isinstance(error, WorkerLostError)
    assert (error.signal, error.returncode) == (signal_name, returncode)
    assert error.worker == victim.worker.slot  # type: ignore[union-attr]
    text = victim.error or ""
    for word in (
        f"Worker {error.worker} of environment 'own'",
        signal_name or f"exited with status {returncode}",
        victim.id,
        "my last words",
    ):
        assert word in text
    assert "my last words" in error.log_tail
    if how in ("segfault", "abort"):
        assert "Fatal Python error" in text  # faulthandler
        assert "in die" in text
    assert [task.wait_for(5).result for task in queued] == list(range(10))
    gate.release("other")
    assert other.wait_for(5).result == "other"
    wait_until(lambda: env.worker_count == 2)
    assert victim.worker.pid not in worker_pids(env)  # type: ignore[union-attr]


def test_the_events_of_a_lost_task_are_started_and_failure(launch: Launch) -> None:
    env = launch()
    kinds: list[TaskEventType] = []
    task = env.submit(WORK, "die", ("SIGKILL",), start=False)
    task.listen(lambda event: kinds.append(event.type)).start().wait_for(5)
    assert kinds == [TaskEventType.STARTED, TaskEventType.FAILURE]


def test_a_death_is_known_within_half_a_second(launch: Launch, gate: Gate) -> None:
    env = launch()
    names = iter("abc")

    def seconds() -> float:
        name = next(names)
        task = env.submit(WORK, "hold", (gate.path, name))
        gate.wait_started(name)
        begin = time.monotonic()
        os.kill(task.worker.pid, signal.SIGKILL)  # type: ignore[union-attr]
        task.wait_for(5)
        passed = time.monotonic() - begin
        assert "killed by somebody, or by the kernel because memory ran out" in (task.error or "")
        return passed

    assert best_is_below(0.5, seconds)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_an_idle_worker_that_dies_is_replaced(launch: Launch, how: signal.Signals) -> None:
    env = launch(max_workers=2)
    before = worker_pids(env)
    victim = before.copy().pop()
    os.kill(victim, how)
    # Not until the process is gone: the pool hears of that a moment later.
    wait_until(lambda: victim not in {worker.pid for worker in env.workers(0)})
    wait_until(lambda: env.worker_count == 2)
    after = worker_pids(env)
    assert victim not in after
    assert len(before & after) == 1


def test_all_workers_may_die_at_once(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=4)
    tasks = [env.submit(WORK, "hold", (gate.path, name)) for name in "abcd"]
    gate.wait_started(*"abcd")
    queued = env.map_tasks(WORK, "echo", range(20))
    for task in tasks:
        os.kill(task.worker.pid, signal.SIGKILL)  # type: ignore[union-attr]
    assert {task.wait_for(5).status for task in tasks} == {TaskStatus.FAILED}
    assert [task.wait_for(5).result for task in queued] == list(range(20))
    wait_until(lambda: env.worker_count == 4)


def test_killing_twice_quickly_makes_one_replacement(launch: Launch, gate: Gate) -> None:
    env = launch()
    pid = env.execute(WORK, "pid")
    for _ in range(5):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            break
    wait_until(lambda: env.worker_count == 1 and env.execute(WORK, "pid") != pid)
    workers = [c for c in psutil.Process().children() if "worker_entry" in " ".join(c.cmdline())]
    assert len(workers) == 1


def test_a_worker_may_die_again_and_again_of_its_tasks(launch: Launch) -> None:
    env = launch()
    for _ in range(8):  # more than the restart budget: tasks are to blame, not the worker
        assert isinstance(
            env.submit(WORK, "die", ("exit 1",)).wait_for(5).exception, WorkerLostError
        )
    assert env.execute(WORK, "echo", (1,)) == 1


def test_what_a_task_started_dies_with_its_worker(launch: Launch) -> None:
    env = launch()
    child = env.execute(WORK, "start_child")
    assert psutil.pid_exists(child)
    env.submit(WORK, "die", ("SIGKILL",)).wait_for(5)
    wait_until(lambda: not runs(child), timeout=2)


def test_a_child_that_holds_the_pipes_hides_no_death(launch: Launch) -> None:
    env = launch()
    begin = time.monotonic()
    task = env.submit(WORK, "fork_and_die").wait_for(5)
    assert isinstance(task.exception, WorkerLostError)
    assert time.monotonic() - begin < 1.5
    assert env.execute(WORK, "echo", (1,)) == 1


def test_a_crash_loop_breaks_the_pool_with_the_reasons(
    launch: Launch, tmp_path: Any, gate: Gate
) -> None:
    switch = tmp_path / "struct.py"  # hides the standard module from workers that start later
    env = launch(worker_env=lambda i: {"PYTHONPATH": str(tmp_path)})
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    switch.write_text("raise SystemExit('broken by the test')")
    queued = env.submit(WORK, "echo", (1,))
    os.kill(held.worker.pid, signal.SIGKILL)  # type: ignore[union-attr]
    error = queued.wait_for(20).error or ""
    assert "kept dying" in error
    assert "broken by the test" in error
    with pytest.raises(PoolBrokenError, match="broken by the test") as caught:
        env.submit(WORK, "echo", (1,))
    assert caught.value.failures
    switch.unlink()
    env.exit()
    env.launch()
    assert env.execute(WORK, "echo", (1,)) == 1


# -- silence ---------------------------------------------------------------------------------------


def test_a_silent_task_fails_and_its_worker_is_replaced(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2, worker_timeout=0.3)
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    task.wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert isinstance(task.exception, TaskTimeoutError)
    text = task.error or ""
    for word in ("timed out", "sent no message for 0.3 s", "Worker", "'own'", task.id):
        assert word in text
    assert task.timings.finished - task.timings.started < 1.5  # type: ignore[operator]
    assert env.execute(WORK, "echo", (1,)) == 1
    wait_until(lambda: env.worker_count == 2)
    assert task.worker.pid not in worker_pids(env)  # type: ignore[union-attr]


@pytest.mark.parametrize("function", ["stop_yourself", "hold_gil"])
def test_frozen_code_is_silent_too(launch: Launch, function: str) -> None:
    env = launch(worker_timeout=0.3)
    args = (60,) if function == "hold_gil" else ()
    task = env.submit(WORK, function, args).wait_for(5)
    assert isinstance(task.exception, TaskTimeoutError)
    wait_until(lambda: not psutil.pid_exists(task.worker.pid))  # type: ignore[union-attr]
    assert env.execute(WORK, "echo", (1,)) == 1


def test_a_worker_that_was_frozen_while_idle_costs_a_run_of_its_next_task(launch: Launch) -> None:
    env = launch(worker_timeout=0.3)
    pid = env.execute(WORK, "pid")
    os.kill(pid, signal.SIGSTOP)
    task = env.submit(WORK, "pid", retries=RetryPolicy(on_lost=1)).wait_for(5)
    assert task.result != pid
    assert [type(attempt.error) for attempt in task.attempts] == [TaskTimeoutError]
    wait_until(lambda: not psutil.pid_exists(pid))


@pytest.mark.parametrize("how", ["update", "output", "log"])
def test_a_sign_of_life_resets_the_clock(launch: Launch, how: str) -> None:
    env = launch(worker_timeout=0.4)
    before = env.execute(WORK, "pid")
    assert env.submit(WORK, "chatter", (1.0, 0.05, how)).wait_for(5).result == "done"
    assert env.execute(WORK, "pid") == before


def test_what_a_task_prints_is_no_sign_of_life(launch: Launch) -> None:
    env = launch(worker_timeout=0.3)

    def work() -> None:
        while True:
            print("alive")
            time.sleep(0.05)

    assert isinstance(env.submit(work).wait_for(5).exception, TaskTimeoutError)


def test_idle_workers_and_queued_tasks_never_time_out(launch: Launch, gate: Gate) -> None:
    env = launch(worker_timeout=0.3)
    before = env.execute(WORK, "pid")
    idle_until = time.monotonic() + 0.8
    wait_until(lambda: time.monotonic() > idle_until)
    assert env.execute(WORK, "pid") == before
    busy = env.submit(WORK, "chatter", (0.8, 0.05))
    queued = env.submit(WORK, "echo", (1,))
    assert queued.wait_for(5).result == 1
    assert busy.result == "done"


def test_without_worker_timeout_silence_is_no_fault(launch: Launch) -> None:
    env = launch()
    assert env.submit(WORK, "silent_for", (0.8,)).wait_for(5).result == "spoke"


def test_a_blocking_call_times_out_like_any_task(launch: Launch, gate: Gate) -> None:
    env = launch(worker_timeout=0.3)
    with pytest.raises(TaskTimeoutError):
        env.execute(WORK, "hold", (gate.path,))


def test_killing_from_many_threads_leaves_a_whole_pool(launch: Launch) -> None:
    env = launch(max_workers=3)

    def kill() -> None:
        for _ in range(3):
            env.submit(WORK, "die", ("SIGKILL",)).wait_for(10)

    threads = [threading.Thread(target=kill) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: env.worker_count == 3)
    assert [task.wait_for(5).result for task in env.map_tasks(WORK, "echo", range(9))] == [
        *range(9)
    ]
