"""Environments are what the recipe says, are found again, and fail with one clear error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.environments.conftest import Create
from tests.integration.environments.inside import local_package, packages_of, run_in
from tests.support.waiting import wait_until
from wetlands.environments.interpreters import Interpreter
from wetlands.environments.progress import ProvisioningEvent, Stage
from wetlands.environments.project_files import load_toml
from wetlands.environments.recipe import parse_recipe
from wetlands.environments.registry import Registry
from wetlands.errors import (
    ConfigurationError,
    EnvironmentBuildError,
    EnvironmentConflictError,
    EnvironmentInUseError,
    InterpreterNotFoundError,
    ProvisioningError,
)

pytestmark = pytest.mark.index

# -- what is made ----------------------------------------------------------------------------------


def test_an_environment_has_what_was_asked_for_and_nothing_else(create: Create) -> None:
    prefix = create({"pip": ["six==1.16.0", "packaging"]})
    packages = packages_of(prefix)
    assert set(packages) == {"six", "packaging"}
    assert packages["six"] == "1.16.0"
    assert prefix.managed


@pytest.mark.parametrize("minor", ["3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_each_python_can_be_had(
    create: Create, python_of: Callable[[str], Interpreter], minor: str
) -> None:
    wanted = python_of(minor)
    prefix = create({"python": minor})
    assert prefix.interpreter.version[:2] == wanted.version[:2]
    assert run_in(prefix, "import sys; print('%d.%d' % sys.version_info[:2])") == minor


def test_the_lock_lists_every_file_with_its_hash(create: Create) -> None:
    prefix = create({"pip": ["python-dateutil"]})
    packages = load_toml(prefix.path.parent / "pylock.toml")["packages"]
    assert {"python-dateutil"} < {package["name"] for package in packages}
    wheels = [wheel for package in packages for wheel in package["wheels"]]
    assert all(len(wheel["hashes"]["sha256"]) == 64 for wheel in wheels)


def test_a_package_can_be_had_without_its_dependencies(create: Create) -> None:
    prefix = create({"pip": ["tomli", {"name": "python-dateutil", "dependencies": False}]})
    assert set(packages_of(prefix)) == {"tomli", "python-dateutil"}
    packages = load_toml(prefix.path.parent / "pylock.toml")["packages"]
    assert [package["name"] for package in packages] == ["tomli", "python-dateutil"]


def test_local_packages_are_installed_as_copy_or_as_link(tmp_path: Path, create: Create) -> None:
    copied = local_package(tmp_path / "copied", "copied")
    linked = local_package(tmp_path / "linked", "linked")
    prefix = create(
        {
            "local": [
                {"name": "copied", "path": copied, "editable": False},
                {"name": "linked[fast]", "path": linked},
            ]
        }
    )
    for folder in (copied, linked):
        (folder / f"{folder.name}.py").write_text("value = 2\n")
    assert run_in(prefix, "import copied, linked; print(copied.value, linked.value)") == "1 2"
    assert {"six", "tomli"} <= set(packages_of(prefix))


def test_install_commands_run_inside_with_the_environments_own_pip(create: Create) -> None:
    code = "import sys, pathlib; pathlib.Path(sys.prefix, 'made').write_text(sys.prefix)"
    prefix = create({}, commands=[f'python -c "{code}"', "cd /", "pip --version > log", "rm log"])
    assert (prefix.path / "made").read_text() == str(prefix.path)
    assert "pip" in packages_of(prefix)


def test_an_install_command_that_fails_is_one_clear_error(create: Create, name: str) -> None:
    with pytest.raises(EnvironmentBuildError, match="no such package index") as caught:
        create({}, commands=["echo no such package index; exit 3", "echo never"])
    assert caught.value.returncode == 3
    assert "never" not in caught.value.log_tail


def test_what_an_install_command_leaves_running_is_ended(create: Create, name: str) -> None:
    prefix = create({}, commands=["echo begun", "(while true; do sleep 60; done) & echo $! > pid"])
    pid = int((prefix.path.parent / "pid").read_text())
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


def test_the_variables_of_the_hosts_shell_do_not_matter(
    create: Create, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('polluted')\n")
    monkeypatch.chdir(tmp_path)
    for variable in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON"):
        monkeypatch.setenv(variable, str(tmp_path))
    prefix = create({"pip": ["six"]})
    monkeypatch.undo()
    assert set(packages_of(prefix)) == {"six"}


@pytest.mark.parametrize("folder", ["wäter lände", 'it\'s 100% "mine"', "环境", "x" * 150])
def test_the_root_may_have_any_name(tmp_path: Path, shared_root: Path, folder: str) -> None:
    root = tmp_path / folder
    root.mkdir()
    (shared_root / "sidecar").mkdir(exist_ok=True)  # this may be the first test that needs it
    (root / "sidecar").symlink_to(shared_root / "sidecar")
    prefix = Registry(root).ensure("a b", parse_recipe({"pip": ["six"]}))
    assert run_in(prefix, "import six; print(six.__name__)") == "six"


# -- found again -----------------------------------------------------------------------------------


def no_process(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a process was started")


def test_the_same_recipe_is_reused_without_starting_a_process(
    create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "pip": ["six"]}
    first = create(wish)
    monkeypatch.setattr(subprocess, "Popen", no_process)
    events: list[ProvisioningEvent] = []
    assert create(wish, on_progress=events.append) == first
    assert [event.stage for event in events] == [Stage.READY]


def test_the_stages_come_in_order(create: Create) -> None:
    events: list[ProvisioningEvent] = []
    create({"pip": ["six"]}, on_progress=events.append)
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == list(Stage)[1:]
    assert any("six" in event.message for event in events)


def test_another_recipe_is_a_conflict_that_says_what_differs(create: Create) -> None:
    create({"pip": ["six"]})
    with pytest.raises(EnvironmentConflictError) as caught:
        create({"pip": ["six", "tomli"]})
    assert 'pip: ["six"] -> ["six", "tomli"]' in str(caught.value)
    assert "replace_existing=True" in str(caught.value)


def test_another_recipe_replaces_it_on_request(create: Create) -> None:
    create({"pip": ["six"]})
    prefix = create({"pip": ["packaging"]}, replace_existing=True)
    assert set(packages_of(prefix)) == {"packaging"}


def test_an_environment_outlives_a_replacement_that_cannot_be_resolved(
    create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = {"pip": ["six"]}
    first = create(wish)
    with pytest.raises(EnvironmentBuildError):
        create({"pip": ["six==1.16.0", "six==1.17.0"]}, replace_existing=True)
    monkeypatch.setattr(subprocess, "Popen", no_process)
    assert create(wish) == first


def test_an_environment_in_use_is_not_replaced(
    create: Create, registry: Registry, name: str
) -> None:
    prefix = create({"pip": ["six"]})
    lease = registry.lease(name)
    assert lease is not None
    with lease, pytest.raises(EnvironmentInUseError, match="is in use"):
        create({}, replace_existing=True)
    assert set(packages_of(prefix)) == {"six"}
    create({}, replace_existing=True)


def test_names_that_differ_in_case_are_refused(
    create: Create, registry: Registry, name: str
) -> None:
    create()
    with pytest.raises(ConfigurationError, match="same on some file systems"):
        registry.ensure(name.upper(), parse_recipe({}))


# -- what fails ------------------------------------------------------------------------------------


FAILURES = {
    "conflict": (["six==1.16.0", "six==1.17.0"], "you require six==1.16.0 and six==1.17.0"),
    "unknown": (["no-such-package-at-all-zq"], "Check the spelling"),
    "version": (["six==99"], "loosen or correct"),
}


@pytest.mark.parametrize(("pip", "message"), FAILURES.values(), ids=FAILURES)
def test_what_the_resolver_says_reaches_the_user_whole(
    create: Create, registry: Registry, name: str, pip: list[str], message: str
) -> None:
    with pytest.raises(EnvironmentBuildError, match=message) as caught:
        create({"pip": pip})
    error = caught.value
    assert error.returncode == 1
    assert Path(error.command[0]).is_absolute()
    assert "No solution found" in error.log_tail
    assert error.log_tail in str(error)
    assert name in str(error)
    assert name not in registry.names()
    create({"pip": ["six"]})


def test_a_python_that_is_not_there_is_an_error_that_lists_those_found(create: Create) -> None:
    with pytest.raises(InterpreterNotFoundError, match="uv python install") as caught:
        create({"python": "==3.99.*"})
    assert caught.value.request == "==3.99.*"
    assert any(
        f"{sys.version_info[0]}.{sys.version_info[1]}" in line for line in caught.value.found
    )


def test_a_tool_that_is_killed_is_told_as_such(
    create: Create, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "uv"
    tool.write_text("#!/bin/sh\necho half >&2\nkill -9 $$\n")
    tool.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(tool))
    with pytest.raises(
        EnvironmentBuildError, match=r"uv was ended by SIGKILL.*try again"
    ) as caught:
        create({"pip": ["six"]})
    assert (caught.value.returncode, caught.value.log_tail) == (-9, "half")


def test_credentials_of_an_index_are_never_shown(
    create: Create, monkeypatch: pytest.MonkeyPatch, shared_root: Path, name: str
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://user:topsecret@localhost:1/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    url = "six @ https://user:topsecret@localhost:1/six-1.0-py3-none-any.whl"
    messages: list[str] = []
    with pytest.raises(EnvironmentBuildError) as caught:
        create({"pip": ["tomli", url]}, on_progress=lambda event: messages.append(event.message))
    log = (shared_root / "envs" / name / "log.txt").read_text()
    assert "topsecret" not in f"{caught.value} {caught.value.command} {messages} {log}"


@pytest.mark.parametrize("root", ["file", "/proc/wetlands"])
def test_a_root_that_cannot_be_written_is_one_clear_error(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProvisioningError, match="another root"):
        Registry(tmp_path / root).ensure("x", parse_recipe({}))


# -- what is repaired ------------------------------------------------------------------------------


def break_base(prefix: Path) -> None:
    python = prefix / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")


def break_marker(prefix: Path) -> None:
    (prefix.parent / "ready.json").write_text('{"layout": 1, "name"')


def remove_packages(prefix: Path) -> None:
    shutil.rmtree(prefix)


def remove_marker(prefix: Path) -> None:
    (prefix.parent / "ready.json").unlink()
    (prefix.parent / ".trash-x" / "prefix").mkdir(parents=True)


@pytest.mark.parametrize("harm", [break_base, break_marker, remove_packages, remove_marker])
def test_a_damaged_environment_is_built_again(create: Create, harm: Callable[[Path], None]) -> None:
    prefix = create({"pip": ["six"]})
    lock = (prefix.path.parent / "pylock.toml").read_bytes()
    harm(prefix.path)
    again = create({"pip": ["six"]})
    assert set(packages_of(again)) == {"six"}
    assert (prefix.path.parent / "pylock.toml").read_bytes() == lock
    assert not list(prefix.path.parent.glob(".*"))


def test_an_environment_whose_root_was_moved_is_built_again(
    tmp_path: Path, shared_root: Path
) -> None:
    (tmp_path / "one").mkdir()
    (shared_root / "sidecar").mkdir(exist_ok=True)
    (tmp_path / "one" / "sidecar").symlink_to(shared_root / "sidecar")
    Registry(tmp_path / "one").ensure("x", parse_recipe({"pip": ["six"]}))
    (tmp_path / "one").rename(tmp_path / "other")
    prefix = Registry(tmp_path / "other").ensure("x", parse_recipe({"pip": ["six"]}))
    assert run_in(prefix, "import sys; print(sys.prefix)") == str(tmp_path / "other/envs/x/prefix")


def test_an_environment_of_another_version_is_an_error_or_replaced(create: Create) -> None:
    marker = create({"pip": ["six"]}).path.parent / "ready.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "layout": 99}))
    with pytest.raises(EnvironmentConflictError, match=r"layout 99.*replace_existing=True"):
        create({"pip": ["six"]})
    create({"pip": ["six"]}, replace_existing=True)
    assert json.loads(marker.read_text())["layout"] == 1


def test_a_lock_of_another_format_is_made_again(create: Create) -> None:
    prefix = create({"pip": ["six"]})
    lock = prefix.path.parent / "pylock.toml"
    text = lock.read_text()
    lock.write_text(text.replace('lock-version = "1.0"', 'lock-version = "9.0"'))
    shutil.rmtree(prefix.path)
    create({"pip": ["six"]})
    assert lock.read_text() == text
