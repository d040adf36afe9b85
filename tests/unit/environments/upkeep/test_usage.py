"""Space, with each file counted once, and the time of the last use."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from wetlands.environments.layout import Layout
from wetlands.environments.upkeep.last_use import note_use, unused_for
from wetlands.environments.upkeep.usage import disk_usage

BLOCK = 64 * 1024


def write(path: Path, size: int = BLOCK) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


@pytest.mark.skipif(os.name == "nt", reason="sizes on disk are those of blocks")
def test_a_file_with_many_names_is_counted_once(tmp_path: Path) -> None:
    one = write(tmp_path / "envs" / "a" / "prefix" / "one")
    os.link(one, tmp_path / "envs" / "a" / "prefix" / "again")
    (tmp_path / "envs" / "b").mkdir()
    os.link(one, tmp_path / "envs" / "b" / "one")
    write(tmp_path / "envs" / "b" / "own")
    write(tmp_path / "pkgs" / "own")
    found = disk_usage(tmp_path)
    assert found.total == 3 * BLOCK
    assert (found.environments["a"].size, found.environments["a"].shared) == (BLOCK, BLOCK)
    assert (found.environments["b"].size, found.environments["b"].shared) == (2 * BLOCK, BLOCK)
    assert (found.caches["pkgs"].size, found.caches["pkgs"].shared) == (BLOCK, 0)


def test_links_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "large")
    (tmp_path / "root" / "envs" / "a").mkdir(parents=True)
    (tmp_path / "root" / "envs" / "a" / "link").symlink_to(tmp_path / "elsewhere")
    assert disk_usage(tmp_path / "root").total < BLOCK


def test_a_root_that_is_not_there_takes_no_space(tmp_path: Path) -> None:
    assert disk_usage(tmp_path / "nowhere").total == 0


def test_the_last_use_is_noted(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "env")
    assert unused_for(layout) == timedelta(0)
    note_use(layout)  # nothing is there
    layout.folder.mkdir()
    layout.use_lock.touch()
    os.utime(layout.use_lock, (0, 0))
    assert unused_for(layout) > timedelta(days=10_000)
    note_use(layout)
    assert unused_for(layout) < timedelta(hours=1)


def test_what_was_never_whole_is_as_old_as_its_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "env")
    layout.folder.mkdir()
    os.utime(layout.folder, (0, 0))
    assert unused_for(layout) > timedelta(days=10_000)
