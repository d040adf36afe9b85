"""Environments are looked at, checked, mended, exported and removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.environments.inside import local_package, packages_of, run_in
from wetlands import Environment, EnvironmentManager, Lock
from wetlands.environments.claims import take_lease
from wetlands.environments.config_files import read_config
from wetlands.environments.flock import FileLock
from wetlands.environments.layout import Layout
from wetlands.environments.venv import forget
from wetlands.errors import (
    ConfigurationError,
    EnvironmentInUseError,
    EnvironmentNotFoundError,
    ProvisioningError,
)

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def manager(shared_root: Path) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(shared_root, progress=False) as manager:
        yield manager


@pytest.fixture
def env(manager: EnvironmentManager, name: str) -> Environment:
    return manager.create(name, {"pip": ["six==1.16.0"]})


def six_of(env: Environment) -> Path:
    return Path(run_in(env, "import six; print(six.__file__)"))


def age(env: Environment, days: int = 40) -> None:
    """Let it look as if it was last used some days ago."""
    use = Layout(env.path.parent).use_lock
    then = use.stat().st_mtime - days * 86_400
    os.utime(use, (then, then))


# -- packages and files ----------------------------------------------------------------------------


def test_packages_are_listed_with_their_source_and_size(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    folder = local_package(tmp_path / "mine")
    env = manager.create(name, {"local": [{"name": "mine", "path": folder}]})
    mine, six = env.packages()
    assert (mine.name, mine.kind, mine.source, mine.editable) == (
        "mine", "pip", folder.as_uri(), True,
    )  # fmt: skip
    assert (six.name, six.source, six.editable) == ("six", "", False)
    assert six.size > 30_000
    assert {each.name: each.version for each in env.packages()} == packages_of(env)


def test_a_new_environment_is_whole(env: Environment) -> None:
    found = env.verify()
    assert found.ok
    assert found.checked > 15  # the venv's own files too
    assert found.untracked == ()


def test_packages_of_the_hosts_own_python_are_listed(manager: EnvironmentManager) -> None:
    host = manager.load("the-host", sys.executable)
    assert "pytest" in {package.name for package in host.packages()}
    host.exit()


def test_an_edited_file_is_found_and_mended_also_in_the_cache(
    manager: EnvironmentManager, env: Environment
) -> None:
    path = six_of(env)
    whole = path.read_bytes()
    with open(path, "ab") as stream:  # in place: the installer's cache has the same file
        stream.write(b"# edited\n")
    assert [fault.path for fault in env.verify().changed] == [path]
    found = env.repair()
    assert found.broken == ("six",)
    assert env.verify().ok
    assert path.read_bytes() == whole
    again = manager.create(f"{env.name}-2", {"pip": ["six==1.16.0"]})
    assert six_of(again).read_bytes() == whole


def test_an_edit_that_can_not_be_seen_is_mended_though_others_use_the_cache(
    manager: EnvironmentManager, env: Environment
) -> None:
    path = six_of(env)
    whole, before = path.read_bytes(), path.stat()
    path.write_bytes(whole.replace(b"import", b"export"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with subprocess.Popen([sys.executable, "-m", "uv", "run", "--no-project", "python", "-c",
                           "print(flush=True); input()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:  # fmt: skip
        assert user.stdout is not None
        user.stdout.readline()
        assert env.repair().broken == ("six",)
        user.communicate(b"\n")
    assert env.verify().ok
    assert path.read_bytes() == whole
    assert forget(["six"])
    again = manager.create(f"{env.name}-2", {"pip": ["six==1.16.0"]})
    assert six_of(again).read_bytes() == whole


def test_an_edit_in_one_environment_does_not_get_into_the_next(
    manager: EnvironmentManager, env: Environment
) -> None:
    path = six_of(env)
    whole = path.read_bytes()
    with open(path, "ab") as stream:
        stream.write(b"# edited\n")
    other = manager.create(f"{env.name}-2", {"pip": ["six==1.16.0"]})
    assert six_of(other).read_bytes() == whole
    assert other.verify().ok


def test_a_missing_interpreter_is_mended(env: Environment) -> None:
    env.interpreter.executable.unlink()
    found = env.repair()
    assert [fault.path for fault in found.missing] == [env.interpreter.executable]
    assert packages_of(env) == {"six": "1.16.0"}
    assert env.verify().ok


def test_what_is_whole_is_left_alone(env: Environment) -> None:
    before = env.interpreter.executable.lstat()
    assert env.repair().ok
    assert env.interpreter.executable.lstat() == before


def test_install_commands_are_run_again_and_additions_are_gone(
    manager: EnvironmentManager, name: str
) -> None:
    commands = ['echo made >> "$VIRTUAL_ENV/made.txt"']
    env = manager.create(name, {"pip": ["six==1.16.0"]}, commands)
    env.install({"pip": ["idna==3.10"]})
    assert [path.name for path in env.verify().untracked] == ["made.txt"]
    six_of(env).unlink()
    env.repair()
    packages = packages_of(env)
    assert packages["six"] == "1.16.0"
    assert "idna" not in packages
    assert (env.path / "made.txt").read_text() == "made\n"
    assert manager.create(name, {"pip": ["six==1.16.0"]}, commands) is env


def test_local_packages_are_mended_too(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    recipe = {"local": [{"name": "mine", "path": local_package(tmp_path / "mine")}]}
    env = manager.create(name, recipe, lock=manager.lock(recipe))
    six_of(env).unlink()
    env.repair()
    assert packages_of(env).keys() == {"mine", "six"}


def test_an_environment_in_use_is_not_repaired(env: Environment) -> None:
    path = six_of(env)
    path.write_text("")
    env.launch()
    with pytest.raises(EnvironmentInUseError):
        env.repair()
    assert path.read_text() == ""
    env.exit()
    env.repair()


def test_what_was_loaded_by_path_is_not_repaired(manager: EnvironmentManager) -> None:
    host = manager.load("the-host", sys.executable)
    with pytest.raises(ConfigurationError, match="the tool that made it"):
        host.repair()
    host.exit()


def test_a_lock_that_was_changed_is_not_believed(env: Environment) -> None:
    six_of(env).unlink()
    with open(env.path.parent / "pylock.toml", "a") as lock:
        lock.write("# changed\n")
    with pytest.raises(ProvisioningError, match="its lock was changed"):
        env.repair()
    assert env.verify().broken == ("six",)


# -- exported --------------------------------------------------------------------------------------


def test_an_exported_environment_yml_gives_the_same_again(
    manager: EnvironmentManager, env: Environment, tmp_path: Path
) -> None:
    text = env.export(tmp_path / "environment.yml")
    content = yaml.safe_load((tmp_path / "environment.yml").read_text())
    assert text == env.export()
    assert content["name"] == env.name
    assert content["dependencies"][-1] == {"pip": ["six==1.16.0"]}
    again = manager.create_from_config(f"{env.name}-2", tmp_path / "environment.yml")
    assert packages_of(again) == packages_of(env)
    assert again.interpreter.version == env.interpreter.version


def test_an_exported_lock_gives_the_same_again(
    manager: EnvironmentManager, env: Environment, tmp_path: Path
) -> None:
    env.export(tmp_path / "pylock.toml")
    assert Lock.read(tmp_path / "pylock.toml") == env.lock()
    again = manager.create(f"{env.name}-2", lock=tmp_path / "pylock.toml")
    assert packages_of(again) == packages_of(env)
    assert again.lock().digest == env.lock().digest


def test_what_was_installed_later_is_in_the_lock(env: Environment) -> None:
    env.install({"pip": ["idna==3.10"]})
    lock = env.lock()
    assert {each.name: each.version for each in lock.packages()} == packages_of(env)
    assert all(len(each.sha256) == 64 for each in lock.packages())


def test_local_packages_are_named_and_left_out(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    folder = local_package(tmp_path / "mine")
    env = manager.create(name, {"local": [{"name": "mine", "path": folder}]})
    assert env.lock().local == ("mine",)
    assert [each.name for each in env.lock().packages()] == ["six"]
    env.export(tmp_path / "environment.yml")
    config = read_config(tmp_path / "environment.yml").config
    assert config is not None
    assert [each.path for each in config.folders] == [str(folder)]


@pytest.mark.parametrize("file", ["environment.txt", "lock.toml", "environment"])
def test_an_unknown_kind_of_file_is_refused(env: Environment, tmp_path: Path, file: str) -> None:
    with pytest.raises(ConfigurationError, match=r"environment\.yml or pylock\.toml"):
        env.export(tmp_path / file)
    assert not (tmp_path / file).exists()


# -- removed ---------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, shared_root: Path) -> Iterator[EnvironmentManager]:
    """A manager of a root that holds nothing else, with the sidecars of the shared one."""
    (tmp_path / "root").mkdir()
    for shared in ("sidecar", "interpreters"):
        (shared_root / shared).mkdir(exist_ok=True)
        (tmp_path / "root" / shared).symlink_to(shared_root / shared)
    with EnvironmentManager(tmp_path / "root", progress=False) as manager:
        yield manager


def test_what_nobody_used_for_a_while_is_removed(own: EnvironmentManager) -> None:
    old, new = own.create("old"), own.create("new")
    age(old)
    assert own.prune(trial=True).environments == ("old",)
    assert own.environment_exists("old")
    pruned = own.prune()
    assert (pruned.environments, pruned.in_use) == (("old",), ())
    assert pruned.freed > 0
    assert not old.path.parent.exists()
    assert new.path.exists()
    with pytest.raises(EnvironmentNotFoundError):
        old.launch()


@pytest.mark.parametrize("use", ["create", "load", "launch"])
def test_using_an_environment_keeps_it(own: EnvironmentManager, use: str) -> None:
    env = own.create("it")
    age(env)
    if use == "create":
        own.create("it")
    elif use == "load":
        EnvironmentManager(own.root).load("it")
    else:
        env.launch()
        env.exit()
    assert own.prune().environments == ()


def test_an_environment_in_use_is_never_removed(own: EnvironmentManager) -> None:
    env = own.create("it")
    env.launch()
    age(env)
    pruned = own.prune(0)
    assert (pruned.environments, pruned.in_use) == ((), ("it",))
    assert env.execute("math", "sqrt", (4,)) == 2
    env.exit()
    assert own.prune(0).environments == ("it",)


@pytest.mark.skipif(os.name == "nt", reason="locks are not inherited there")
def test_who_outlives_the_host_keeps_the_environment(own: EnvironmentManager) -> None:
    env = own.create("it")
    lease = take_lease(Layout(env.path.parent))
    # As a worker, or what it started, that is still there when its host was killed.
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lease.fileno()]) as survivor:
        lease.close()
        age(env)
        assert own.prune().in_use == ("it",)
        assert survivor.stdin is not None
        survivor.communicate(b"\n")
    assert own.prune().environments == ("it",)


def test_a_build_is_not_disturbed_and_what_it_left_is_removed(own: EnvironmentManager) -> None:
    layout = Layout(own.root / "envs" / "half")
    layout.prefix.mkdir(parents=True)
    layout.use_lock.touch()
    with FileLock(layout.build_lock) as lock:
        lock.acquire()
        assert own.prune(0).in_use == ("half",)
    assert own.prune(0).environments == ("half",)
    assert not layout.folder.exists()


def test_pythons_that_are_gone_are_forgotten(own: EnvironmentManager) -> None:
    folder = own.root / "interpreters"
    (folder / "gone.json").write_text('{"executable": "/nowhere/python"}')
    pruned = own.prune()
    assert pruned.cache_entries == ("interpreters/gone.json",)
    assert not (folder / "gone.json").exists()


@pytest.mark.parametrize("days", [-1, "30", None, True, float("nan")])
def test_a_wrong_number_of_days_is_an_error(own: EnvironmentManager, days: object) -> None:
    with pytest.raises(ConfigurationError, match="unused_days"):
        own.prune(days)  # type: ignore[arg-type]


def test_space_is_that_of_the_root_and_of_each_environment(own: EnvironmentManager) -> None:
    first = own.create("first", {"pip": ["idna==3.10"]})
    second = own.create("second", {"pip": ["idna==3.10"]})
    usage = own.disk_usage()
    assert set(usage.environments) == {"first", "second"}
    shared = usage.environments["first"].shared
    assert 0 < shared < usage.environments["first"].size
    both = sum(each.size for each in usage.environments.values())
    assert both - 2 * shared < usage.total < both
    first.delete()
    second.delete()
    assert own.disk_usage().environments == {}
