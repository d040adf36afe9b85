"""Workers, commands and scripts run in activated environments, ours and those of others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conda.channel import Channel
from wetlands import EnvironmentManager
from wetlands.environment import Environment
from wetlands.environments.conda.engine import Engine
from wetlands.environments.progress import Reporter
from wetlands.errors import EnvironmentNotFoundError

pytestmark = pytest.mark.index  # for pyzmq

SCRIPT = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))\n"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(tmp_path_factory.mktemp("root"), progress=False) as manager:
        yield manager


@pytest.fixture(autouse=True)
def workers_end(manager: EnvironmentManager) -> Iterator[None]:
    yield
    manager.exit()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, conda_channel: Channel) -> Path:
    """A prefix that somebody else made, in a pixi project; nobody may write into it."""
    project = tmp_path_factory.mktemp("pixi project")
    (project / "pixi.toml").write_text("[workspace]\n", encoding="utf-8")
    prefix = project / ".pixi" / "envs" / "default"
    engine = Engine(tmp_path_factory.mktemp("engine"), Reporter("foreign"))
    engine.install(engine.solve(["actvars", "toolbox"], [conda_channel.url]).packages, prefix)
    (prefix / "conda-meta" / "state").write_text('{"env_vars": {"MINE": "yes"}}', encoding="utf-8")
    return prefix


def check(env: Environment, folder: Path) -> None:
    """Check that every way of running something sees the activated environment."""
    home = f"{env.path}/share/actvars"
    env.launch(max_workers=2)
    assert env.execute("os", "getenv", ("ACTVARS_HOME",)) == home
    assert env.execute("os", "getenv", ("ACTVARS_STATIC",)) == "from env_vars.d"
    assert env.execute("os", "getenv", ("CONDA_PREFIX",)) == str(env.path)
    assert env.execute("shutil", "which", ("actvars-where",)) == f"{env.path}/bin/actvars-where"
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    env.run_script(folder / "script.py", [str(folder / "seen.json")])
    assert json.loads((folder / "seen.json").read_text("utf-8"))["ACTVARS_HOME"] == home
    process = env.execute_commands(
        ["echo $ACTVARS_HOME", "toolbox"], popen_kwargs={"stdout": subprocess.PIPE}
    )
    assert process.communicate()[0].decode() == f"{home}\ntoolbox 2.0\n"


def test_an_environment_of_ours_is_activated(
    manager: EnvironmentManager, conda_channel: Channel, tmp_path: Path
) -> None:
    recipe = {"conda": ["actvars", "toolbox"], "channels": [conda_channel.url]}
    check(manager.create("ours", recipe), tmp_path)


@pytest.mark.parametrize("way", ["prefix", "python", "manifest", "project"])
def test_a_prefix_of_others_is_activated_and_left_as_it_is(
    manager: EnvironmentManager, foreign: Path, tmp_path: Path, way: str
) -> None:
    project = foreign.parents[2]
    given = {"prefix": foreign, "python": foreign / "bin/python",
             "manifest": project / "pixi.toml", "project": project}[way]  # fmt: skip
    before = _state(foreign)
    env = manager.load(f"foreign-{way}", given)
    assert env.path == foreign
    if way != "prefix":
        return  # they are all the same from here on
    check(env, tmp_path)
    assert env.execute("os", "getenv", ("MINE",)) == "yes"
    assert _state(foreign) == before


def _state(prefix: Path) -> list[tuple[str, int]]:
    """Return every file with its time of change; bytecode is the interpreter's own business."""
    return sorted(
        (str(path), path.lstat().st_mtime_ns)
        for path in prefix.rglob("*")
        if "__pycache__" not in path.parts and not path.is_dir()
    )


def test_workers_get_their_own_variables_on_top(manager: EnvironmentManager, foreign: Path) -> None:
    env = manager.load("own", foreign)
    env.launch(
        ["export ACTVARS_HOME=$ACTVARS_HOME/more"], worker_env=lambda i: {"ACTVARS_STATIC": "mine"}
    )
    assert env.execute("os", "getenv", ("ACTVARS_HOME",)) == f"{foreign}/share/actvars/more"
    assert env.execute("os", "getenv", ("ACTVARS_STATIC",)) == "mine"


def test_the_hosts_own_activation_does_not_shine_through(
    manager: EnvironmentManager, foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "host"
    for name, text in {
        "conda-meta/state": '{"env_vars": {"OF_THE_HOST": "1"}}',
        "etc/conda/deactivate.d/host.sh": "unset HOST_DATA\n",
    }.items():
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("CONDA_PREFIX", str(host))
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "base")
    monkeypatch.setenv("OF_THE_HOST", "1")
    monkeypatch.setenv("HOST_DATA", str(host))
    env = manager.load("shine", foreign)
    env.launch()
    assert env.execute("os", "getenv", ("OF_THE_HOST",)) is None
    assert env.execute("os", "getenv", ("HOST_DATA",)) is None
    assert env.execute("os", "getenv", ("CONDA_PREFIX",)) == str(foreign)
    assert env.execute("os", "getenv", ("CONDA_DEFAULT_ENV",)) == str(foreign)


def test_a_conda_environment_without_python_says_what_is_missing(
    manager: EnvironmentManager, tmp_path: Path
) -> None:
    (tmp_path / "bare" / "conda-meta").mkdir(parents=True)
    with pytest.raises(EnvironmentNotFoundError, match="no Python in"):
        manager.load("bare", tmp_path / "bare")


def test_a_prefix_that_moved_with_its_project_is_found_by_its_manifest(
    manager: EnvironmentManager, foreign: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    os.mkdir(moved)
    shutil.copy(foreign.parents[2] / "pixi.toml", moved)
    with pytest.raises(EnvironmentNotFoundError, match=r"\.pixi/envs/default"):
        manager.load("moved", moved)
