"""The private folder of a host, and what becomes of it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from wetlands.runtime import folder as folder_module
from wetlands.runtime.folder import HostFolder


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder_module, "_parent", lambda: str(tmp_path))
    return tmp_path


@pytest.fixture
def folder() -> Iterator[HostFolder]:
    made = HostFolder()
    yield made
    made.remove()


def _owner_process(parent: Path, then: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a process that owns a folder and does something with it."""
    code = (
        "import wetlands.runtime.folder as f\n"
        f"f._parent = lambda: {str(parent)!r}\n"
        "folder = f.HostFolder()\n"
        "import os, sys, time\n"
        "print(folder.path, flush=True)\n" + then
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    path = Path(process.stdout.readline().decode().strip())
    process.stdout.close()
    return process, path


def test_nobody_else_can_enter_it(folder: HostFolder, parent: Path) -> None:
    assert folder.path.parent == parent
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.path / "owner").stat().st_mode) == 0o600


def test_it_is_removed_with_all_that_is_in_it(parent: Path) -> None:
    made = HostFolder()
    (made.path / "inner").mkdir()
    (made.path / "inner" / "file").touch()
    made.remove()
    made.remove()
    assert list(parent.iterdir()) == []


def test_two_hosts_live_side_by_side(folder: HostFolder) -> None:
    other = HostFolder()
    assert folder.path.exists()
    assert other.path != folder.path
    other.remove()
    assert folder.path.exists()


def test_the_folder_of_a_killed_host_is_swept_by_the_next(parent: Path) -> None:
    process, path = _owner_process(parent, "time.sleep(600)")
    HostFolder().remove()
    assert path.exists(), "its owner lives"
    process.kill()
    process.wait()
    assert path.exists()
    HostFolder().remove()
    assert not path.exists()


def test_a_forked_child_that_lets_go_does_not_keep_the_folder(parent: Path) -> None:
    forks = (
        "if os.fork() == 0:\n"
        "    folder.forget()\n"
        "    open(folder.path / 'let-go', 'w').close()\n"
        "    time.sleep(600)\n"
        "    os._exit(0)\n"
        "open(folder.path / 'child', 'w').close()\n"
        "time.sleep(600)\n"
    )
    process, path = _owner_process(parent, "import signal; os.setpgid(0, 0)\n" + forks)
    try:
        wait_until((path / "let-go").exists)
        process.kill()
        process.wait()
        HostFolder().remove()
        assert not path.exists()
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_what_is_not_a_folder_of_ours_is_left_alone(parent: Path) -> None:
    prefix = folder_module._prefix()
    others = [parent / "other", parent / f"{prefix}being-made", parent / f"{prefix}file"]
    others[0].mkdir()
    (others[0] / "owner").touch()
    others[1].mkdir()
    others[2].touch()
    link = parent / f"{prefix}link"
    link.symlink_to(others[0])
    HostFolder().remove()
    assert all(path.exists() for path in (*others, link))


def test_a_folder_that_is_just_being_made_is_never_swept(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = folder_module._lock
    swept: list[Path] = []

    def sweep_first(descriptor: int) -> bool:
        monkeypatch.setattr(folder_module, "_lock", lock)
        folder_module._sweep(str(parent))
        swept.extend(parent.iterdir())
        return lock(descriptor)

    monkeypatch.setattr(folder_module, "_lock", sweep_first)
    made = HostFolder()
    assert swept == [made.path]
    assert (made.path / "owner").exists()
    made.remove()
