"""Conda environments from recipe to worker, on the channel of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.conda.archive import Package
from tests.support.conda.channel import SUBDIR, Channel
from tests.support.conda.server import ChannelServer
from wetlands import EnvironmentManager
from wetlands.environments.conda import helper_process
from wetlands.environments.layout import Layout
from wetlands.environments.progress import ProvisioningEvent
from wetlands.errors import (
    ConfigurationError,
    EnvironmentBuildError,
    EnvironmentConflictError,
)

pytestmark = pytest.mark.index  # for pyzmq, and for uv's part

Recipe = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentManager]:
    """One root with a space and an accent, because users have such."""
    root = tmp_path_factory.mktemp("conda") / "the röot"
    with EnvironmentManager(root, progress=False) as manager:
        yield manager


@pytest.fixture(autouse=True)
def workers_end(manager: EnvironmentManager) -> Iterator[None]:
    yield
    manager.exit()


@pytest.fixture
def recipe(conda_channel: Channel) -> Recipe:
    def make(*conda: Any, **others: Any) -> dict[str, Any]:
        return {"conda": list(conda), "channels": [conda_channel.url], **others}

    return make


def layout(manager: EnvironmentManager, name: str) -> Layout:
    return Layout(manager.root / "envs" / name)


def test_workers_with_packages_that_conflict_run_side_by_side(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    old = manager.create("old", recipe("needs-old", "numpy"))
    new = manager.create("new", recipe("needs-new"))
    for env in (old, new):
        env.launch(max_workers=2)
    tasks = [old.submit("toolbox", "old_api"), new.submit("toolbox", "new_api")]
    assert [task.wait_for(20).result for task in tasks] == ["1.0", "2.0"]
    assert old.execute("numpy", "ones", (3,)).tolist() == [1.0, 1.0, 1.0]


def test_a_recipe_that_is_ready_is_found_without_py_rattler(
    manager: EnvironmentManager, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = manager.create("found", recipe("toolbox >=2", python="3"))
    monkeypatch.setattr(helper_process.importlib.util, "find_spec", lambda name: None)
    assert manager.create("found", recipe("Toolbox>=2", python="3")) is made
    with pytest.raises(ConfigurationError, match=r"pip install 'wetlands\[conda\]'"):
        manager.create("another", recipe("toolbox"))


def test_another_recipe_of_the_same_name_is_a_conflict(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    manager.create("same", recipe("actvars", "toolbox <2"))
    with pytest.raises(EnvironmentConflictError, match=r"conda: .*toolbox <2.*toolbox"):
        manager.create("same", recipe("actvars", "toolbox"))
    env = manager.create("same", recipe("actvars", "toolbox"), replace_existing=True)
    env.launch()
    assert env.execute("toolbox", "new_api") == "2.0"


def test_a_recipe_that_cannot_be_solved_leaves_the_old_environment(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    manager.create("kept", recipe("toolbox <2")).exit()
    with pytest.raises(EnvironmentBuildError, match="conflicts with the versions reported above"):
        manager.create("kept", recipe("needs-old", "needs-new"), replace_existing=True)
    assert manager.create("kept", recipe("toolbox <2"))
    assert "Cannot solve" not in layout(manager, "kept").marker.read_text("utf-8")


def test_pip_leaves_what_conda_gave_and_brings_the_rest(
    manager: EnvironmentManager, recipe: Recipe, tmp_path: Path
) -> None:
    package = tmp_path / "own"
    (package / "src" / "own").mkdir(parents=True)
    (package / "src" / "own" / "__init__.py").write_text("import toolbox, six\n")
    (package / "pyproject.toml").write_text(
        '[project]\nname = "own"\nversion = "1"\ndependencies = ["toolbox", "numpy", "six"]\n'
        '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n'
    )
    local = [{"name": "own", "path": package, "editable": False}]
    # Nobody but the channel has a toolbox, and the newest NumPy of the index may be another one.
    wish = recipe("toolbox <2", "numpy", pip=["numpy"], local=local)
    env = manager.create("mixed", wish)
    lock = layout(manager, "mixed").lock.read_text("utf-8")
    assert 'name = "six"' in lock
    assert 'name = "numpy"' not in lock
    assert 'name = "toolbox"' not in lock
    env.launch()
    assert env.execute("toolbox", "old_api") == "1.0"
    assert env.import_module("own")
    meta = {path.name for path in (env.path / "conda-meta").glob("*.json")}
    assert any(name.startswith("numpy-") for name in meta)


def test_pip_that_contradicts_conda_is_an_error_before_anything_is_replaced(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    manager.create("contra", recipe("toolbox")).exit()
    lock = layout(manager, "contra").conda_lock.read_bytes()
    with pytest.raises(EnvironmentBuildError, match=r"toolbox==2\.0"):
        manager.create("contra", recipe("toolbox", pip=["toolbox<2"]), replace_existing=True)
    assert manager.environment_exists("contra")
    assert layout(manager, "contra").conda_lock.read_bytes() == lock


def test_a_package_may_be_had_without_what_it_needs(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    alone = {"name": "needs-old", "dependencies": False}
    env = manager.create("alone", recipe(alone, "toolbox >=2"))
    env.launch()
    assert env.execute("toolbox", "new_api") == "2.0"
    assert list(env.path.glob("lib/python*/site-packages/needs_old.py"))


def test_entries_for_other_platforms_are_left_out_or_refused(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    other = {"name": "nothing-like-it", "platforms": ["win-64"]}
    with pytest.raises(ConfigurationError, match="not available on the platform"):
        manager.create("platforms", recipe(other, "toolbox"))
    env = manager.create("platforms", recipe({**other, "optional": True}, "toolbox"))
    assert env.path.is_dir()


def test_install_commands_run_inside_with_the_activated_environment(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    commands = ["actvars-where > where.txt", "toolbox > toolbox.txt", "python -m pip --version"]
    env = manager.create("commands", recipe("actvars", "toolbox"), commands)
    folder = layout(manager, "commands").folder
    assert (folder / "where.txt").read_text("utf-8").strip() == f"{env.path}/share/actvars"
    assert (folder / "toolbox.txt").read_text("utf-8") == "toolbox 2.0\n"


def test_progress_tells_of_every_package(manager: EnvironmentManager, recipe: Recipe) -> None:
    events: list[ProvisioningEvent] = []
    manager.create("story", recipe("toolbox"), on_progress=events.append)
    text = "\n".join(event.message for event in events)
    assert "installed toolbox (" in text
    assert {event.package for event in events} >= {"toolbox", "python"}
    log = layout(manager, "story").log.read_text("utf-8")
    assert "installed python (" in log


def test_a_root_that_is_too_deep_is_said_before_anything_is_fetched(
    recipe: Recipe, conda_channel: Channel, tmp_path: Path
) -> None:
    root = tmp_path / ("x" * 110) / ("y" * 110)
    with ChannelServer(conda_channel) as server, EnvironmentManager(root, progress=False) as deep:
        with pytest.raises(ConfigurationError, match="root with a shorter path"):
            deep.create("deep", {"conda": ["actvars"], "channels": [server.url]})
        assert not server.requests


def test_a_channel_without_credentials_says_what_to_do(
    manager: EnvironmentManager, conda_channel: Channel
) -> None:
    with (
        ChannelServer(conda_channel, token="x") as server,
        pytest.raises(EnvironmentBuildError, match="pixi auth login"),
    ):
        manager.create("closed", {"conda": ["actvars"], "channels": [server.url]})


def test_secrets_in_a_channels_address_are_written_nowhere(
    manager: EnvironmentManager, conda_channel: Channel
) -> None:
    with ChannelServer(conda_channel, credentials=("me", "s3cret")) as server:
        address = server.url.replace("//", "//me:s3cret@")
        manager.create("secret", {"conda": ["toolbox"], "channels": [address]})
    for file in layout(manager, "secret").folder.glob("*.*"):
        if file.is_file():
            assert "s3cret" not in file.read_text("utf-8"), file


def test_two_creators_at_once_build_once(manager: EnvironmentManager, recipe: Recipe) -> None:
    stories: list[list[str]] = [[], []]

    def create(story: list[str]) -> None:
        manager.create(
            "at-once", recipe("toolbox"), on_progress=lambda event: story.append(event.message)
        )

    threads = [threading.Thread(target=create, args=(story,)) for story in stories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    linked = sum(any("installed python" in line for line in story) for story in stories)
    assert linked == 1


def test_a_host_that_is_killed_leaves_nothing_that_is_used(
    manager: EnvironmentManager, conda_channel: Channel, tmp_path: Path
) -> None:
    creator = Path(__file__).parents[1] / "environments" / "creator.py"
    with ChannelServer(conda_channel, hold_at=1_000_000) as server:
        wish = {"conda": ["actvars", "toolbox"], "channels": [server.url]}
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        root = tmp_path / "root"
        process = subprocess.Popen(
            [sys.executable, str(creator), "create", str(root), "killed", json.dumps(wish)],
            env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with process:
            server.wait_held()
            helpers = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
        # Its helper still holds the lock; it ends when it is done, and nothing is declared whole.
        server.release()
        psutil.wait_procs(helpers, timeout=20)
        with EnvironmentManager(root, progress=False) as other:
            assert not other.environment_exists("killed")
            env = other.create("killed", wish)
            env.launch()
            assert env.execute("toolbox", "new_api") == "2.0"


def test_a_changed_channel_changes_nothing_that_is_locked(
    manager: EnvironmentManager, conda_channel: Channel, tmp_path: Path
) -> None:
    channel = conda_channel.copy(tmp_path / "copy")
    wish = {"conda": ["actvars", "toolbox"], "channels": [channel.url]}
    env = manager.create("locked", wish)
    env.exit()
    channel.add(Package("actvars", "9.0", {}, subdir=SUBDIR))
    channel.index()
    layout(manager, "locked").marker.unlink()  # as if it had been damaged
    env = manager.create("locked", wish)
    assert list((env.path / "conda-meta").glob("actvars-1.0-*.json"))


def test_more_conda_packages_can_be_added_and_keep_what_is_there(
    manager: EnvironmentManager, recipe: Recipe
) -> None:
    env = manager.create("added", recipe("toolbox <2"))
    lines = env.install({"conda": ["actvars"]})  # the channels are those that it came from
    assert " + actvars-1.0-0" in lines
    env.launch()
    assert env.execute("toolbox", "old_api") == "1.0"
    assert env.execute("os", "getenv", ("ACTVARS_HOME",)) == f"{env.path}/share/actvars"
    with pytest.raises(EnvironmentBuildError, match=r"toolbox==1\.0"):
        env.install({"pip": ["toolbox>=2"]})
    env.install({"pip": ["six"]})
    assert env.execute("six", "ensure_str", ("text",)) == "text"
