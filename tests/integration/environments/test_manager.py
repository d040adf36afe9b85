"""`EnvironmentManager`: creating, loading, extending, removing; one object an environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.environments.inside import packages_of
from wetlands.environment import Environment
from wetlands.environment_manager import EnvironmentManager
from wetlands.environments.interpreters import Interpreter
from wetlands.errors import (
    ConfigurationError,
    EnvironmentConflictError,
    EnvironmentInUseError,
    EnvironmentNotFoundError,
    ProvisioningError,
)

pytestmark = pytest.mark.index


@pytest.fixture
def manager(shared_root: Path) -> Iterator[EnvironmentManager]:
    """A manager of the shared root."""
    with EnvironmentManager(shared_root) as manager:
        yield manager


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv that somebody else made."""
    folder = tmp_path_factory.mktemp("foreign") / "venv"
    subprocess.run([sys.executable, "-m", "uv", "venv", "-q", str(folder)], check=True)
    return folder


def installed(environment: Environment) -> set[str]:
    return set(packages_of(environment._prefix))


# -- the manager itself ----------------------------------------------------------------------------


def test_nothing_happens_at_construction_but_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    threads = threading.enumerate()
    manager = EnvironmentManager(tmp_path / "a" / "b")
    assert list((tmp_path / "a").rglob("*")) == [tmp_path / "a" / "b"]
    assert (manager.environments, threading.enumerate()) == ({}, threads)


def test_the_root_is_the_users_data_folder_unless_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *a, **k: str(tmp_path / "data"))
    assert EnvironmentManager().root == tmp_path / "data"


def test_the_root_may_be_relative_or_have_its_older_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert EnvironmentManager("one").root == tmp_path / "one"
    assert EnvironmentManager(wetlands_instance_path=Path("two")).root == tmp_path / "two"


@pytest.mark.parametrize("root", ["", 3, b"x"])
def test_a_root_of_a_wrong_type_is_an_error(root: Any) -> None:
    with pytest.raises(ConfigurationError, match="root must be the path"):
        EnvironmentManager(root)


def test_both_names_of_the_root_at_once_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the same option"):
        EnvironmentManager(tmp_path, wetlands_instance_path=tmp_path)


def test_a_root_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProvisioningError, match="can't make the folder"):
        EnvironmentManager(tmp_path / "file")


# -- create ----------------------------------------------------------------------------------------


def test_an_open_environment_is_the_same_object(manager: EnvironmentManager, name: str) -> None:
    environment = manager.create(name, {"pip": ["six"]})
    assert manager.create(name, {"pip": ["six"]}) is environment
    assert manager.load(name) is environment
    assert manager.environments == {name: environment}
    environment.exit()
    assert manager.environments == {}
    assert manager.create(name, {"pip": ["six"]}) is not environment


def test_threads_get_the_same_object(manager: EnvironmentManager, name: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: manager.create(name, {"pip": ["six"]}), range(4)))
    assert all(environment is made[0] for environment in made)


def test_a_replaced_environment_is_another_object(manager: EnvironmentManager, name: str) -> None:
    old = manager.create(name, {"pip": ["six"]})
    new = manager.create(name, {"pip": ["tomli"]}, replace_existing=True)
    assert new is not old
    old.exit()
    assert manager.environments == {name: new}


def test_install_commands_may_be_given_by_position(manager: EnvironmentManager, name: str) -> None:
    environment = manager.create(name, {}, {"all": ['python -c \'open("made", "w")\'']})
    assert (environment.path.parent / "made").exists()


def test_a_config_may_be_given_by_its_older_name(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("six\n")
    environment = manager.create_from_config(name, config_path=tmp_path / "requirements.txt")
    assert installed(environment) == {"six"}
    assert manager.create_from_config(name, str(tmp_path / "requirements.txt")) is environment


def test_exit_ends_all_and_the_manager_goes_on(manager: EnvironmentManager, name: str) -> None:
    manager.create(name)
    manager.exit()
    manager.exit()
    assert manager.environments == {}
    assert manager.environment_exists(name)
    manager.create(name)


def test_exit_goes_on_after_an_environment_that_fails(
    manager: EnvironmentManager, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = manager.create(name), manager.load("host", sys.executable)

    def fail() -> None:
        raise OSError("mine")

    monkeypatch.setattr(first, "exit", fail)
    with pytest.raises(OSError, match="mine"):
        manager.exit()
    assert second.name not in manager.environments
    monkeypatch.undo()


# -- load ------------------------------------------------------------------------------------------


def test_the_hosts_own_python_can_be_loaded(manager: EnvironmentManager) -> None:
    host = manager.load("host", sys.executable)
    assert host.path == Path(sys.prefix)
    assert host._prefix.interpreter.executable == Path(sys.executable)
    assert manager.load("host", Path(sys.executable)) is host


@pytest.mark.parametrize("inner", ["", "bin/python"])
def test_a_venv_can_be_loaded_by_its_folder_or_its_python(
    manager: EnvironmentManager, foreign: Path, name: str, inner: str
) -> None:
    environment = manager.load(name, foreign / inner)
    assert environment.path == foreign
    assert not environment._prefix.managed


def test_a_created_one_is_loaded_by_its_name_alone(shared_root: Path, name: str) -> None:
    with EnvironmentManager(shared_root) as one:
        path = one.create(name, {"pip": ["six"]}).path
    with EnvironmentManager(shared_root) as other:
        assert other.load(name).path == path


def test_an_unknown_name_is_an_error_that_lists_the_known(
    manager: EnvironmentManager, name: str
) -> None:
    manager.create(name)
    with pytest.raises(EnvironmentNotFoundError, match=f"'{name}'"):
        manager.load("nothing-at-all")
    assert not manager.environment_exists("nothing-at-all")


def test_a_place_without_a_python_is_an_error(
    manager: EnvironmentManager, name: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(EnvironmentNotFoundError, match="there is nothing at"):
        manager.load(name, tmp_path / "missing")
    with pytest.raises(EnvironmentNotFoundError, match="there is no Python in"):
        manager.load(name, tmp_path)
    with pytest.raises(ConfigurationError, match="can't be used as a Python"):
        manager.load(name, tmp_path / "text")
    with pytest.raises(ConfigurationError, match="can't be used as a Python"):
        manager.load(name, "/bin/echo")
    with pytest.raises(ConfigurationError, match="must be a str or a Path"):
        manager.load(name, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(("version", "message"), [("2.7", "can't be used"), ("3.6", "too old")])
def test_a_python_too_old_for_workers_is_an_error(
    manager: EnvironmentManager, name: str, version: str, message: str
) -> None:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(root.glob(f"versions/{version}*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version} on this machine")
    with pytest.raises(ConfigurationError, match=message):
        manager.load(name, found[0])


def test_commands_run_in_an_environment(manager: EnvironmentManager, name: str) -> None:
    environment = manager.create(name)
    options = {"stdout": subprocess.PIPE, "text": True}
    code = 'python -c "import sys; print(sys.prefix)"'
    with manager.execute_commands(environment, [code], None, options, True) as process:
        assert process.stdout.read().strip() == str(environment.path)


def test_one_name_is_one_environment(manager: EnvironmentManager, name: str, foreign: Path) -> None:
    manager.create(name)
    with pytest.raises(EnvironmentConflictError, match="is open already"):
        manager.load(name, foreign)
    manager.load(f"{name}-foreign", foreign)
    with pytest.raises(EnvironmentConflictError, match="is open already"):
        manager.create(f"{name}-foreign")


# -- extend and remove -----------------------------------------------------------------------------


def test_packages_are_added_and_the_recipe_stays(manager: EnvironmentManager, name: str) -> None:
    environment = manager.create(name, {"pip": ["six"]})
    wish = {"pip": ["tomli", {"name": "python-dateutil", "dependencies": False}]}
    lines = manager.install(environment, wish)
    assert any(line.startswith(" + tomli==") for line in lines)
    assert installed(environment) == {"six", "tomli", "python-dateutil"}
    assert manager.create(name, {"pip": ["six"]}) is environment
    (addition,) = json.loads((environment.path.parent / "ready.json").read_text())["additions"]
    assert addition["recipe"]["pip"] == ["tomli"]


def test_an_added_pyzmq_is_noticed(
    manager: EnvironmentManager, name: str, shared_root: Path
) -> None:
    manager.install(manager.create(name), {"pip": ["pyzmq"]})
    with EnvironmentManager(shared_root) as other:
        assert other.load(name)._prefix.interpreter.pyzmq is not None


def test_packages_are_added_to_a_loaded_environment(
    manager: EnvironmentManager, name: str, foreign: Path
) -> None:
    environment = manager.load(name, foreign)
    manager.install(environment, {"pip": ["six"]})
    assert "six" in installed(environment)
    assert manager._registry.lease(name) is None


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"python": "3.9"}, "can't change the Python"),
        ({"conda": ["x"]}, "is no Conda environment"),
    ],
)
def test_only_packages_can_be_added(
    manager: EnvironmentManager, name: str, wish: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        manager.install(manager.create(name), wish)


def test_a_deleted_environment_leaves_nothing(
    manager: EnvironmentManager, name: str, shared_root: Path
) -> None:
    environment = manager.create(name, {"pip": ["six"]})
    environment.delete()
    assert not (shared_root / "envs" / name).exists()
    assert name not in manager.environments
    environment.delete()
    with pytest.raises(EnvironmentNotFoundError):
        manager._registry.lease(name)
    with pytest.raises(EnvironmentNotFoundError):
        manager.install(environment, {"pip": ["six"]})
    manager.create(name, {"pip": ["tomli"]})


def test_a_loaded_environment_is_never_deleted(
    manager: EnvironmentManager, name: str, foreign: Path
) -> None:
    with pytest.raises(ConfigurationError, match="not created here"):
        manager.load(name, foreign).delete()
    assert (foreign / "bin" / "python").exists()


def test_an_environment_with_workers_is_not_replaced(
    manager: EnvironmentManager, name: str
) -> None:
    environment = manager.create(name)
    lease = manager._registry.lease(name)
    assert lease is not None
    with lease, pytest.raises(EnvironmentInUseError):
        manager.create(name, {"pip": ["six"]}, replace_existing=True)
    assert manager.environments[name] is environment


def test_every_python_found_can_be_loaded(
    manager: EnvironmentManager, python_of: Callable[[str], Interpreter]
) -> None:
    for minor in ("3.8", "3.13"):
        python = python_of(minor)
        assert manager.load(f"py{minor}", python.prefix).path == python.prefix
