"""Faults around the host: it is suspended, its clock jumps, strangers talk to it, things vanish."""

from __future__ import annotations

import ast
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import zmq

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands.errors import PoolBrokenError, WorkerLostError
from wetlands.runtime.memory import MemoryKills, kills_for_memory
from wetlands.runtime.process import Death

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals")

SLEEPER = """
import sys
from wetlands import EnvironmentManager
env = EnvironmentManager(sys.argv[1], progress=False).load("h", sys.executable)
env.launch(max_workers=2, worker_timeout=1.0, startup_timeout=2.0)
pids = {task.wait_for(5).result for task in env.map_tasks(sys.argv[2], "pid", range(20))}
task = env.submit(sys.argv[2], "chatter", (3.5, 0.05))
print("running", flush=True)
assert task.wait_for(20).status.name == "COMPLETED", task.error
assert {t.wait_for(5).result for t in env.map_tasks(sys.argv[2], "pid", range(20))} <= pids
env.exit()
print("well", flush=True)
"""


@contextlib.contextmanager
def running(program: str, *args: object) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run a program as a host; give it, and what it prints."""
    host = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert host.stdout is not None
    try:
        yield host, host.stdout
    finally:
        host.kill()
        host.wait()
        host.stdout.close()


def test_a_host_that_was_suspended_kills_nobody(tmp_path: Path) -> None:
    with running(SLEEPER, tmp_path / "root", WORK) as (host, output):
        assert output.readline() == "running\n"
        host.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # longer than any patience that it has
        host.send_signal(signal.SIGCONT)
        assert output.readline() == "well\n"
        assert host.wait(10) == 0


FREEZER = """
import os, signal, sys, time
from wetlands import EnvironmentManager
env = EnvironmentManager(sys.argv[1], progress=False).load("h", sys.executable)
env.launch(frozen_timeout=0.8)
task = env.submit(sys.argv[2], "hold", (sys.argv[3],))
while not (task.worker and os.path.exists(os.path.join(sys.argv[3], "gate.started"))):
    time.sleep(0.001)
pid, slot = task.worker.pid, env._pool._driver.core.slots[0]
os.kill(pid, signal.SIGSTOP)
while slot.standstill is None:
    time.sleep(0.001)
print(pid, flush=True)
assert task.wait_for(20).status.name == "COMPLETED", task.error
env.exit()
print("well", flush=True)
"""


@pytest.mark.long
def test_time_in_which_the_host_was_suspended_freezes_no_worker(tmp_path: Path, gate: Gate) -> None:
    """One that was seen to stand still once, and goes on a moment after its host does."""
    with running(FREEZER, tmp_path / "root", WORK, gate.path) as (host, output):
        pid = int(output.readline())
        host.send_signal(signal.SIGSTOP)
        time.sleep(2.1)  # longer than any patience that it has
        host.send_signal(signal.SIGCONT)
        time.sleep(0.9)  # it has looked once, for the second time in all
        os.kill(pid, signal.SIGCONT)
        gate.release()
        assert output.readline() == "well\n"
        assert host.wait(10) == 0


def test_no_duration_is_taken_from_a_clock_that_can_jump() -> None:
    jumping = ("time.time", "datetime.now", "datetime.datetime.now")
    folders = ("wetlands", "wetlands/core", "wetlands/runtime", "worker_entry")
    paths = [path for folder in folders for path in (ROOT / folder).glob("*.py")]
    assert len(paths) > 50
    found = [
        f"{path.name}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in jumping
    ]
    assert found == []


def test_a_jump_of_the_clock_changes_nothing(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = launch(max_workers=2, worker_timeout=0.5)
    task = env.submit(WORK, "chatter", (0.8, 0.05))
    for jump in (86_400.0, -86_400.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: 1e9 + jump)
        assert env.execute(WORK, "echo", (1,)) == 1
    assert task.wait_for(5).result == "done"


def test_strangers_that_talk_garbage_are_not_heard(launch: Launch) -> None:
    env = launch(max_workers=2)
    endpoint = env._pool._host.transport.endpoint  # type: ignore[union-attr]
    dice = random.Random(7)
    context = zmq.Context()
    tasks = env.map_tasks(WORK, "echo", range(200))
    for _ in range(20):
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(endpoint)
        for _ in range(100):
            socket.send_multipart(
                [dice.randbytes(dice.randrange(40)) for _ in range(dice.randrange(1, 5))]
            )
        socket.close()
    context.term()
    assert [task.wait_for(10).result for task in tasks] == list(range(200))
    assert env.worker_count == 2


@pytest.mark.usefixtures("no_pauses")
def test_an_environment_that_vanishes_under_its_workers_is_told(
    launch: Launch, tmp_path: Path, gate: Gate
) -> None:
    place = tmp_path / "vanishing"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    env = launch(name="vanishing", python=place)
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    shutil.rmtree(place)
    gate.release()
    assert held.wait_for(5).result == "gate"  # who runs goes on
    env.submit(WORK, "die", ("exit 1",)).wait_for(5)
    error = env.submit(WORK, "echo", (1,)).wait_for(30).error or ""
    assert "could not be started" in error
    with pytest.raises(PoolBrokenError, match="could not be started"):
        env.submit(WORK, "echo", (1,))


def test_variables_of_the_hosts_python_do_not_reach_workers(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPLATLIBDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    env = launch()
    assert str(tmp_path) not in env.execute(WORK, "path")
    assert env.execute(WORK, "echo", ("ı",)) == "ı"


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """A file system from which nothing may be executed, as some have for temporary files."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "noexec,nosuid,nodev,mode=700", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_temporary_files_need_not_be_executable(sealed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from wetlands import EnvironmentManager\n"
        "env = EnvironmentManager(sys.argv[1], progress=False).load('h', sys.executable)\n"
        "env.launch(max_workers=2)\n"
        "print(sum(env.map(sys.argv[2], 'echo', range(10))), env.execute(sys.argv[2], 'folder'))\n"
        "env.exit()"
    )
    names = ("TMPDIR", "XDG_RUNTIME_DIR")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "root"), str(WORK)],
        env={**os.environ, **{name: str(sealed) for name in names}, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("45 ")


# -- memory ----------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Any:
    """The files in which the kernel tells whom it ended, as we would like them."""
    group = tmp_path / "sys/fs/cgroup/user.slice/app"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/app\n")

    def tell(count: int) -> Path:
        (group / "memory.events").write_text(f"low 0\nmax 3\noom {count}\noom_kill {count}\n")
        return tmp_path

    return tell


def test_a_kill_by_the_kernel_for_memory_is_called_that(machine: Any) -> None:
    root = machine(2)
    kills = MemoryKills(root)
    assert not kills.happened()
    machine(3)
    assert kills.happened()
    assert not kills.happened()
    assert "because memory ran out" in Death(-9, out_of_memory=True).describe()


def test_where_the_kernel_does_not_tell_nothing_is_claimed(tmp_path: Path) -> None:
    assert kills_for_memory(tmp_path) is None
    assert not MemoryKills(tmp_path).happened()


def test_a_kill_of_the_kernel_reaches_the_task(launch: Launch, monkeypatch: Any) -> None:
    from wetlands.errors import OutOfMemoryError

    env = launch()
    counts = iter([True, False])
    driver = env._pool._driver  # type: ignore[union-attr]
    monkeypatch.setattr(driver._staff._memory_kills, "happened", lambda: next(counts))
    first = env.submit(WORK, "die", ("SIGKILL",)).wait_for(5)
    assert isinstance(first.exception, OutOfMemoryError)
    assert "because memory ran out" in (first.error or "")
    second = env.submit(WORK, "die", ("SIGKILL",)).wait_for(5)
    assert type(second.exception) is WorkerLostError
    wait_until(lambda: env.worker_count == 1)
