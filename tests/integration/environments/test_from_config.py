"""Config files give the environment that their own tools would make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.environments.inside import local_package, packages_of, run_in
from wetlands.environments.config_files import read_config
from wetlands.environments.prefix import Prefix
from wetlands.environments.project_files import load_toml
from wetlands.environments.registry import Registry
from wetlands.errors import EnvironmentBuildError, EnvironmentConflictError

pytestmark = pytest.mark.index

SIX = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"  # six 1.17.0, its wheel


@pytest.fixture
def make(registry: Registry, name: str, tmp_path: Path) -> Any:
    """Write a file and create the environment that it describes."""

    def from_text(file: str, text: str, **options: Any) -> Prefix:
        (tmp_path / file).write_text(text)
        return registry.ensure(name, read_config(tmp_path / file, **options))

    return from_text


# -- requirements files ----------------------------------------------------------------------------


def test_nested_files_constraints_and_markers_are_honoured(make: Any, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("six\n")
    (tmp_path / "limits.txt").write_text("six==1.16.0\ntomli==1.0\n")
    text = "-r more.txt\n-c limits.txt\npackaging  # yes\ntomli; python_version < '3'\n"
    packages = packages_of(make("requirements.txt", text))
    assert set(packages) == {"six", "packaging"}
    assert packages["six"] == "1.16.0"


def test_local_folders_are_found_from_the_files_place(make: Any, tmp_path: Path) -> None:
    local_package(tmp_path / "mine")
    prefix = make("requirements.txt", "-e ./mine[fast]\n")
    assert run_in(prefix, "import mine; print(mine.__file__)") == str(tmp_path / "mine" / "mine.py")
    assert {"six", "tomli"} <= set(packages_of(prefix))


def test_hashes_in_the_file_are_verified(make: Any) -> None:
    prefix = make("requirements.txt", f"six==1.17.0 \\\n  --hash=sha256:{SIX}\n")
    assert packages_of(prefix) == {"six": "1.17.0"}


def test_a_wrong_hash_in_the_file_is_an_error(make: Any, shared_root: Path, name: str) -> None:
    with pytest.raises(EnvironmentBuildError, match="don't trust it") as caught:
        make("requirements.txt", f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    assert SIX in caught.value.log_tail
    assert not (shared_root / "envs" / name / "prefix").exists()


# -- pyproject.toml --------------------------------------------------------------------------------


def test_a_project_gives_what_it_needs_but_not_itself(
    registry: Registry, name: str, tmp_path: Path
) -> None:
    file = local_package(tmp_path / "mine") / "pyproject.toml"
    recipe = read_config(file, optional_dependencies=["fast", "test"])
    assert set(packages_of(registry.ensure(name, recipe))) == {"six", "tomli", "packaging"}


def test_a_project_is_installed_on_request(registry: Registry, name: str, tmp_path: Path) -> None:
    file = local_package(tmp_path / "mine") / "pyproject.toml"
    prefix = registry.ensure(name, read_config(file, install_project=True))
    assert set(packages_of(prefix)) == {"six", "mine"}


# -- pylock.toml -----------------------------------------------------------------------------------


def test_a_lock_is_installed_exactly(make: Any, registry: Registry, name: str) -> None:
    first = make("requirements.txt", "six==1.16.0\n")
    lock = (first.path.parent / "pylock.toml").read_text()
    registry.delete(first)
    prefix = make("pylock.toml", lock)
    assert packages_of(prefix) == {"six": "1.16.0"}
    kept = load_toml(prefix.path.parent / "pylock.toml")
    assert [package["name"] for package in kept["packages"]] == ["six"]


def test_a_wrong_hash_in_a_lock_is_an_error(make: Any, registry: Registry) -> None:
    first = make("requirements.txt", "six==1.17.0\n")
    lock = (first.path.parent / "pylock.toml").read_text()
    registry.delete(first)
    with pytest.raises(EnvironmentBuildError, match="Hash mismatch"):
        make("pylock.toml", lock.replace(SIX, "0" * 64))


# -- environment.yml -------------------------------------------------------------------------------


def test_the_pip_part_of_a_conda_file_is_installed(make: Any, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("packaging\n")
    text = "dependencies: [python>=3.8, pip, {pip: [six==1.16.0, '-r more.txt']}]\n"
    packages = packages_of(make("environment.yml", text))
    assert set(packages) == {"six", "packaging"}
    assert packages["six"] == "1.16.0"


def test_the_variables_of_a_conda_file_are_set_for_what_runs_in_it(
    make: Any, registry: Registry, name: str
) -> None:
    text = "dependencies: [pip]\nvariables: {MODEL_HOME: 'https://me:secret@host/models'}\n"
    prefix = make("environment.yml", text)
    found = registry.open(name)
    assert found == prefix
    assert registry.activated(found, {})["MODEL_HOME"] == "https://me:secret@host/models"
    with pytest.raises(EnvironmentConflictError, match="variables"):
        make("environment.yml", text.replace("/models", "/others"))


def test_a_changed_file_is_a_conflict(make: Any) -> None:
    make("requirements.txt", "six==1.16.0\n")
    with pytest.raises(EnvironmentConflictError, match="config"):
        make("requirements.txt", "six==1.17.0\n")
