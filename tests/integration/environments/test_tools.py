"""Tools are heard line by line, fail in one way, and never stay behind."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from wetlands.environments import tools
from wetlands.errors import EnvironmentBuildError

FAMILY = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
print(os.getpid(), child.pid, file=sys.stderr, flush=True)
if sys.argv[1] == "stay":
    child.wait()
"""


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def run_family(folder: Path, how: str, on_line: object) -> None:
    command = [sys.executable, "-c", FAMILY, how]
    tools.run(command, env=dict(os.environ), cwd=folder, on_line=on_line, purpose="x")  # type: ignore[arg-type]


def test_a_failed_command_shows_neither_its_secrets_nor_those_it_printed(tmp_path: Path) -> None:
    url = "https://user:secret@host/"
    program = "import sys; print(sys.argv[1], file=sys.stderr); sys.exit(2)"
    with pytest.raises(EnvironmentBuildError) as caught:
        tools.run(
            [sys.executable, "-c", program, url],
            env={},
            cwd=tmp_path,
            on_line=lambda line: None,
            purpose="x",
        )
    assert "secret" not in f"{caught.value} {caught.value.command} {caught.value.log_tail}"
    assert caught.value.returncode == 2
    assert caught.value.log_tail == "https://****@host/"


def test_a_program_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentBuildError, match="could not be started: No such file") as caught:
        tools.run(["/no/such"], env={}, cwd=tmp_path, on_line=print, purpose="x")
    assert caught.value.returncode is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_ends_a_tool_and_all_that_it_started(
    tmp_path: Path, error: type[BaseException]
) -> None:
    family: list[int] = []

    def interrupt(line: str) -> None:
        family.extend(map(int, line.split()))
        raise error

    threads = threading.active_count()
    with pytest.raises(error):
        run_family(tmp_path, "stay", interrupt)
    assert len(family) == 2
    wait_until(lambda: all(map(is_gone, family)))
    assert threading.active_count() == threads


def test_what_a_tool_leaves_running_does_not_hold_us_up(tmp_path: Path) -> None:
    family: list[int] = []
    run_family(tmp_path, "leave", lambda line: family.extend(map(int, line.split())))
    wait_until(lambda: all(map(is_gone, family)))
