"""What is seen of processes, real ones."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from wetlands.runtime import looking
from wetlands.runtime.looking import Sight, look_at

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals")


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose name looks like fields of its state."""
    program = tmp_path / "x) T 1 (y"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("proc", [True, False], ids=["proc", "psutil"])
def test_a_process_is_stopped_from_one_signal_to_another(
    child: subprocess.Popen[bytes], proc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not proc:
        monkeypatch.setattr(looking, "open", _no_such_file, raising=False)
    assert not look_at(child.pid).stopped
    child.send_signal(signal.SIGSTOP)
    wait_until(lambda: look_at(child.pid).stopped)
    first = look_at(child.pid)
    assert look_at(child.pid) == first
    child.send_signal(signal.SIGCONT)
    wait_until(lambda: not look_at(child.pid).stopped)
    child.send_signal(signal.SIGSTOP)
    wait_until(lambda: look_at(child.pid).stopped)
    if proc:
        assert look_at(child.pid) != first  # it moved in between


def test_nothing_is_seen_of_a_process_that_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert look_at(process.pid) == Sight()


def test_without_a_descriptor_to_look_with_nothing_is_seen(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "open", _no_more_files, raising=False)
    monkeypatch.setattr(psutil, "Process", _no_more_files)
    assert look_at(child.pid) == Sight()


def test_processor_time_counts() -> None:
    before = look_at(os.getpid()).seconds
    wait_until(lambda: look_at(os.getpid()).seconds > before or sum(range(100_000)) < 0)


def _no_more_files(*args: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _no_such_file(*args: object) -> None:
    raise FileNotFoundError
