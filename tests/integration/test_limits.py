"""Limits of workers and of the queue: what they cost, and what they never cost, which is a task."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands.errors import (
    ConfigurationError,
    OutOfMemoryError,
    PoolClosedError,
    QueueFullError,
)
from wetlands.task import TaskStatus

MB = 2**20


# -- tasks per worker ------------------------------------------------------------------------------


def test_a_worker_is_replaced_after_so_many_tasks_and_none_is_lost(launch: Launch) -> None:
    env = launch(max_workers=2, max_tasks_per_worker=5)
    pids = [task.wait_for(20).result for task in env.map_tasks(WORK, "pid", range(40))]
    assert max(pids.count(pid) for pid in pids) == 5
    # Eight would do, but each of the two that are at work in the end may have had fewer than five.
    assert len(set(pids)) in (8, 9)


def test_what_a_task_leaves_behind_ends_with_a_worker_of_its_own(launch: Launch) -> None:
    env = launch(max_tasks_per_worker=1)
    for _ in range(3):
        assert env.execute(WORK, "remember", (1,)) == [1]  # a list of the module


def test_a_failure_counts_as_a_task(launch: Launch) -> None:
    env = launch(max_tasks_per_worker=2)
    first = env.execute(WORK, "pid")
    assert env.submit(WORK, "fail").wait_for(5).status is TaskStatus.FAILED
    assert env.execute(WORK, "pid") != first


def test_a_worker_that_keeps_a_value_stays_until_it_is_dropped(launch: Launch) -> None:
    env = launch(max_tasks_per_worker=1)
    proxy = env.execute(WORK, "echo", ([1, 2],), result="proxy")
    pid = env.execute(WORK, "pid")
    assert env.execute(WORK, "echo", (proxy,)) == [1, 2]
    assert env.execute(WORK, "pid") == pid
    del proxy
    wait_until(lambda: env.execute(WORK, "pid") != pid)


# -- memory ----------------------------------------------------------------------------------------

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux
def test_a_task_that_takes_too_much_memory_fails_by_that_name(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2, max_memory_per_worker=120 * MB)
    others = [env.submit(WORK, "silent_for", (0.2,)) for _ in range(3)]
    task = env.submit(WORK, "gobble", (gate.path,)).wait_for(20)
    assert isinstance(task.exception, OutOfMemoryError)
    assert "took more than 120 MiB of memory" in (task.error or "")
    assert [other.wait_for(10).status for other in others] == [TaskStatus.COMPLETED] * 3
    assert env.execute(WORK, "echo", (1,)) == 1


@linux
def test_a_worker_that_has_grown_is_replaced_after_its_task(launch: Launch) -> None:
    env = launch(max_memory_per_worker=200 * MB)
    pids = [task.wait_for(20).result for task in env.map_tasks(WORK, "hoard", [60] * 8)]
    assert 3 <= len(set(pids)) <= 4  # two, or three, hoards make more than four fifths


@linux
def test_an_array_that_is_shared_is_nobodys_own_memory(launch: Launch) -> None:
    np = pytest.importorskip("numpy")
    env = launch(max_memory_per_worker=150 * MB)
    array = env.empty(200 * MB // 8)
    array[:] = 1.0
    assert env.execute(np.sum, args=(array,)) == array.size


def test_a_memory_error_of_python_is_an_error_of_the_function(launch: Launch) -> None:
    env = launch()
    pid = env.execute(WORK, "pid")
    task = env.submit(WORK, "out_of_memory").wait_for(5)
    assert task.exception is not None
    assert task.exception.type_name == "MemoryError"
    assert env.execute(WORK, "pid") == pid


@linux
def test_the_kernel_takes_a_worker_before_its_host(launch: Launch) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())
    assert launch().execute(WORK, "oom_score") == max(800, own)


# -- idle workers ----------------------------------------------------------------------------------


def test_idle_workers_go_and_come_back_on_demand(launch: Launch) -> None:
    env = launch(max_workers=2, idle_timeout=0.3)
    before = {task.wait_for(5).result for task in env.map_tasks(WORK, "pid", range(4))}
    wait_until(lambda: env.worker_count == 0)
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in before))
    assert env.launched()
    assert env.execute(WORK, "pid") not in before
    tasks = [env.submit(WORK, "silent_for", (0.2,)) for _ in range(4)]
    wait_until(lambda: env.worker_count == 2)
    assert {task.wait_for(10).status for task in tasks} == {TaskStatus.COMPLETED}


def test_one_task_wakes_one_worker(launch: Launch) -> None:
    env = launch(max_workers=4, idle_timeout=0.3)
    wait_until(lambda: env.worker_count == 0)
    pid = env.submit(WORK, "pid").wait_for(10).result
    assert pid is not None
    assert env.worker_count <= 1


def test_a_worker_that_keeps_a_value_is_not_let_go(launch: Launch) -> None:
    env = launch(idle_timeout=0.2)
    proxy = env.execute(WORK, "echo", ([1, 2],), result="proxy")
    end = time.monotonic() + 0.6
    wait_until(lambda: time.monotonic() > end)
    assert env.worker_count == 1
    assert env.execute(WORK, "echo", (proxy,)) == [1, 2]
    del proxy
    wait_until(lambda: env.worker_count == 0)


def test_going_idle_is_no_warning(launch: Launch, caplog: pytest.LogCaptureFixture) -> None:
    env = launch(idle_timeout=0.1)
    wait_until(lambda: env.worker_count == 0)
    env.exit()
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []


# -- the queue -------------------------------------------------------------------------------------


def test_who_submits_too_much_waits(launch: Launch, gate: Gate) -> None:
    env = launch(max_queued=2)
    running = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    tasks = [env.submit(WORK, "echo", (i,)) for i in range(2)]
    with pytest.raises(QueueFullError, match="max_queued is 2"):
        env.submit(WORK, "echo", (3,), block=False)
    with pytest.raises(QueueFullError):
        env.submit_script(WORK, block=False)
    entered = threading.Event()

    def submit() -> None:
        tasks.append(env.submit(WORK, "echo", (2,)))
        entered.set()

    thread = threading.Thread(target=submit)
    thread.start()
    assert not entered.wait(0.3)
    gate.release()
    assert entered.wait(5)
    thread.join()
    assert running.wait_for(5).result == "gate"
    assert [task.wait_for(5).result for task in tasks] == [0, 1, 2]


def test_a_canceled_task_makes_room(launch: Launch, gate: Gate) -> None:
    env = launch(max_queued=1)
    running = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    for _ in range(5):
        queued = env.submit(WORK, "echo", (1,), block=False)
        queued.cancel()
        queued.cancel()
    last = env.submit(WORK, "echo", (2,), block=False)
    gate.release()
    assert last.wait_for(5).result == 2
    assert running.wait_for(5).result == "gate"


def test_thousands_pass_a_narrow_gate_from_many_threads(launch: Launch) -> None:
    env = launch(max_workers=2, max_queued=3)
    results: list[int] = []

    def work(first: int) -> None:
        tasks = [env.submit(WORK, "echo", (first + i,)) for i in range(200)]
        results.extend(task.wait_for(20).result for task in tasks)  # type: ignore[misc]

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(results)) == 800
    assert list(env.map(WORK, "echo", range(100))) == list(range(100))
    env.submit(WORK, "echo", (1,), block=False).wait_for(5)


def test_who_waits_for_room_learns_of_the_end(launch: Launch, gate: Gate) -> None:
    env = launch(max_queued=1)
    env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    env.submit(WORK, "echo", (1,))
    raised: list[BaseException] = []
    waiting = threading.Event()

    def submit() -> None:
        try:
            waiting.set()
            env.submit(WORK, "echo", (2,))
        except PoolClosedError as error:
            raised.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    assert waiting.wait(5)
    env.exit(grace=0)
    thread.join(5)
    assert len(raised) == 1


def test_a_listener_may_submit_to_a_full_queue(launch: Launch) -> None:
    env = launch(max_queued=1)
    more: list[Any] = []
    first = env.submit(WORK, "echo", (1,), start=False)
    first.listen(lambda event: more.append(env.submit(WORK, "echo", (2,))))
    first.start()
    tasks = [env.submit(WORK, "echo", (i,)) for i in range(20)]
    assert [task.wait_for(10).result for task in tasks] == list(range(20))
    wait_until(lambda: len(more) == 2)
    assert [task.wait_for(5).result for task in more] == [2, 2]


@pytest.mark.parametrize(
    "option",
    [
        {"max_tasks_per_worker": 0},
        {"max_tasks_per_worker": 1.5},
        {"max_memory_per_worker": -1},
        {"max_memory_per_worker": "1G"},
        {"idle_timeout": 0},
        {"idle_timeout": "soon"},
        {"max_queued": 0},
        {"max_queued": True},
        {"initializer": "setup"},
    ],
)
def test_a_limit_that_cannot_be_is_refused(launch: Launch, option: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        launch(**option)
