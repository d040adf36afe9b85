"""The end of the host, in every way, and what a fork of it may do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.processes import runs
from tests.support.waiting import wait_until
from wetlands.errors import ForkedError
from wetlands.runtime import folder

PROGRAM = Path(__file__).parent / "modules" / "host_program.py"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals")

Start = Callable[..., "tuple[subprocess.Popen[str], list[int]]"]


@pytest.fixture
def start(tmp_path: Path, gate: Gate) -> Iterator[Start]:
    """Starts a host program; returns it and the processes that must go with it."""
    started: list[subprocess.Popen[str]] = []

    def start(doing: str, ending: str, **options: Any) -> tuple[subprocess.Popen[str], list[int]]:
        command = [sys.executable, PROGRAM, tmp_path / "root", WORK, gate.path, "2", doing, ending]
        program = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **options,
        )
        started.append(program)
        assert program.stdout is not None
        pids = [int(part) for part in program.stdout.readline().split()]
        assert len(pids) >= 2, program.communicate()[1]
        return program, pids

    before = _folders()
    yield start
    for program in started:
        program.kill()
        program.communicate()
    wait_until(lambda: _swept() <= before)


def _folders() -> set[str]:
    return {name for name in os.listdir(folder._parent()) if name.startswith(folder._prefix())}


def _swept() -> set[str]:
    """Do what the next host does about the folder of one that was killed."""
    folder._sweep(folder._parent())
    return _folders()


@pytest.mark.parametrize(
    ("how", "doing"),
    [
        (signal.SIGKILL, "idle"),
        (signal.SIGKILL, "busy"),
        (signal.SIGKILL, "gil"),
        (signal.SIGKILL, "children"),
        (signal.SIGTERM, "busy"),
    ],
)
def test_a_host_that_is_killed_leaves_no_process(
    start: Start, doing: str, how: signal.Signals
) -> None:
    program, pids = start(doing, "wait")
    program.send_signal(how)
    assert program.wait(5) == -how
    wait_until(lambda: not any(runs(pid) for pid in pids), timeout=2)


@pytest.mark.parametrize(
    ("doing", "ending", "status"),
    [
        ("idle", "end", 0),
        ("busy", "end", 0),
        ("gil", "end", 0),
        ("busy", "sys.exit", 7),
        ("busy", "exception", 1),
        ("gil", "os._exit", 9),
        ("idle", "daemon thread", 0),
    ],
)
def test_a_host_that_ends_without_exit_ends_its_workers_and_keeps_its_status(
    start: Start, doing: str, ending: str, status: int
) -> None:
    program, pids = start(doing, ending)
    _, err = program.communicate(timeout=5)
    assert program.returncode == status
    wait_until(lambda: not any(runs(pid) for pid in pids), timeout=2)
    assert "Fatal Python error" not in err
    if ending == "exception":
        assert "unhandled in the host" in err
    elif ending != "daemon thread":
        assert err == ""


def test_ctrl_c_is_for_the_host_and_workers_end_with_it(start: Start) -> None:
    program, pids = start("busy", "context", start_new_session=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "inside\n"
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, err = program.communicate(timeout=5)
    assert program.returncode == 0
    assert out == "interrupted\n"
    assert err == ""  # no worker speaks of KeyboardInterrupt
    wait_until(lambda: not any(runs(pid) for pid in pids), timeout=2)


def test_importing_wetlands_starts_nothing_and_loads_nothing_heavy() -> None:
    code = """
import sys, threading
import wetlands
heavy = [n for n in ("zmq", "yaml", "psutil", "asyncio", "cloudpickle") if n in sys.modules]
print(threading.active_count(), heavy, [n for n in sys.modules if n.startswith("wetlands.")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "1 [] []\n"


# -- fork ------------------------------------------------------------------------------------------


def in_child(work: Callable[[], Any]) -> int:
    """Run in a forked child; return its exit status."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_cannot_use_the_workers(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2)
    running = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    unstarted = env.submit(WORK, "echo", (1,), start=False)

    def use() -> None:
        for call in (
            lambda: env.submit(WORK, "echo", (1,)),
            lambda: env.execute(WORK, "echo", (1,)),
            lambda: list(env.map(WORK, "echo", [1])),
            running.cancel,
            unstarted.start,
        ):
            with pytest.raises(ForkedError, match="forked child"):
                call()

    assert in_child(use) == 0
    gate.release()
    assert running.wait_for(5).result == "gate"
    assert env.execute(WORK, "echo", (1,)) == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_that_exits_harms_nobody(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2)
    running = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    assert in_child(env.exit) == 0
    assert in_child(lambda: env.__exit__(None, None, None)) == 0
    assert env.worker_count == 2
    gate.release()
    assert running.wait_for(5).result == "gate"
    assert Path(env._pool._host.folder.path).is_dir()  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_may_launch_workers_of_its_own(launch: Launch, manager: Any) -> None:
    env = launch()

    def use() -> None:
        own = manager.load("in-the-child", sys.executable)
        own.launch()
        assert own.execute(WORK, "echo", (5,)) == 5
        own.exit()

    assert in_child(use) == 0
    assert env.execute(WORK, "echo", (1,)) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks a host")
def test_a_forked_child_keeps_no_worker_of_a_killed_host_alive(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys, time
from wetlands import EnvironmentManager
env = EnvironmentManager({str(tmp_path / "root")!r}, progress=False).load("h", sys.executable)
env.launch()
child = os.fork()
if child == 0:
    time.sleep(60)
print(env.execute(os.getpid), child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = _run_until_killed(code)
    worker, child = (int(part) for part in done.split())
    try:
        wait_until(lambda: not runs(worker), timeout=2)
    finally:
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: _swept() == set())


def _run_until_killed(code: str) -> str:
    """Return the first line of a program, whose child may hold its output open."""
    program = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert program.stdout is not None
    with program.stdout:
        line = program.stdout.readline()
    program.wait(10)
    return line
