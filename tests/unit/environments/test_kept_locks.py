"""The locks under ``envs/`` are those of the projects beside them, and name no index."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from wetlands import Lock
from wetlands.environments.project_files import load_toml

ENVS = sorted(path for path in (Path(__file__).parents[3] / "envs").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", ENVS, ids=lambda folder: folder.name)
def test_a_lock_is_that_of_its_project(folder: Path) -> None:
    project = load_toml(folder / "pyproject.toml")["project"]
    lock = Lock.read(folder / "pylock.toml")
    python = lock.python.removeprefix("==").removesuffix(".*")
    assert python in SpecifierSet(project["requires-python"])
    for platform in lock.platforms:
        versions = {package.name: package.version for package in lock.packages(platform)}
        for wanted in map(Requirement, project["dependencies"]):
            assert versions[wanted.name] in wanted.specifier, (platform, wanted)


@pytest.mark.parametrize("folder", ENVS, ids=lambda folder: folder.name)
def test_a_lock_names_no_index_and_every_hash(folder: Path) -> None:
    lock = Lock.read(folder / "pylock.toml")
    assert "://" not in (folder / "pylock.toml").read_text(encoding="utf-8")
    assert {"linux-64", "osx-arm64", "win-64"} <= set(lock.platforms)
    assert all(len(package.sha256) == 64 for package in lock.packages("linux-64"))
