"""What faults cost: news of a death, a replacement, orphans, tasks lost; and watching for them."""

from __future__ import annotations

import contextlib
import glob
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.subject import WORK, environment
from benchmarks.timing import Series, seconds
from wetlands import Environment
from wetlands.errors import WorkerLostError
from wetlands.task import Task, TaskStatus

FAILED = "SIGKILL of a busy worker to its task FAILED"
STARTED = "start of a worker, until it is ready"
REPLACED = "SIGKILL of a busy worker to its replacement at work"
BEYOND = "the same, beyond the start of a worker"
ORPHANS = "SIGKILL of the host to the end of its workers, one at work"
ORPHANS_GIL = "SIGKILL of the host to the end of its workers, one holding the GIL"
LOST = "tasks without a true end, while workers are killed"
IDLE = "supervision of 16 idle workers"
WAKE_UPS = "wake-ups of an idle host with 16 workers"


def measure(options: Options) -> list[Series]:
    """Take all measurements."""
    return [
        *_deaths(2 if options.smoke else 100),
        *_orphans(1 if options.smoke else 8),
        _storm(1000 if options.smoke else options.items),
        *_idle(0.5 if options.smoke else 10.0),
    ]


def _deaths(count: int) -> list[Series]:
    failed, started, replaced = Series(FAILED, "ms"), Series(STARTED, "ms"), Series(REPLACED, "ms")
    with environment(1) as env:
        for _ in range(max(2, count // 5)):
            started.add(seconds(lambda: _resize(env, 2)))
            _resize(env, 1)
        for _ in range(count):
            victim, queued = env.submit(WORK, "sleep", (60,)), env.submit(WORK, "noop")
            _until(lambda victim=victim: victim.message is not None)
            begin = time.perf_counter()
            _kill(victim)
            failed.add(seconds(victim.wait_for))
            queued.wait_for()
            replaced.add(time.perf_counter() - begin)
    beyond = Series(BEYOND, "ms", [value - started.median for value in replaced.values])
    return [failed, started, replaced, beyond]


def _resize(env: Environment, size: int) -> None:
    env.resize(size)
    _until(lambda: env.worker_count == size)


def _kill(task: Task[object]) -> None:
    assert task.worker is not None
    os.kill(task.worker.pid, signal.SIGKILL)


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.0005)


# -- orphans ---------------------------------------------------------------------------------------

HOST = """
import ctypes, sys, tempfile
from wetlands import EnvironmentManager
manager = EnvironmentManager(tempfile.mkdtemp(), progress=False)
env = manager.load("host", sys.executable)
env.launch(max_workers=4)
pids = {task.wait_for().result for task in env.map_tasks(sys.argv[1], "pid", range(200))}
task = env.submit(sys.argv[1], sys.argv[2], (60,))
while task.message is None:
    pass
print(*pids, flush=True)
task.wait_for()
"""


def _orphans(count: int) -> list[Series]:
    found = []
    for name, function in ((ORPHANS, "sleep"), (ORPHANS_GIL, "hold_gil")):
        series = Series(name, "ms")
        for _ in range(count):
            series.add(_time_of_orphans(function))
        found.append(series)
    return found


def _time_of_orphans(function: str) -> float:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(WORK), function], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    with host.stdout:
        pids = [int(part) for part in host.stdout.readline().split()]
    begin = time.perf_counter()
    host.kill()
    host.wait()
    _until(lambda: not any(_lives(pid) for pid in pids))
    return time.perf_counter() - begin


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# -- a storm ---------------------------------------------------------------------------------------


def _storm(count: int) -> Series:
    """Count tasks that end in no way that is true, while workers are killed at random."""
    lost = Series(LOST, f"of {count:,}")
    over = threading.Event()
    with environment(4) as env:
        tasks: list[Task[object]] = []

        def kill() -> None:
            dice = random.Random(count)
            while not over.wait(0.2 + dice.random() / 2):
                running = [t for t in tasks[-2000:] if t.status is TaskStatus.RUNNING]
                if running:
                    with contextlib.suppress(ProcessLookupError):  # another one was faster
                        _kill(dice.choice(running))

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            for number in range(count):
                tasks.append(env.submit(WORK, "noop", (number,)))
                if number >= 1000:
                    tasks[number - 1000].wait_for()
            env.drain()
        finally:
            over.set()
            killer.join()
        lost.values.append(float(sum(not _is_true(task, n) for n, task in enumerate(tasks))))
    return lost


def _is_true(task: Task[object], number: int) -> bool:
    if task.status is TaskStatus.COMPLETED:
        return task.result == number
    return task.status is TaskStatus.FAILED and isinstance(task.exception, WorkerLostError)


# -- doing nothing ---------------------------------------------------------------------------------


def _idle(duration: float) -> list[Series]:
    share, wake_ups = Series(IDLE, "% of a core"), Series(WAKE_UPS, "in a second, and its threads")
    with environment(16):
        time.sleep(0.2)  # what launching has left to do
        before, begin, woken = time.process_time(), time.perf_counter(), _switches()
        time.sleep(duration)
        passed = time.perf_counter() - begin
        share.values.append(100.0 * (time.process_time() - before) / passed)
        wake_ups.values.append((_switches() - woken) / passed)
    return [share, wake_ups]


def _switches() -> int:
    """Return how often the threads of this process have gone to sleep so far."""
    total = 0
    for path in glob.glob("/proc/self/task/*/status"):
        for line in Path(path).read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


PART = Part(
    "faults",
    "when workers or hosts die, and what watching costs",
    measure,
    bars=(
        Bar(FAILED + ", 99 of 100", FAILED, 50, quantile=0.99),
        Bar(BEYOND, BEYOND, 100),
        Bar(ORPHANS, ORPHANS, 1000),
        Bar(ORPHANS_GIL, ORPHANS_GIL, 1000),
        Bar(LOST, LOST, 0),
        Bar(IDLE, IDLE, 0.2),
        Bar(WAKE_UPS, WAKE_UPS, 1),
    ),
)
