"""What a worker died of, in words, and killing all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from wetlands.runtime.output import WorkerOutput
from wetlands.runtime.process import Death, WorkerProcess


@pytest.mark.parametrize(
    ("death", "signal_name", "text"),
    [
        (Death(0), None, "exited with status 0"),
        (Death(3), None, "exited with status 3"),
        (Death(-signal.SIGSEGV), "SIGSEGV", "died of SIGSEGV (a crash in native code)"),
        (Death(-signal.SIGTERM), "SIGTERM", "died of SIGTERM"),
        (Death(-62), "signal 62", "died of signal 62"),
        (Death(-signal.SIGKILL, "it timed out"), "SIGKILL", "was killed: it timed out"),
        (Death(None, "no such file"), None, "could not be started: no such file"),
    ],
)
def test_deaths_are_told_in_words(death: Death, signal_name: str | None, text: str) -> None:
    assert death.signal == signal_name
    assert death.describe() == text


def test_a_kill_from_outside_hints_at_memory() -> None:
    assert "memory" in Death(-signal.SIGKILL).describe()


TREE = """
import os, subprocess, sys, time
deep = "import time; time.sleep(600)"
folder = sys.argv[1]
in_group = subprocess.Popen([sys.executable, "-c", deep])
own_session = subprocess.Popen([sys.executable, "-c", deep], start_new_session=True)
with open(folder + "/part", "w") as file:
    file.write("%d %d" % (in_group.pid, own_session.pid))
os.rename(folder + "/part", folder + "/tree")
time.sleep(600)
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[WorkerProcess]:
    out, err, line = os.pipe(), os.pipe(), os.pipe()
    popen = subprocess.Popen(
        [sys.executable, "-c", TREE, str(tmp_path)],
        stdout=out[1],
        stderr=err[1],
        start_new_session=True,
    )
    for end in (out[1], err[1], line[0]):
        os.close(end)
    made = WorkerProcess(
        popen, "no-such-tag", WorkerOutput(out[0], err[0], lambda *record: None), line[1]
    )
    yield made
    made.kill()
    popen.wait()
    made.close()


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_killing_ends_the_whole_tree(process: WorkerProcess, tmp_path: Path) -> None:
    wait_until((tmp_path / "tree").exists)
    children = [int(pid) for pid in (tmp_path / "tree").read_text().split()]
    assert not any(map(_gone, children))
    process.kill()
    assert process.popen.wait(10) == -signal.SIGKILL
    wait_until(lambda: all(map(_gone, children)))
    process.kill()  # again, of what is gone
