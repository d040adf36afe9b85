"""Tasks that are tried again: how often, after what, where they wait, and what is told of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment, RetryPolicy
from wetlands.errors import (
    ConfigurationError,
    ExecutionException,
    PoisonTaskError,
    TaskAbandonedError,
    TaskTimeoutError,
    WorkerLostError,
)
from wetlands.task import TaskEventType, TaskStatus

SOON = {"delay": 0.0, "jitter": 0.0}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A file that grows by a byte with every run of `trip`."""
    return tmp_path / "runs"


def count(runs: Path) -> int:
    return runs.stat().st_size if runs.exists() else 0


def test_without_retries_what_has_begun_runs_once(env: Environment, runs: Path) -> None:
    task = env.submit(WORK, "trip", (str(runs), 1, "raise")).wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert count(runs) == 1
    assert [attempt.error for attempt in task.attempts] == [task.exception]


@pytest.mark.parametrize("retries", [False, 0.0, -1])
def test_what_is_no_number_of_retries_is_refused_however_plain_the_call(
    env: Environment, retries: Any
) -> None:
    assert env.execute(WORK, "echo", (1,)) == 1  # known from here on
    with pytest.raises(ConfigurationError, match="retries must be"):
        env.submit(WORK, "echo", (1,), retries=retries)


def test_a_number_of_retries_forgives_as_many_errors(env: Environment, runs: Path) -> None:
    task = env.submit(WORK, "trip", (str(runs), 2, "raise"), retries=2).wait_for(5)
    assert task.result == 3
    errors = [attempt.error for attempt in task.attempts]
    assert [error.exception for error in errors] == [
        "RuntimeError: planned for run 1",
        "RuntimeError: planned for run 2",
    ]
    assert all(error.traceback for error in errors)
    for attempt in task.attempts:
        assert attempt.worker is not None
        assert attempt.started is not None
        assert attempt.finished is not None
        assert attempt.started < attempt.finished


def test_when_retries_are_spent_the_last_failure_is_the_tasks(env: Environment, runs: Path) -> None:
    task = env.submit(WORK, "trip", (str(runs), 9, "raise"), retries=2).wait_for(5)
    assert task.error == "RuntimeError: planned for run 3"
    assert [attempt.error.exception for attempt in task.attempts] == [
        f"RuntimeError: planned for run {number}" for number in (1, 2, 3)
    ]
    assert task.attempts[-1].error is task.exception
    assert count(runs) == 3


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_lost_worker_is_forgiven_likewise(launch: Launch, runs: Path, how: str) -> None:
    env = launch()
    task = env.submit(WORK, "trip", (str(runs), 2, how), retries=2).wait_for(10)
    assert task.result == 3
    assert all(isinstance(attempt.error, WorkerLostError) for attempt in task.attempts)
    pids = {attempt.worker.pid for attempt in task.attempts if attempt.worker}
    assert len(pids) == 2
    assert task.worker is not None
    assert task.worker.pid not in pids


def test_errors_and_losses_are_counted_apart(launch: Launch, tmp_path: Path) -> None:
    env = launch()
    only_errors = RetryPolicy(on_error=5, **SOON)
    task = env.submit(WORK, "trip", (str(tmp_path / "a"), 1, "kill"), retries=only_errors)
    assert isinstance(task.wait_for(5).exception, WorkerLostError)
    assert len(task.attempts) == 1
    only_losses = RetryPolicy(on_lost=2, **SOON)
    task = env.submit(WORK, "trip", (str(tmp_path / "b"), 1, "raise"), retries=only_losses)
    assert task.wait_for(5).error == "RuntimeError: planned for run 1"
    both = RetryPolicy(on_error=1, on_lost=1, **SOON)
    task = env.submit(WORK, "trip", (str(tmp_path / "c"), 2, "raise kill"), retries=both)
    assert task.wait_for(10).result == 3


def test_poison_is_given_no_fourth_worker(launch: Launch, runs: Path) -> None:
    env = launch(max_workers=2)
    others = env.map_tasks(WORK, "echo", range(30))
    task = env.submit(WORK, "trip", (str(runs), 99, "kill"), retries=50).wait_for(20)
    assert isinstance(task.exception, PoisonTaskError)
    assert task.exception.signal == "SIGKILL"
    assert "is poison" in (task.error or "")
    assert count(runs) == 3
    assert len(task.attempts) == 3
    assert [other.wait_for(5).result for other in others] == list(range(30))
    wait_until(lambda: env.worker_count == 2)


def test_a_silent_worker_counts_as_lost(launch: Launch, runs: Path) -> None:
    env = launch(worker_timeout=0.3)
    policy = RetryPolicy(on_lost=1, **SOON)
    task = env.submit(WORK, "trip", (str(runs), 1, "stop"), retries=policy).wait_for(10)
    assert task.result == 2
    assert isinstance(task.attempts[0].error, TaskTimeoutError)


def test_a_time_limit_is_for_each_run(env: Environment, runs: Path) -> None:
    policy = RetryPolicy(on_error=1, **SOON)
    task = env.submit(WORK, "trip", (str(runs), 1, "linger"), timeout=0.3, retries=policy)
    assert task.wait_for(10).result == 2
    error = task.attempts[0].error
    assert isinstance(error, TaskTimeoutError)
    assert "ran for more than 0.3 s" in error.exception


def test_a_pause_occupies_no_worker(launch: Launch, runs: Path) -> None:
    env = launch()
    policy = RetryPolicy(on_error=1, delay=0.5, jitter=0.0)
    task = env.submit(WORK, "trip", (str(runs), 1, "raise"), retries=policy)
    wait_until(lambda: len(task.attempts) == 1)
    assert task.status is TaskStatus.PENDING
    assert task.worker is None
    assert env.execute(WORK, "echo", (1,)) == 1  # the only worker is free
    assert task.status is TaskStatus.PENDING
    assert task.wait_for(5).result == 2
    first = task.attempts[0].finished
    assert first is not None
    assert task.timings.started is not None
    assert task.timings.started - first >= 0.49


def test_pauses_grow(env: Environment, runs: Path) -> None:
    policy = RetryPolicy(on_error=3, delay=0.05, backoff=2.0, max_delay=0.15, jitter=0.0)
    task = env.submit(WORK, "trip", (str(runs), 3, "raise"), retries=policy).wait_for(5)
    ends = [attempt.finished for attempt in task.attempts]
    begins = [*[attempt.started for attempt in task.attempts][1:], task.timings.started]
    pauses = [begin - end for begin, end in zip(begins, ends, strict=True)]  # type: ignore[operator]
    for pause, least in zip(pauses, [0.05, 0.1, 0.15], strict=True):
        assert least - 0.01 <= pause < least + 0.2


def test_the_events_are_a_start_for_every_run_and_one_end(env: Environment, runs: Path) -> None:
    kinds: list[TaskEventType] = []
    task = env.submit(WORK, "trip", (str(runs), 2, "raise"), retries=2, start=False)
    task.listen(lambda event: kinds.append(event.type)).start().wait_for(5)
    told = [kind for kind in kinds if kind is not TaskEventType.UPDATE]
    assert told == [TaskEventType.STARTED] * 3 + [TaskEventType.COMPLETION]


def test_progress_starts_anew_with_every_run(env: Environment, runs: Path) -> None:
    policy = RetryPolicy(on_error=1, delay=60.0)
    task = env.submit(WORK, "trip", (str(runs), 1, "raise"), retries=policy)
    wait_until(lambda: len(task.attempts) == 1)
    assert task.message is None
    task.cancel()


def test_canceling_ends_a_pause_at_once(env: Environment, runs: Path) -> None:
    policy = RetryPolicy(on_error=1, delay=60.0)
    task = env.submit(WORK, "trip", (str(runs), 1, "raise"), retries=policy)
    wait_until(lambda: len(task.attempts) == 1)
    task.cancel()
    assert task.status is TaskStatus.CANCELED
    assert len(task.attempts) == 1
    assert count(runs) == 1


def test_a_task_that_was_canceled_is_not_tried_again(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "fail_when_released", (gate.path,), retries=3)
    gate.wait_started()
    task.cancel()
    gate.release()
    assert task.wait_for(5).status is TaskStatus.FAILED
    assert len(task.attempts) == 1


def test_exit_ends_pauses(launch: Launch, runs: Path) -> None:
    env = launch()
    policy = RetryPolicy(on_error=1, delay=60.0)
    task = env.submit(WORK, "trip", (str(runs), 1, "raise"), retries=policy)
    wait_until(lambda: len(task.attempts) == 1)
    begin = time.monotonic()
    env.exit()
    assert time.monotonic() - begin < 2.0
    assert isinstance(task.exception, TaskAbandonedError)
    assert len(task.attempts) == 1


def test_retry_if_decides_by_the_failure(env: Environment, tmp_path: Path) -> None:
    asked: list[ExecutionException] = []
    threads: list[str] = []

    def temporary(error: ExecutionException) -> bool:
        asked.append(error)
        threads.append(threading.current_thread().name)
        return error.type_name == "RuntimeError"

    policy = RetryPolicy(on_error=3, retry_if=temporary, **SOON)
    task = env.submit(WORK, "trip", (str(tmp_path / "a"), 2, "raise"), retries=policy)
    assert task.wait_for(5).result == 3
    assert [error.exception for error in asked] == [
        "RuntimeError: planned for run 1",
        "RuntimeError: planned for run 2",
    ]
    assert set(threads) == {"wetlands-delivery"}
    other = env.submit(WORK, "trip", (str(tmp_path / "b"), 2, "divide"), retries=policy)
    assert other.wait_for(5).exception is not None
    assert other.exception.type_name == "ZeroDivisionError"  # type: ignore[union-attr]
    assert len(other.attempts) == 1


def test_a_retry_if_that_raises_is_logged_and_means_no(
    env: Environment, runs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy = RetryPolicy(on_error=3, retry_if=lambda error: 1 / 0, **SOON)
    task = env.submit(WORK, "trip", (str(runs), 2, "raise"), retries=policy).wait_for(5)
    assert task.error == "RuntimeError: planned for run 1"
    assert "retry_if raised" in caplog.text


def test_a_task_that_is_thought_about_can_be_canceled(env: Environment, runs: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    def think(error: ExecutionException) -> bool:
        asked.set()
        return answer.wait(10)

    policy = RetryPolicy(on_error=3, retry_if=think, **SOON)
    task = env.submit(WORK, "trip", (str(runs), 2, "raise"), retries=policy)
    assert asked.wait(5)
    task.cancel()
    assert task.status is TaskStatus.CANCELED
    answer.set()
    assert env.execute(WORK, "echo", (1,)) == 1
    assert count(runs) == 1


def test_every_way_to_submit_takes_retries(env: Environment, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in "abcde"]
    assert list(env.map(WORK, "trip_once", files[:2], retries=1)) == [2, 2]
    tasks = env.map_tasks(WORK, "trip_once", files[2:4], retries=1)
    assert [task.wait_for(5).result for task in tasks] == [2, 2]
    assert env.execute(WORK, "trip_once", (files[4],), retries=1) == 2
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "if not os.path.exists(sys.argv[1]):\n"
        "    open(sys.argv[1], 'w').close()\n"
        "    sys.exit(1)\n"
    )
    done = env.submit_script(script, (str(tmp_path / "f"),), retries=1).wait_for(5)
    assert done.status is TaskStatus.COMPLETED
    assert len(done.attempts) == 1


def test_a_large_argument_is_there_for_every_run(env: Environment, runs: Path) -> None:
    pytest.importorskip("numpy")
    import numpy as np

    array = np.arange(1_000_000)
    task = env.submit(WORK, "trip", (str(runs), 2, "raise", array), retries=2).wait_for(10)
    assert task.result == int(array.sum())


def test_a_task_with_a_kept_value_is_tried_again_where_that_is(
    env: Environment, runs: Path
) -> None:
    proxy = env.execute(WORK, "echo", ([1, 2, 3],), result="proxy")
    task = env.submit(WORK, "trip", (str(runs), 2, "raise", proxy), retries=2).wait_for(5)
    assert task.result == 6


def test_a_task_whose_kept_value_was_lost_is_not_tried_in_vain(launch: Launch, runs: Path) -> None:
    env = launch(max_workers=2)
    proxy = env.execute(WORK, "echo", ([1, 2, 3],), result="proxy")
    task = env.submit(WORK, "trip", (str(runs), 2, "kill", proxy), retries=2).wait_for(10)
    assert isinstance(task.exception, WorkerLostError)
    assert "kept by a worker" in (task.error or "")
    assert count(runs) == 1


def test_a_worker_that_is_killed_from_outside_costs_no_task_with_a_retry(
    launch: Launch, gate: Gate
) -> None:
    env = launch(max_workers=2)
    task = env.submit(WORK, "hold", (gate.path,), retries=RetryPolicy(on_lost=1, **SOON))
    gate.wait_started()
    os.kill(task.worker.pid, signal.SIGKILL)  # type: ignore[union-attr]
    gate.release()
    assert task.wait_for(10).result == "gate"


@pytest.mark.parametrize(
    "bad",
    [
        lambda: RetryPolicy(on_error=-1),
        lambda: RetryPolicy(on_lost=1.5),  # type: ignore[arg-type]
        lambda: RetryPolicy(on_error=True),
        lambda: RetryPolicy(delay=-0.1),
        lambda: RetryPolicy(delay=float("nan")),
        lambda: RetryPolicy(max_delay=float("inf")),
        lambda: RetryPolicy(backoff=0.5),
        lambda: RetryPolicy(backoff=1e9),
        lambda: RetryPolicy(jitter=1.5),
        lambda: RetryPolicy(jitter="a little"),  # type: ignore[arg-type]
        lambda: RetryPolicy(retry_if="always"),  # type: ignore[arg-type]
    ],
)
def test_a_policy_that_cannot_be_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        bad()


@pytest.mark.parametrize("retries", [-1, 1.5, True, "twice", None])
def test_retries_are_a_number_or_a_policy(env: Environment, retries: Any) -> None:
    with pytest.raises(ConfigurationError, match="retries"):
        env.submit(WORK, "echo", (1,), retries=retries)
