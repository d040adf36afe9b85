"""Conda environments are locked as conda-lock does it, and made of what it and pixi wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.conda import solver
from tests.support.conda.archive import Package
from tests.support.conda.channel import SUBDIR, Channel
from wetlands import Environment, EnvironmentManager, Lock
from wetlands.environments.entries import this_platform
from wetlands.environments.flock import FileLock
from wetlands.errors import ConfigurationError, EnvironmentBuildError, EnvironmentInUseError

pytestmark = pytest.mark.index  # for uv's part, and for conda-lock itself

Run = Callable[..., str]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(tmp_path_factory.mktemp("root"), progress=False) as manager:
        yield manager


@pytest.fixture(scope="module")
def recipe(conda_channel: Channel) -> dict[str, Any]:
    conda = ["toolbox<2", "numpy", "actvars"]
    return {"conda": conda, "channels": [conda_channel.url], "pip": ["six==1.16.0"]}


@pytest.fixture(scope="module")
def lock(manager: EnvironmentManager, recipe: dict[str, Any]) -> Lock:
    return manager.lock(recipe)


@pytest.fixture(scope="module")
def env(manager: EnvironmentManager, lock: Lock) -> Environment:
    return manager.create("locked", lock=lock)


@pytest.fixture(scope="session")
def conda_lock(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a program of the Python that has conda-lock, as it is published."""
    prefix = tmp_path_factory.mktemp("conda-lock") / "prefix"
    python = prefix / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, prefix], check=True)
    subprocess.run([*uv, "pip", "install", "--python", python, "conda-lock", "py-rattler"],
                   check=True)  # fmt: skip

    def run(*arguments: object, **options: Any) -> str:
        command = [str(python), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def versions(env: Environment) -> dict[tuple[str, str], str]:
    return {(each.kind, each.name): each.version for each in env.packages()}


# -- what is written -------------------------------------------------------------------------------


def test_a_lock_has_conda_and_pip_parts_with_hashes(lock: Lock) -> None:
    found = {(each.kind, each.name): each for each in lock.packages()}
    assert {("conda", "toolbox"), ("conda", "python"), ("pip", "six")} < found.keys()
    assert ("pip", "numpy") not in found
    assert all(len(each.sha256) == 64 for each in found.values())
    assert (lock.kind, lock.platforms) == ("conda", (this_platform(),))
    assert lock.python == f"=={sys.version_info[0]}.{sys.version_info[1]}.*"


def test_the_environment_is_what_the_lock_says(
    manager: EnvironmentManager, env: Environment, lock: Lock, recipe: dict[str, Any]
) -> None:
    locked = {(each.kind, each.name): each.version for each in lock.packages()}
    assert versions(env) == locked
    assert manager.create("locked", recipe, lock=lock) is env
    env.launch()
    assert env.execute("toolbox", "old_api") == "1.0"
    env.exit()


def test_packages_with_only_an_md5_are_checked_by_it_and_that_is_said(
    manager: EnvironmentManager, conda_channel: Channel, tmp_path: Path
) -> None:
    lock = manager.lock({"conda": ["actvars"], "channels": [conda_channel.url]})
    file = lock.write(tmp_path)
    weaker = re.sub(r"\n\s+sha256: [0-9a-f]{64}", "", file.read_text())
    file.write_text(weaker)
    env = manager.create("weaker", lock=file)
    assert "md5 alone, for want of a sha256: actvars" in (env.path.parent / "log.txt").read_text()
    file.write_text(re.sub(r"md5: [0-9a-f]{32}", f"md5: {'f' * 32}", weaker))
    with pytest.raises(EnvironmentBuildError, match="its md5 should be f"):
        manager.create("wrong", lock=file)


def test_what_is_written_is_read_again(lock: Lock, tmp_path: Path) -> None:
    file = lock.write(tmp_path)
    assert file.name == "conda-lock.yml"
    assert Lock.read(file) == lock
    assert Lock.read(lock.write(tmp_path / "gpu.conda-lock.yml")).digest == lock.digest
    with pytest.raises(ConfigurationError, match=r"called conda-lock\.yml, not 'pylock\.toml'"):
        lock.write(tmp_path / "pylock.toml")


_PARSE = """
import json, pathlib, sys
from conda_lock.lockfile import parse_conda_lock_file
found = parse_conda_lock_file(pathlib.Path(sys.argv[1]))
print(json.dumps([[p.manager, p.name, p.version, p.hash.sha256] for p in found.package]))
"""


@pytest.mark.long
def test_conda_lock_itself_reads_and_renders_it(
    conda_lock: Run, lock: Lock, tmp_path: Path
) -> None:
    file = lock.write(tmp_path)
    parsed = json.loads(conda_lock("-c", _PARSE, file))
    ours = [[each.kind, each.name, each.version, each.sha256] for each in lock.packages()]
    assert sorted(parsed) == sorted(ours)
    conda_lock("-m", "conda_lock", "render", "--kind", "explicit", "-p", SUBDIR, file, cwd=tmp_path)
    rendered = (tmp_path / f"conda-{SUBDIR}.lock").read_text()
    for package in lock.packages():
        if package.kind == "conda":
            assert f"{package.url}#{package.md5}" in rendered


def test_a_lock_for_other_platforms_has_their_packages(
    manager: EnvironmentManager, conda_channel: Channel, tmp_path: Path
) -> None:
    channel = conda_channel.copy(tmp_path / "channel")
    version = ".".join(map(str, sys.version_info[:2]))
    channel.add(Package("python", f"{version}.0", {}, subdir="win-64"))
    channel.index()
    wish = {"conda": ["toolbox<2"], "channels": [channel.url], "pip": ["tqdm==4.66.5"]}
    lock = manager.lock(wish, [this_platform(), "win-64"])
    here, there = ({each.name: each for each in lock.packages(name)} for name in lock.platforms)
    assert here["toolbox"] == there["toolbox"]
    assert there["python"].url.endswith(f"/win-64/python-{version}.0-0.conda")
    assert "colorama" in there.keys() - here.keys()


def test_versions_of_a_recipe_are_checked_against_the_lock(
    manager: EnvironmentManager, lock: Lock, conda_channel: Channel
) -> None:
    named = f"{conda_channel.url}::toolbox"
    for spec in ("toolbox=1", "toolbox 1.0", "toolbox >=1,<2", "toolbox 1.*", named):
        assert manager.create("locked", {"conda": [spec]}, lock=lock)
    for spec, says in {
        "toolbox >=2": "toolbox >=2: the lock has toolbox 1.0",
        "toolbox=2": "toolbox =2: the lock has toolbox 1.0",
        "absent": "absent: the lock does not have it",
    }.items():
        with pytest.raises(ConfigurationError, match=says):
            manager.create("other", {"conda": [spec]}, lock=lock)


# -- what others wrote -----------------------------------------------------------------------------


@pytest.mark.long
def test_what_conda_lock_locked_is_installed(
    conda_lock: Run, manager: EnvironmentManager, conda_channel: Channel, tmp_path: Path
) -> None:
    shim = tmp_path / "conda"
    python = conda_lock("-c", "import sys; print(sys.executable)").strip()
    shim.write_text(f'#!/bin/sh\nexec {python} {solver.__file__} "$@"\n')
    shim.chmod(0o755)
    (tmp_path / "names.json").write_text("{}")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}.*"
    content = {"channels": [conda_channel.url], "dependencies": [f"python {version}", "needs-new"]}
    (tmp_path / "environment.yml").write_text(yaml.safe_dump(content))
    conda_lock(
        "-m", "conda_lock", "lock", "--conda", shim, "-f", "environment.yml", "-p", SUBDIR,
        "--pypi_to_conda_lookup_file", (tmp_path / "names.json").as_uri(),
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    env = manager.create_from_config("by-conda-lock", tmp_path / "conda-lock.yml")
    assert versions(env)["conda", "toolbox"] == "2.0"
    env.launch()
    assert env.execute("toolbox", "new_api") == "2.0"
    env.exit()


_PIXI = """
import json, sys
from rattler import LockFile, LockPlatform, PackageRecord, RepoDataRecord, LockChannel
from rattler.package import BuildString
lock = LockFile([LockPlatform(sys.argv[2])])
lock.set_channels("default", [LockChannel(sys.argv[3])])
for each in json.load(sys.stdin):
    if each["kind"] == "pip":
        url = each["url"] + "#sha256=" + each["sha256"]
        lock.add_pypi_package("default", lock.platforms()[0], each["name"], each["version"], url)
        continue
    subdir = each["url"].split("/")[-2]
    record = PackageRecord(each["name"], each["version"], BuildString(each["build"]), 0, subdir,
                           sha256=bytes.fromhex(each["sha256"]), md5=bytes.fromhex(each["md5"]))
    name = each["url"].rpartition("/")[2]
    found = RepoDataRecord(record, name, each["url"], sys.argv[3])
    lock.add_conda_package("default", lock.platforms()[0], found)
lock.to_path(sys.argv[1])
sys.stdout.flush()
__import__("os")._exit(0)
"""


def test_a_lock_of_pixi_is_installed(
    conda_lock: Run, manager: EnvironmentManager, lock: Lock, conda_channel: Channel, tmp_path: Path
) -> None:
    listed = json.dumps([vars(package) for package in lock.packages()])
    file = tmp_path / "pixi.lock"
    conda_lock("-c", _PIXI, file, SUBDIR, conda_channel.url, input=listed)
    env = manager.create_from_config("by-pixi", file)
    locked = {(each.kind, each.name): each.version for each in lock.packages()}
    assert versions(env) == locked


@pytest.mark.parametrize("kind", ["conda", "pip"])
def test_an_archive_that_is_not_the_locked_one_is_refused(
    manager: EnvironmentManager, lock: Lock, tmp_path: Path, kind: str
) -> None:
    name = {"conda": "toolbox", "pip": "six"}[kind]
    content = yaml.safe_load(lock.write(tmp_path).read_text())
    for entry in content["package"]:
        if entry["name"] == name:
            entry["hash"]["sha256"] = "0" * 64
    (tmp_path / "conda-lock.yml").write_text(yaml.safe_dump(content))
    with pytest.raises(EnvironmentBuildError, match="don't trust it"):
        manager.create_from_config(f"wrong-{kind}", tmp_path / "conda-lock.yml")
    assert not manager.environment_exists(f"wrong-{kind}")


# -- upkeep ----------------------------------------------------------------------------------------


def test_a_conda_environment_is_whole_and_exported_as_it_is(
    manager: EnvironmentManager, env: Environment, lock: Lock, tmp_path: Path
) -> None:
    found = env.verify()
    assert (found.missing, found.changed, found.untracked) == ((), (), ())
    assert found.checked > 1000
    assert env.lock().digest == lock.digest
    env.export(tmp_path / "conda-lock.yml")
    assert Lock.read(tmp_path / "conda-lock.yml").digest == lock.digest
    env.export(tmp_path / "environment.yml")
    again = manager.create_from_config("exported", tmp_path / "environment.yml")
    assert versions(again) == versions(env)
    with pytest.raises(ConfigurationError, match=r"called conda-lock\.yml"):
        env.export(tmp_path / "pylock.toml")


@pytest.mark.parametrize("name", ["share/actvars/prefix.txt", "share/actvars/big.dat"])
def test_an_edited_file_of_a_conda_package_is_mended(
    manager: EnvironmentManager, env: Environment, name: str
) -> None:
    path = env.path / name
    whole = path.read_bytes()
    with open(path, "r+b") as stream:  # in place: the package cache has the same file
        stream.write(b"edited")
    assert env.verify().broken == ("actvars",)
    env.launch()
    with pytest.raises(EnvironmentInUseError):
        env.repair()
    env.exit()
    assert env.repair().broken == ("actvars",)
    assert path.read_bytes() == whole
    assert env.verify().ok
    assert manager.create("locked", lock=env.lock()).path == env.path


def test_packages_that_no_environment_has_are_pruned(
    tmp_path: Path, conda_channel: Channel
) -> None:
    with EnvironmentManager(tmp_path / "root", progress=False) as manager:
        for name, package in (("one", "toolbox<2"), ("two", "actvars")):
            manager.create(name, {"conda": [package], "channels": [conda_channel.url]})
        assert manager.prune(trial=True).cache_entries == ()
        manager.load("two").delete()
        [entry] = manager.prune(trial=True).cache_entries
        assert entry.startswith("pkgs/actvars-1.0-")
        assert (manager.root / entry).is_dir()
        with FileLock(manager.root / "pkgs.lock") as busy:
            busy.acquire(shared=True)
            assert manager.prune().cache_entries == ()
        pruned = manager.prune()
        assert pruned.cache_entries == (entry,)
        assert pruned.freed > 1 << 20
        assert not (manager.root / entry).exists()
        assert manager.load("one").verify().ok
        manager.create("two", {"conda": ["actvars"], "channels": [conda_channel.url]})
