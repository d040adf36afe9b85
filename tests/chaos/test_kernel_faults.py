"""What the kernel does to workers: it ends them for memory, or keeps every signal from them."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.control_groups import control_group
from tests.support.processes import runs
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import TaskTimeoutError

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="control groups")

# -- memory ----------------------------------------------------------------------------------------

GREEDY = """
import os, sys
from pathlib import Path
Path(sys.argv[3], "cgroup.procs").write_text(str(os.getpid()))
from wetlands import EnvironmentManager
env = EnvironmentManager(sys.argv[1], progress=False).load("h", sys.executable)
env.launch(max_workers=2)
work = sys.argv[2]
others = env.map_tasks(work, "silent_for", [0.1] * 20)
greedy = env.submit(work, "hog", (600, 20.0)).wait_for(60)
print(type(greedy.exception).__name__, "because memory ran out" in (greedy.error or ""))
print({task.wait_for(30).status.name for task in others}, env.execute(work, "echo", (5,)))
killed = env.submit(work, "die", ("SIGKILL",)).wait_for(30)
print(type(killed.exception).__name__)
env.exit()
"""


def test_what_the_kernel_ends_for_memory_is_called_that_and_its_host_lives(tmp_path: Path) -> None:
    limits = "memory.limit_in_bytes", "memory.max"
    with control_group("memory", *limits) as (group, limit):
        (group / limit).write_text(str(400 * 2**20))
        host = subprocess.run(
            [sys.executable, "-c", GREEDY, str(tmp_path / "root"), str(WORK), str(group)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert host.returncode == 0, host.stderr
    lines = host.stdout.splitlines()
    assert lines == ["OutOfMemoryError True", "{'COMPLETED'} 5", "WorkerLostError"]


# -- what not even SIGKILL ends --------------------------------------------------------------------


class Freezer:
    """A group of version 1, in which processes sleep uninterruptibly (state D)."""

    def __init__(self, group: Path) -> None:
        self._group = group

    def freeze(self, pid: int) -> None:
        (self._group / "cgroup.procs").write_text(str(pid))
        (self._group / "freezer.state").write_text("FROZEN")
        wait_until(lambda: (self._group / "freezer.state").read_text() == "FROZEN\n")
        assert state_of(pid) == "D"

    def thaw(self) -> None:
        (self._group / "freezer.state").write_text("THAWED")


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def freezer() -> Iterator[Freezer]:
    with control_group("freezer", "freezer.state") as (group, _):
        freezer = Freezer(group)
        try:
            yield freezer
        finally:
            freezer.thaw()


def be_less_patient(env: Environment) -> None:
    """Have it repeat kills, and give up, sooner than it usually does."""
    core = env._pool._driver.core  # type: ignore[union-attr]
    core.config = core._crew.config = dataclasses.replace(core.config, kill_retry=0.2)


def test_a_process_that_no_signal_ends_holds_up_neither_task_nor_slot(
    launch: Launch, gate: Gate, freezer: Freezer
) -> None:
    env = launch()
    be_less_patient(env)
    task = env.submit(WORK, "hold", (gate.path,), timeout=1.0)
    gate.wait_started()
    assert task.worker is not None
    stuck = task.worker.pid
    freezer.freeze(stuck)
    queued = env.map_tasks(WORK, "pid", range(5))
    assert isinstance(task.wait_for(5).exception, TaskTimeoutError)
    assert {queue.wait_for(10).result for queue in queued} != {stuck}  # in a worker that works
    assert state_of(stuck) == "D"
    freezer.thaw()  # the signal has waited
    wait_until(lambda: not runs(stuck), timeout=5)
    assert env.worker_count == 1


def test_exit_does_not_wait_for_a_process_that_no_signal_ends(
    launch: Launch, gate: Gate, freezer: Freezer
) -> None:
    env = launch()
    be_less_patient(env)
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    (link,) = env._pool._driver._workers.values()  # type: ignore[union-attr]
    assert link.process is not None
    popen = link.process.popen
    freezer.freeze(popen.pid)
    begin = time.monotonic()
    env.exit(grace=0.1)
    assert time.monotonic() - begin < 5
    assert task.status.is_finished()
    freezer.thaw()
    assert popen.wait(5) == -signal.SIGKILL
