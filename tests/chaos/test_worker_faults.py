"""Faults of workers and of what runs in them, one by one; those of `docs/guarantees.md` that are
not tested where the feature is."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import WORK, Launch, worker_pids
from tests.support.processes import runs
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import ExecutionException, WorkerLostError
from wetlands.task import TaskStatus

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals")


def processes(env: Environment) -> list[int]:
    """Return the process ids of all workers, ready or not, without asking them."""
    links = list(env._pool._driver._workers.values())  # type: ignore[union-attr]
    return [link.process.pid for link in links if link.process is not None]


@pytest.mark.parametrize("count", [8, pytest.param(200, marks=pytest.mark.long)])
def test_kill_9_at_any_moment_ends_a_task_once(launch: Launch, count: int) -> None:
    env = launch(max_workers=4)
    dice = random.Random(count)
    for number in range(count):
        task = env.submit(WORK, "chatter", (0.03, 0.001))
        wait_until(lambda task=task: task.status is not TaskStatus.PENDING)
        time.sleep(dice.random() * 0.03)  # the moment is what is tried out, not a wait
        if task.worker is not None and task.worker.pid in processes(env):
            with contextlib.suppress(ProcessLookupError):  # it died of the last one just now
                os.kill(task.worker.pid, signal.SIGKILL)
        assert task.wait_for(10).status in (TaskStatus.COMPLETED, TaskStatus.FAILED), number
        if task.status is TaskStatus.FAILED:
            assert isinstance(task.exception, WorkerLostError)
    wait_until(lambda: env.worker_count == 4)


def die_around_the_answer(delay: float) -> str:
    """Have a child kill this worker about when it has answered."""
    import os
    import signal
    import time

    parent = os.getpid()
    if os.fork() == 0:
        end = time.monotonic() + delay
        while time.monotonic() < end:
            pass
        os.kill(parent, signal.SIGKILL)
        os._exit(0)
    return "answered"


@pytest.mark.parametrize("count", [12, pytest.param(1000, marks=pytest.mark.long)])
def test_a_death_between_result_and_receipt_is_one_or_the_other(launch: Launch, count: int) -> None:
    env = launch(max_workers=4)
    dice = random.Random(count)
    seen = set()
    for _ in range(count):
        task = env.submit(die_around_the_answer, args=(dice.random() * 0.004,)).wait_for(10)
        seen.add(task.status)
        if task.status is TaskStatus.COMPLETED:
            assert task.result == "answered"
        else:
            assert isinstance(task.exception, WorkerLostError)
    assert TaskStatus.PENDING not in seen
    wait_until(lambda: env.worker_count == 4)


def test_a_worker_that_dies_while_it_starts_is_replaced(launch: Launch) -> None:
    env = launch()
    tasks = [env.submit(WORK, "die", ("exit 1",)), *env.map_tasks(WORK, "echo", range(5))]
    killed: set[int] = set()
    tasks[0].wait_for(5)

    def kill_a_starting_one() -> bool:
        for pid in processes(env):
            if env.worker_count == 0 and pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        return len(killed) >= 2

    wait_until(kill_a_starting_one)
    assert [task.wait_for(20).result for task in tasks[1:]] == list(range(5))


def test_code_that_holds_the_gil_is_left_alone_unless_a_limit_says_otherwise(
    launch: Launch,
) -> None:
    env = launch()
    pid = env.execute(WORK, "pid")
    env.submit(WORK, "hold_gil", (1.5,)).wait_for(10)
    assert env.execute(WORK, "pid") == pid


def test_a_worker_under_load_with_hundreds_of_threads_is_left_alone(launch: Launch) -> None:
    def spin(seconds: float, *, task: Any = None) -> int:
        import threading
        import time

        end = time.monotonic() + seconds

        def burn() -> None:
            while time.monotonic() < end:
                pass

        threads = [threading.Thread(target=burn) for _ in range(200)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            task.update("alive")
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        return len(threads)

    env = launch(worker_timeout=5.0)
    pid = env.execute(WORK, "pid")
    assert env.submit(spin, args=(1.0,)).wait_for(20).result == 200
    assert env.execute(WORK, "pid") == pid


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_flood_of_output_costs_the_host_no_memory(launch: Launch) -> None:
    def flood(megabytes: int) -> int:
        line = "x" * 1023
        for _ in range(megabytes * 1024):
            print(line)
        return megabytes

    env = launch()
    env.submit(flood, args=(5,)).wait_for(20)
    before = psutil.Process().memory_info().rss
    assert env.submit(flood, args=(100,)).wait_for(60).result == 100
    assert psutil.Process().memory_info().rss - before < 10 * 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds them by /proc")
def test_a_tree_of_descendants_goes_with_its_worker_but_one_that_hides(
    launch: Launch, tmp_path: Path
) -> None:
    def plant(folder: str) -> None:
        import os
        import subprocess
        import sys

        sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
        subprocess.Popen(sleep)  # a child, in our group
        subprocess.Popen(sleep, start_new_session=True)
        daemon = f"import subprocess; subprocess.Popen({sleep!r}, start_new_session=True)"
        subprocess.Popen([sys.executable, "-c", daemon]).wait()  # has no parent of ours
        grandchild = f"import subprocess; subprocess.Popen({sleep!r}).wait()"
        subprocess.Popen([sys.executable, "-c", grandchild], start_new_session=True)
        hidden = subprocess.Popen(sleep, start_new_session=True, env={"HIDDEN": "yes"})
        with open(os.path.join(folder, "hidden"), "w") as file:
            file.write(str(hidden.pid))
        # Until it has its own environment: a moment after the fork it still has ours.
        while True:
            with open(f"/proc/{hidden.pid}/environ", "rb") as environ:
                if b"HIDDEN" in environ.read():
                    return

    env = launch()
    env.submit(plant, args=(str(tmp_path),)).wait_for(10)
    (worker,) = processes(env)
    tag = env._pool._host.reaper.tag  # type: ignore[union-attr]
    wait_until(lambda: len(_family(tag)) >= 6)
    family = _family(tag)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not any(runs(pid) for pid in family), timeout=2)
    hidden = int((tmp_path / "hidden").read_text())
    if runs(hidden):  # its parent is gone, and its environment says nothing: documented
        os.kill(hidden, signal.SIGKILL)


def _family(tag: str) -> set[int]:
    found = set()
    for process in psutil.process_iter():
        try:
            marked = process.environ().get("WETLANDS_WORKER", "")
        except psutil.Error:
            continue
        if marked.startswith(tag) and process.pid != os.getpid():
            found.add(process.pid)
    return found


def change_the_process(value: str) -> None:
    import os
    import random
    import signal
    import sys
    import warnings

    os.chdir("/")
    os.environ["LEFT_BEHIND"] = value
    os.umask(0o077)
    sys.setrecursionlimit(777)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    random.seed(1)
    warnings.simplefilter("ignore")


def look_at_the_process() -> tuple[Any, ...]:
    import os
    import sys

    return (os.getcwd(), os.environ.get("LEFT_BEHIND"), sys.getrecursionlimit())


@pytest.mark.parametrize("fresh", [False, True])
def test_what_a_task_changes_in_its_process_stays_there_and_goes_with_it(
    launch: Launch, fresh: bool
) -> None:
    env = launch(max_tasks_per_worker=1 if fresh else None)
    before = env.submit(look_at_the_process).wait_for(5).result
    env.submit(change_the_process, args=("yes",)).wait_for(5)
    after = env.submit(look_at_the_process).wait_for(5).result
    assert after == (before if fresh else ("/", "yes", 777))


def test_a_task_that_takes_all_descriptors_hurts_its_worker_at_most(launch: Launch) -> None:
    def leak() -> int:
        import os
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        kept = []
        while True:
            try:
                kept.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                return len(kept)

    env = launch(max_workers=2)
    assert (env.submit(leak).wait_for(10).result or 0) > 10
    tasks = env.map_tasks(WORK, "echo", range(50))
    assert [task.wait_for(10).result for task in tasks] == list(range(50))


def leak(count: int) -> int:
    import os

    for _ in range(count):
        os.open("/dev/null", os.O_RDONLY)
    return os.getpid()


def allow_few() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))


def test_a_worker_whose_tasks_leave_files_open_is_replaced_in_time(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    env = launch(initializer=allow_few)
    pids = [env.submit(leak, args=(10,)).wait_for(10).result for _ in range(40)]
    assert None not in pids  # every task found descriptors
    assert 3 <= len(set(pids)) <= 5
    wait_until(lambda: "left too many files open" in caplog.text)
    assert "exited with status" not in caplog.text


def test_one_task_that_leaves_thousands_of_files_open_is_enough(launch: Launch) -> None:
    if os.sysconf("SC_OPEN_MAX") < 10_100:
        pytest.skip("so many files can't be opened here")
    env = launch()
    before = env.submit(leak, args=(0,)).wait_for(10).result
    assert env.submit(leak, args=(10_000,)).wait_for(10).result == before
    wait_until(lambda: env.submit(leak, args=(0,)).wait_for(10).result != before)


@pytest.mark.long
def test_tasks_that_take_all_descriptors_again_and_again_break_no_pool(launch: Launch) -> None:
    def take_all() -> bool:
        import errno
        import os

        try:
            while True:
                os.open("/dev/null", os.O_RDONLY)
        except OSError as error:
            return error.errno == errno.EMFILE

    env = launch(initializer=allow_few)
    tasks = [env.submit(take_all) for _ in range(8)]
    assert [task.wait_for(20).result for task in tasks] == [True] * 8
    assert env.execute(WORK, "echo", (1,)) == 1


def test_runaway_recursion_is_contained(launch: Launch) -> None:
    def recurse(depth: int) -> int:
        return 1 + recurse(depth + 1)

    def run_away() -> int:
        import resource
        import sys

        resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))
        sys.setrecursionlimit(10**9)
        return recurse(0)

    env = launch(max_workers=2)
    assert isinstance(env.submit(recurse, args=(0,)).wait_for(10).exception, ExecutionException)
    assert env.submit(run_away).wait_for(60).status is TaskStatus.FAILED
    wait_until(lambda: env.worker_count == 2)
    assert [task.wait_for(10).result for task in env.map_tasks(WORK, "echo", range(9))] == [
        *range(9)
    ]


@pytest.mark.parametrize("count", [8, pytest.param(64, marks=pytest.mark.long)])
def test_a_whole_pool_that_is_killed_comes_back(launch: Launch, count: int) -> None:
    begin = time.monotonic()
    env = launch(max_workers=count)
    assert time.monotonic() - begin < 5 + count
    for pid in processes(env):
        os.kill(pid, signal.SIGKILL)
    tasks = env.map_tasks(WORK, "echo", range(100))
    assert [task.wait_for(60).result for task in tasks] == list(range(100))
    wait_until(lambda: env.worker_count == count, timeout=60)


def test_a_restart_in_a_storm_of_kills_leaves_a_whole_pool(launch: Launch) -> None:
    env = launch(max_workers=3)
    for _ in range(3):
        tasks = env.map_tasks(WORK, "echo", range(100), retries=2)
        env.restart()
        for pid in processes(env)[:2]:
            with contextlib.suppress(ProcessLookupError):  # the restart ends them as well
                os.kill(pid, signal.SIGKILL)
        assert [task.wait_for(30).result for task in tasks] == list(range(100))
    wait_until(lambda: env.worker_count == 3)
    assert len(worker_pids(env)) == 3
