"""Conda environments from the files that projects have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conda.channel import Channel
from wetlands import EnvironmentManager
from wetlands.environments.locks.platforms import here

pytestmark = pytest.mark.index  # for pyzmq


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(tmp_path_factory.mktemp("root"), progress=False) as manager:
        yield manager


@pytest.mark.parametrize(
    "name",
    ["environment.yml", "pixi.toml", pytest.param("pyproject.toml", marks=pytest.mark.long)],
)
def test_files_of_conda_and_pixi_become_environments(
    manager: EnvironmentManager, conda_channel: Channel, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "own"
    (folder / "src" / "own").mkdir(parents=True)
    (folder / "src" / "own" / "__init__.py").write_text("import toolbox\nOLD = toolbox.old_api()\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "own"\nversion = "1"\ndependencies = ["toolbox"]\n'
        '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n'
    )
    workspace = f'channels = ["{conda_channel.url}"]\nplatforms = ["{here().subdir}"]\n'
    texts = {
        "environment.yml": f"name: ignored\nchannels: [{conda_channel.url}, nodefaults]\n"
        "dependencies:\n- python>=3\n- needs-old\n- pip:\n  - ./own\n"
        "variables:\n  OWN_HOME: here\n",
        "pixi.toml": f"[workspace]\n{workspace}[dependencies]\npython = '*'\nneeds-old = '*'\n"
        "[pypi-dependencies]\nown = { path = 'own' }\n",
        "pyproject.toml": "[project]\nname = 'outer'\nversion = '1'\n"
        f"[tool.pixi.workspace]\n{workspace}"
        "[tool.pixi.dependencies]\nneeds-old = '*'\n"
        "[tool.pixi.pypi-dependencies]\nown = { path = 'own', editable = true }\n",
    }
    (tmp_path / name).write_text(texts[name], encoding="utf-8")
    env = manager.create_from_config(name.partition(".")[0], tmp_path / name)
    env.launch()
    assert env.execute("importlib.metadata", "version", ("own",)) == "1"
    assert env.execute("toolbox", "old_api") == "1.0"
    expected = "here" if name == "environment.yml" else None
    assert env.execute("os", "getenv", ("OWN_HOME",)) == expected
    assert manager.create_from_config(name.partition(".")[0], tmp_path / name) is env
    manager.exit()
