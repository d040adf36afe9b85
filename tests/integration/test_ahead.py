"""Many short tasks: several are with a worker at a time, and nothing that is promised suffers."""

from __future__ import annotations

import math
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest

from tests.integration.conftest import Launch
from tests.support.waiting import wait_until
from wetlands import Environment, TaskStatus
from wetlands.errors import WorkerLostError

MODULE = '''
import os
import signal
import sys
import threading
import time

ran = []


def same(x):
    ran.append(x)
    return x


def ran_here():
    return list(ran)


def odd(x, folder=None):
    """Quick, but for some numbers."""
    if x == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if x == "raise":
        raise ValueError(x)
    if x == "print":
        print("printed by", x)
    if x == "large":
        return b"x" * 100_000
    if isinstance(x, str) and os.sep in x:
        while not os.path.exists(x):
            time.sleep(0.005)
    return x


def skip(x, task):
    from worker_entry import protocol

    task._send(protocol.Skipped(task._task, task._attempt))
    return x


def size(array):
    return array.size


def loud(x):
    print("line of", x)
    return x


def told(x, task):
    task.update(str(x), current=x)
    task.set_output("x", x)
    if task.cancel_requested:
        task.cancel()
    return x
'''


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "ahead_module.py"
    path.write_text(MODULE)
    return str(path)


def make_known(env: Environment, module: str, function: str) -> None:
    """Run a function until it is known to be a short one, and tasks of it are sent ahead."""
    label = f"{Path(module).name}:{function}"

    def known() -> bool:
        for task in [env.submit(module, function, (0,)) for _ in range(4)]:
            task.wait_for(20)
        return env._pool._driver.core.paces.expect(label) < 0.0005  # type: ignore[union-attr]

    wait_until(known, 20)


def make_quick(env: Environment, module: str, function: str) -> None:
    """Have a function be known to take a microsecond, however busy this machine is."""
    make_known(env, module, function)
    assert env._pool is not None
    for _ in range(100):
        env._pool._driver.core.paces.note(f"{Path(module).name}:{function}", 1e-6)


def held_up(env: Environment, module: str, tmp_path: Path, count: int) -> tuple[list, Path]:
    """Have all workers wait for a file, and return their tasks and the file."""
    gate = tmp_path / "gate"
    tasks = [env.submit(module, "odd", (str(gate),)) for _ in range(count)]
    return tasks, gate


def test_all_results_come_back_and_each_to_its_task(launch: Launch, module: str) -> None:
    env = launch(max_workers=2)
    make_known(env, module, "same")
    tasks = [env.submit(module, "same", (i,)) for i in range(3000)]
    wait([task.future for task in tasks], timeout=60)
    assert [task.result for task in tasks] == list(range(3000))
    assert all(task.timings.started <= task.timings.finished for task in tasks)
    assert {task.worker.slot for task in tasks} == {0, 1}  # type: ignore[union-attr]


def test_each_runs_once(launch: Launch, module: str) -> None:
    env = launch()
    make_known(env, module, "same")
    before = env.execute(module, "ran_here")
    for task in [env.submit(module, "same", (i,)) for i in range(1, 500)]:
        task.wait_for(30)
    assert env.execute(module, "ran_here")[len(before) :] == list(range(1, 500))


@pytest.mark.parametrize("place", [1, 17, 63])
def test_the_one_that_kills_its_worker_is_lost_and_no_other(
    launch: Launch, module: str, place: int
) -> None:
    env = launch()
    make_known(env, module, "odd")
    tasks = [env.submit(module, "odd", ("die" if i == place else i,)) for i in range(100)]
    for task in tasks:
        task.wait_for(30)
    assert isinstance(tasks[place].exception, WorkerLostError)
    del tasks[place]
    assert [task.status for task in tasks] == [TaskStatus.COMPLETED] * 99


def test_of_many_that_fail_or_return_much_each_ends_as_it_should(
    launch: Launch, module: str
) -> None:
    env = launch(max_workers=2)
    make_known(env, module, "odd")
    kinds = ["raise", 1, "large", 2]
    tasks = [env.submit(module, "odd", (kinds[i % 4],)) for i in range(200)]
    for i, task in enumerate(tasks):
        task.wait_for(30)
        if i % 4 == 0:
            assert task.exception is not None
            assert task.exception.type_name == "ValueError"
        else:
            assert task.result == (b"x" * 100_000 if i % 4 == 2 else kinds[i % 4])


def test_what_waits_behind_a_long_one_goes_to_a_worker_that_is_idle(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch(max_workers=2)
    make_known(env, module, "odd")
    gate = tmp_path / "gate"
    long = env.submit(module, "odd", (str(gate),))
    quick = [env.submit(module, "odd", (i,)) for i in range(200)]
    for task in quick:
        task.wait_for(20)
    assert not long.status.is_finished()
    gate.touch()
    assert long.wait_for(20).result == str(gate)


def test_a_single_short_one_is_not_kept_waiting_by_a_long_one_of_its_kind(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    """Nobody is woken for a moment's work, but this turns out to be more."""
    env = launch(max_workers=2)
    make_quick(env, module, "odd")
    long, gate = held_up(env, module, tmp_path, 1)
    quick = env.submit(module, "odd", (1,))
    assert quick.wait_for(10).result == 1
    assert not long[0].status.is_finished()
    later = env.submit(module, "odd", (2,))
    wait_until(lambda: later.status.is_finished(), 10)  # although nobody waits for it
    gate.touch()
    long[0].wait_for(20)


def test_an_end_is_known_although_a_long_task_has_begun_behind_it(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    make_known(env, module, "odd")
    gate = tmp_path / "gate"
    quick = [env.submit(module, "odd", (i,)) for i in range(20)]
    long = env.submit(module, "odd", (str(gate),))
    for task in quick:
        task.wait_for(20)
    assert not long.status.is_finished()
    gate.touch()
    long.wait_for(20)


def test_those_that_were_sent_ahead_are_canceled_and_never_run(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    make_known(env, module, "odd")
    make_known(env, module, "same")
    (held,), gate = held_up(env, module, tmp_path, 1)
    tasks = [env.submit(module, "same", (f"no {i}",)) for i in range(30)]
    for task in tasks[::2]:
        task.cancel()
        assert task.status is TaskStatus.CANCELED
    gate.touch()
    held.wait_for(20)
    for task in tasks[1::2]:
        task.wait_for(20)
    ran = env.execute(module, "ran_here")
    assert [x for x in ran if x in {f"no {i}" for i in range(30)}] == [
        f"no {i}" for i in range(1, 30, 2)
    ]


def test_progress_outputs_and_events_of_short_tasks_are_in_order(
    launch: Launch, module: str
) -> None:
    env = launch(max_workers=2)
    make_known(env, module, "told")
    tasks, heard = [], {}
    for i in range(300):
        task = env.submit(module, "told", (i,), start=False)
        heard[task] = []
        task.listen(lambda event, heard=heard[task]: heard.append(event.type.name))
        tasks.append(task.start())
    for i, task in enumerate(tasks):
        assert task.wait_for(30).result == i
        assert task.outputs["x"] == i
        assert task.current == i
    for events in heard.values():
        assert events[0] == "STARTED"
        assert events[-1] == "COMPLETION"
        assert "UPDATE" in events


def test_exit_ends_those_that_were_sent_ahead(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    make_known(env, module, "odd")
    (held,), _ = held_up(env, module, tmp_path, 1)
    tasks = [env.submit(module, "odd", (i,)) for i in range(100)]
    env.exit(grace=0.1)
    assert all(task.status.is_finished() for task in [held, *tasks])


def test_several_threads_submit_short_tasks(launch: Launch, module: str) -> None:
    env = launch(max_workers=2)
    make_known(env, module, "same")
    results: dict[int, list[int]] = {}

    def submit(number: int) -> None:
        tasks = [env.submit(module, "same", (number * 1000 + i,)) for i in range(300)]
        results[number] = [task.wait_for(60).result for task in tasks]

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert results == {n: [n * 1000 + i for i in range(300)] for n in range(6)}


def test_resizing_and_restarting_lose_none_of_them(launch: Launch, module: str) -> None:
    env = launch(max_workers=2)
    make_known(env, module, "same")
    tasks = []
    for i in range(1200):
        tasks.append(env.submit(module, "same", (i,)))
        if i % 300 == 150:
            env.resize(1 + i // 300 % 3)
        if i % 400 == 200:
            env.restart()
    assert [task.wait_for(60).result for task in tasks] == list(range(1200))


def test_what_prints_is_not_sent_ahead_and_what_does_not_is(launch: Launch, module: str) -> None:
    env = launch()
    for number in range(20):  # by turns, on one worker
        env.execute(module, "loud", (number,))
        env.execute(module, "same", (number,))
    paces = env._pool._driver.core.paces  # type: ignore[union-attr]
    assert paces.expect("ahead_module.py:loud") == math.inf
    assert paces.expect("ahead_module.py:same") < math.inf


def test_a_worker_that_skips_what_it_was_not_asked_to_skip_is_not_believed(
    launch: Launch, module: str
) -> None:
    task = launch().submit(module, "skip", (1,)).wait_for(20)
    assert isinstance(task.exception, WorkerLostError)
    assert "not reclaimed" in str(task.exception)


def test_calls_with_shared_memory_and_chunks_are_no_short_tasks(
    launch: Launch, module: str
) -> None:
    env = launch()
    assert list(env.map(module, "same", range(3000))) == list(range(3000))
    paces = env._pool._driver.core.paces  # type: ignore[union-attr]
    assert len(paces) == 0
    array = env.empty(10_000_000)
    for _ in range(5):
        env.execute(module, "size", (array,))
    assert len(paces) == 0


def test_what_is_sent_alone_does_not_overtake_what_was_to_be_sent_together(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    """In one pass, tasks are sent ahead and taken back, and their worker becomes idle."""
    env = launch()
    make_known(env, module, "odd")
    make_known(env, module, "same")
    (held,), gate = held_up(env, module, tmp_path, 1)
    wait_until(lambda: held.status is TaskStatus.RUNNING, 20)
    pool = env._pool
    assert pool is not None
    for _ in range(100):  # so that three fit in, however busy the machine was
        pool._driver.core.paces.note("ahead_module.py:same", 1e-6)
    canceled = [env.submit(module, "same", (f"no {i}",), start=False) for i in range(3)]
    wanted = env.submit(module, "same", ("yes",), start=False)
    driver, loop = pool._driver, pool._host.loop
    (notes,) = [worker.notes for worker in driver._workers.values()]

    def all_at_once() -> None:
        for task in canceled:
            driver.submit(task._order)
            driver.settle()  # each by itself
        assert len(driver.core.slots[0].ahead) == 3
        for task in canceled:
            driver.cancel(task, math.inf)
        driver.submit(wanted._order)
        gate.touch()
        wait_until(notes.has_more, 20)  # the end of what holds the worker

    loop.post(driver, all_at_once)
    assert wanted.wait_for(20).result == "yes"
    assert [task.wait_for(20).status for task in canceled] == [TaskStatus.CANCELED] * 3
    assert env.execute(module, "same", ("last",)) == "last"
    ran = env.execute(module, "ran_here")
    assert [x for x in ran if isinstance(x, str)] == ["yes", "last"]
