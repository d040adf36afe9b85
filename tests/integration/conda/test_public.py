"""The same against conda-forge: run with ``--network``; it fetches some hundred megabytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wetlands import EnvironmentManager
from wetlands.environments.progress import ProvisioningEvent
from wetlands.errors import EnvironmentBuildError

pytestmark = [pytest.mark.network, pytest.mark.index]

FORGE = {"channels": ["conda-forge"]}


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(tmp_path_factory.mktemp("root"), progress=False) as manager:
        yield manager


@pytest.fixture(autouse=True)
def workers_end(manager: EnvironmentManager) -> Iterator[None]:
    yield
    manager.exit()


def test_workers_with_packages_that_conflict_run_side_by_side(manager: EnvironmentManager) -> None:
    events: list[ProvisioningEvent] = []
    versions = {"old": "1.26.*", "new": "2.*"}
    for name, version in versions.items():
        recipe = {**FORGE, "python": "3.11", "conda": [f"numpy {version}"]}
        manager.create(name, recipe, on_progress=events.append).launch()
    found = [
        manager.environments[name].execute("importlib.metadata", "version", ("numpy",))
        for name in versions
    ]
    assert [version.partition(".")[0] for version in found] == ["1", "2"]
    assert any(event.package == "numpy" and event.done == event.total for event in events)


def test_a_conflict_is_shown_as_a_tree(manager: EnvironmentManager) -> None:
    recipe = {**FORGE, "python": "3.11", "conda": ["numpy 1.26.*", "pandas 3.*", "numpy 2.*"]}
    with pytest.raises(EnvironmentBuildError, match="─ numpy"):
        manager.create("conflict", recipe)


def test_a_spec_may_name_its_channel_and_pip_goes_on_top(manager: EnvironmentManager) -> None:
    recipe = {
        **FORGE, "python": "3.11", "conda": ["conda-forge::numpy", "pip"], "pip": ["idna", "numpy"],
    }  # fmt: skip
    env = manager.create("mixed", recipe)
    env.launch()
    assert env.execute("idna", "encode", ("ökonom.example",)) == b"xn--konom-jua.example"
    assert list((env.path / "conda-meta").glob("numpy-*.json"))


def test_activation_scripts_of_real_packages_are_run(manager: EnvironmentManager) -> None:
    env = manager.create("proj", {**FORGE, "python": "3.11", "conda": ["proj"]})
    env.launch()
    scripts = list((env.path / "etc/conda/activate.d").glob("*.sh"))
    assert not scripts or env.execute("os", "getenv", ("PROJ_DATA",)).startswith(str(env.path))


def test_a_file_of_conda_becomes_an_environment(
    manager: EnvironmentManager, tmp_path: Path
) -> None:
    file = tmp_path / "environment.yml"
    text = "channels: [conda-forge]\ndependencies: [python=3.11, six, pip, {pip: [toml]}]\n"
    file.write_text(text, encoding="utf-8")
    env = manager.create_from_config("file", file)
    env.launch()
    assert env.execute("six", "ensure_str", ("text",)) == "text"
    assert env.execute("toml", "loads", ("a = 1",)) == {"a": 1}
