"""Locks are made for several platforms, and give the same environment everywhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from packaging.pylock import Pylock

from tests.integration.environments.inside import local_package, packages_of, run_in
from wetlands import EnvironmentManager, Lock
from wetlands.environments.entries import this_platform
from wetlands.environments.project_files import load_toml
from wetlands.errors import (
    ConfigurationError,
    EnvironmentBuildError,
    EnvironmentConflictError,
)


@pytest.fixture
def manager(shared_root: Path) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(shared_root, progress=False) as manager:
        yield manager


def versions(lock: Lock, platform: str) -> dict[str, str]:
    return {package.name: package.version for package in lock.packages(platform)}


def test_a_recipe_is_locked_for_several_platforms_at_once(
    manager: EnvironmentManager, tmp_path: Path
) -> None:
    recipe = {
        "pip": [
            "tqdm==4.66.5",
            {"name": "six==1.16.0", "platforms": ["osx-arm64"], "optional": True},
        ]
    }
    lock = manager.lock(recipe, ["linux-64", "win-64", "osx-arm64"])
    assert set(versions(lock, "linux-64")) == {"tqdm"}
    assert set(versions(lock, "win-64")) == {"tqdm", "colorama"}
    assert versions(lock, "osx-arm64") == {"tqdm": "4.66.5", "six": "1.16.0"}
    Pylock.from_dict(load_toml(lock.write(tmp_path))).validate()


def test_each_platform_gets_the_wheels_made_for_it(manager: EnvironmentManager) -> None:
    lock = manager.lock({"python": "3.11", "pip": ["markupsafe==3.0.2"]}, ["linux-64", "win-64"])
    urls = {name: lock.packages(name)[0].url for name in lock.platforms}
    assert "manylinux" in urls["linux-64"]
    assert "cp311-win_amd64" in urls["win-64"]


def test_what_was_locked_is_installed_though_newer_versions_came(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    file = manager.lock({"pip": ["six==1.16.0"]}).write(tmp_path)
    text = file.read_text()
    env = manager.create(name, {"pip": ["six"]}, lock=file)
    assert packages_of(env) == {"six": "1.16.0"}
    assert manager.create(name, lock=Lock.read(file)) is env
    assert file.read_text() == text


def test_the_lock_beside_the_environment_is_one(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    lock = manager.lock({"pip": ["six==1.16.0"]})
    env = manager.create(name, lock=lock)
    kept = env.path.parent / "pylock.toml"
    assert Lock.read(kept).digest == lock.digest
    shutil.copy(kept, tmp_path / "pylock.copy.toml")
    other = manager.create_from_config(f"{name}-copy", tmp_path / "pylock.copy.toml")
    assert packages_of(other) == {"six": "1.16.0"}


def test_another_lock_is_another_recipe(manager: EnvironmentManager, name: str) -> None:
    manager.create(name, lock=manager.lock({"pip": ["six==1.16.0"]}))
    with pytest.raises(EnvironmentConflictError, match="lock: "):
        manager.create(name, lock=manager.lock({"pip": ["six==1.17.0"]}))


def test_a_lock_that_contradicts_the_recipe_builds_nothing(
    manager: EnvironmentManager, name: str
) -> None:
    lock = manager.lock({"pip": ["six==1.16.0"]})
    with pytest.raises(ConfigurationError, match=r"six>=1\.17: the lock has six 1\.16\.0"):
        manager.create(name, {"pip": ["six>=1.17"]}, lock=lock)
    assert not manager.environment_exists(name)


def test_local_packages_come_from_the_recipe(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    folder = local_package(tmp_path / "mine")
    recipe: Any = {"local": [{"name": "mine", "path": folder}]}
    lock = manager.lock(recipe)
    assert lock.local == ("mine",)
    assert set(versions(lock, this_platform())) == {"six"}
    with pytest.raises(ConfigurationError, match="'mine'"):
        manager.create(name, lock=lock)
    env = manager.create(name, recipe, lock=lock)
    assert set(packages_of(env)) == {"mine", "six"}
    assert run_in(env, "import mine; print(mine.__file__)").startswith(str(folder))


def test_files_of_a_project_can_be_locked(manager: EnvironmentManager, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six==1.16.0\n")
    lock = manager.lock(tmp_path / "requirements.txt")
    assert versions(lock, this_platform()) == {"six": "1.16.0"}
    with pytest.raises(ConfigurationError, match="a lock already"):
        manager.lock(lock.write(tmp_path))


def test_what_can_not_be_resolved_on_one_platform_is_an_error(manager: EnvironmentManager) -> None:
    with pytest.raises(EnvironmentBuildError, match="can't be resolved"):
        manager.lock({"pip": ["six==1.16.0", "tqdm>999"]}, ["win-64"])


@pytest.fixture
def nameless(manager: EnvironmentManager, tmp_path: Path) -> Path:
    """A lock that says which files, and not where they are."""
    lock = manager.lock({"pip": ["tqdm==4.66.5"]}, [this_platform(), "win-64", "osx-arm64"])
    return lock.write(tmp_path, addresses=False)


def test_a_lock_without_addresses_is_filled_in_from_the_users_index(
    manager: EnvironmentManager, name: str, nameless: Path
) -> None:
    assert "://" not in nameless.read_text()
    Pylock.from_dict(load_toml(nameless)).validate()
    assert set(versions(Lock.read(nameless), "win-64")) == {"tqdm", "colorama"}
    env = manager.create(name, lock=nameless)
    assert packages_of(env) == {"tqdm": "4.66.5"}
    assert "url = " in (env.path.parent / "pylock.toml").read_text()
    assert manager.create(name, lock=Lock.read(nameless)) is env


def test_a_lock_without_addresses_takes_files_that_lie_beside_it(
    manager: EnvironmentManager, name: str, nameless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = manager.lock({"pip": ["tqdm==4.66.5"]}).packages()[0]
    fetch(locked.url, nameless.with_name(locked.url.rpartition("/")[2]))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(nameless.with_name("cache")))
    assert packages_of(manager.create(name, lock=nameless)) == {"tqdm": "4.66.5"}


def test_an_index_with_other_files_than_the_locked_is_refused(
    manager: EnvironmentManager, name: str, nameless: Path
) -> None:
    text = re.sub(r'(?<=sha256 = ")[0-9a-f]{64}', "0" * 64, nameless.read_text())
    nameless.write_text(text)
    with pytest.raises(ConfigurationError, match=r"no file of tqdm 4\.66\.5 that is the locked"):
        manager.create(name, lock=nameless)


@pytest.mark.parametrize("kind", ["archive", "wheels"])
def test_a_file_of_this_machine_is_verified_too(
    manager: EnvironmentManager, name: str, tmp_path: Path, kind: str
) -> None:
    built = tmp_path / "six-1.16.0-py2.py3-none-any.whl"
    locked = manager.lock({"pip": ["six==1.16.0"]})
    env = manager.create(name, lock=locked)
    fetch(locked.packages()[0].url, built)
    table = f'path = "{built.name}", hashes = {{ sha256 = "{locked.packages()[0].sha256}" }}'
    table = f"{kind} = " + (f"[{{ {table} }}]" if kind == "wheels" else f"{{ {table} }}")
    file = tmp_path / "pylock.toml"
    file.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n'
        f'[[packages]]\nname = "six"\nversion = "1.16.0"\n{table}\n'
    )
    other = manager.create_from_config(f"{name}-whole", file)
    assert packages_of(other) == packages_of(env)
    with open(built, "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(EnvironmentBuildError, match="don't trust it"):
        manager.create(f"{name}-changed", lock=file)
    assert not manager.environment_exists(f"{name}-changed")


def fetch(url: str, file: Path) -> None:
    """Get a file from the index."""
    with urlopen(url, timeout=30) as answer:
        file.write_bytes(answer.read())
