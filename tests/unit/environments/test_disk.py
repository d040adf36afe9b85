"""Files are whole or not there, locks end with their holder, damage is no surprise."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from wetlands.environments import disk
from wetlands.environments.flock import FileLock, Lease
from wetlands.environments.lock import merge
from wetlands.environments.probing import find_pyzmq
from wetlands.environments.project_files import load_toml
from wetlands.errors import ProvisioningError

# -- files -----------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_whole_keeps_its_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x"
    disk.write_atomically(file, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        disk.write_atomically(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are the folder's there")
def test_records_are_for_the_user_alone(tmp_path: Path) -> None:
    disk.write_json(tmp_path / "x", {"a": 1})
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_a_damaged_record_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert disk.read_json(tmp_path / "x") is None
    assert disk.read_json(tmp_path / "missing") is None


def test_a_file_in_the_way_of_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProvisioningError, match=r"can't make the folder .*another root"):
        disk.make_folder(tmp_path / "file" / "root")


def test_trees_links_and_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / "tree" / "inner").mkdir(parents=True)
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "link").symlink_to(kept)
    for name in ("tree", "link", "nothing"):
        disk.remove_tree(tmp_path / name)
    assert os.listdir(tmp_path) == ["kept"]


def test_what_a_crash_left_half_written_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".trash-1" / "prefix").mkdir(parents=True)
    (tmp_path / ".ready.json.xyz").write_text("")
    (tmp_path / "ready.json").write_text("")
    disk.sweep_trash(tmp_path)
    assert os.listdir(tmp_path) == ["ready.json"]


# -- locks -----------------------------------------------------------------------------------------


def test_an_exclusive_lock_keeps_everybody_out(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as one:
        assert one.acquire()
        assert not FileLock(tmp_path / "lock").acquire(block=False)
        assert not FileLock(tmp_path / "lock").acquire(shared=True, block=False)
    with FileLock(tmp_path / "lock") as other:
        assert other.acquire(block=False)


def test_shared_locks_go_together(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as one, FileLock(tmp_path / "lock") as other:
        assert one.acquire(shared=True)
        assert other.acquire(shared=True, block=False)
        assert not FileLock(tmp_path / "lock").acquire(block=False)


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, waiter = FileLock(path), FileLock(path)
    first.acquire()
    thread = threading.Thread(target=waiter.acquire)
    thread.start()
    first.remove()
    thread.join(10)
    assert os.path.samestat(os.fstat(waiter.fileno()), path.stat())
    assert not FileLock(path).acquire(block=False)
    waiter.release()


@pytest.mark.skipif(os.name == "nt", reason="no fork")
def test_a_child_that_happened_to_be_forked_does_not_keep_a_builders_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    heir = os.dup(lock.fileno())  # what a fork leaves in the child
    lock.release()
    with FileLock(tmp_path / "lock") as other:
        assert other.acquire(block=False)
    os.close(heir)


@pytest.mark.skipif(os.name == "nt", reason="descriptors are not inherited there")
def test_a_worker_that_inherited_a_lease_keeps_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire(shared=True)
    heir = os.dup(lock.fileno())
    lease = Lease(lock)
    lease.close()
    lease.close()
    assert not FileLock(tmp_path / "lock").acquire(block=False)
    os.close(heir)
    with FileLock(tmp_path / "lock") as other:
        assert other.acquire(block=False)


def test_a_lock_that_is_not_held_has_no_descriptor(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not held"):
        FileLock(tmp_path / "lock").fileno()


# -- small things ----------------------------------------------------------------------------------

LOCK = 'lock-version = "1.0"\ncreated-by = "uv"\n\n[[packages]]\nname = "six"\nversion = "1"\n'
ALONE = LOCK + '\n[[packages]]\nname = "torch"\nversion = "2"\n'


@pytest.mark.parametrize("first", [LOCK, 'lock-version = "1.0"\npackages = []\n'])
def test_two_locks_become_one(tmp_path: Path, first: str) -> None:
    (tmp_path / "pylock.toml").write_text(merge(first, ALONE))
    merged = load_toml(tmp_path / "pylock.toml")
    assert [package["name"] for package in merged["packages"]] == ["six", "torch"]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("pyzmq-27.1.0.dist-info", "27.1.0"),
        ("pyzmq-19.0.2-py3.8.egg-info", "19.0.2"),
        ("pyzmqrpc-1.0.dist-info", None),
        ("zmq", None),
    ],
)
def test_an_environments_own_pyzmq_is_found_without_importing_it(
    tmp_path: Path, name: str, version: str | None
) -> None:
    (tmp_path / name).mkdir()
    assert find_pyzmq([tmp_path / "missing", tmp_path]) == version
