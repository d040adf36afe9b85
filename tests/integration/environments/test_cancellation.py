"""Creations that are ended early, venvs and Conda environments alike, leave nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.conda.channel import Channel
from tests.support.conda.server import ChannelServer
from tests.support.waiting import wait_until
from wetlands import Cancellation, EnvironmentManager
from wetlands.environments.claims import building
from wetlands.environments.layout import Layout
from wetlands.environments.progress import ProvisioningEvent, Reporter
from wetlands.errors import CreationCanceledError

pytestmark = pytest.mark.index

# Its build takes for ever, so that there is something to cancel.
SLOW = "import pathlib, time\npathlib.Path({!r}).touch()\ntime.sleep(600)\n"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(tmp_path / "root", progress=False) as manager:
        yield manager


@pytest.fixture
def slow(tmp_path: Path) -> tuple[dict[str, Any], Path]:
    """A recipe whose installation hangs, and the file that shows that it does."""
    folder, started = tmp_path / "slow", tmp_path / "started"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "slow"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "backend.py").write_text(SLOW.format(str(started)))
    return {"local": [{"name": "slow", "path": folder, "editable": False}]}, started


class Creation:
    """A creation on another thread."""

    def __init__(self, manager: EnvironmentManager, recipe: dict[str, Any]) -> None:
        self.cancellation = Cancellation()
        self.events: list[ProvisioningEvent] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(manager, recipe))
        self._thread.start()

    def _run(self, manager: EnvironmentManager, recipe: dict[str, Any]) -> None:
        try:
            manager.create(
                "env", recipe, cancellation=self.cancellation, on_progress=self.events.append
            )
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        self.cancellation.cancel()
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert isinstance(self.error, CreationCanceledError)


def left_in(manager: EnvironmentManager) -> list[str]:
    names = (path.name for path in (manager.root / "envs" / "env").iterdir())
    return sorted(set(names) - {"build.lock", "use.lock", "log.txt", "pylock.toml",
                                "conda-packages.json"})  # fmt: skip


def test_a_venv_can_be_canceled_while_a_tool_works(
    manager: EnvironmentManager, slow: tuple[dict[str, Any], Path]
) -> None:
    recipe, started = slow
    creation = Creation(manager, recipe)
    wait_until(started.exists, 60)
    creation.end()
    assert not psutil.Process().children(recursive=True)
    assert left_in(manager) == []
    manager.create("env", {})


def test_a_conda_environment_can_be_canceled_in_a_download(
    manager: EnvironmentManager, conda_channel: Channel
) -> None:
    with ChannelServer(conda_channel, hold_at=1_000_000) as server:
        recipe = {"conda": ["actvars"], "channels": [server.url]}
        creation = Creation(manager, recipe)
        server.wait_held()
        creation.end()
        assert not psutil.Process().children(recursive=True)
        assert left_in(manager) == []
        server.release()
        assert manager.create("env", recipe).path.is_dir()


def test_waiting_for_another_builder_can_be_canceled(manager: EnvironmentManager) -> None:
    with building(Layout(manager.root / "envs" / "env"), Reporter("env")):
        creation = Creation(manager, {})
        wait_until(lambda: any("waiting" in event.message for event in creation.events))
        creation.end()
    manager.create("env", {})


def test_a_cancellation_that_came_first_lets_nothing_begin(manager: EnvironmentManager) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    assert cancellation.canceled
    with pytest.raises(CreationCanceledError):
        manager.create("env", {}, cancellation=cancellation)
    assert not manager.environment_exists("env")


def test_an_environment_that_is_ready_stays_when_its_replacement_is_canceled(
    manager: EnvironmentManager, slow: tuple[dict[str, Any], Path]
) -> None:
    recipe, started = slow
    manager.create("env", {}).exit()
    cancellation = Cancellation()

    def stop(event: ProvisioningEvent) -> None:
        if event.stage == "locking":
            cancellation.cancel()

    with pytest.raises(CreationCanceledError):
        manager.create(
            "env", recipe, replace_existing=True, cancellation=cancellation, on_progress=stop
        )
    assert not started.exists()
    assert manager.create("env", {})


def test_there_is_an_awaitable_twin(manager: EnvironmentManager) -> None:
    async def main() -> list[str]:
        made = await asyncio.gather(
            *(manager.create_async(f"env-{n}", {"python": ">=3"}) for n in range(3))
        )
        return sorted(env.name for env in made)

    assert asyncio.run(main()) == ["env-0", "env-1", "env-2"]


def test_errors_reach_who_awaits(manager: EnvironmentManager) -> None:
    with pytest.raises(ValueError, match="unknown key"):
        asyncio.run(manager.create_async("env", {"pypi": []}))


def test_canceling_the_awaiting_task_cancels_the_creation(
    manager: EnvironmentManager, slow: tuple[dict[str, Any], Path]
) -> None:
    recipe, started = slow

    async def main() -> None:
        task = asyncio.ensure_future(manager.create_async("env", recipe))
        while not started.exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not psutil.Process().children(recursive=True)

    asyncio.run(asyncio.wait_for(main(), 60))
    assert left_in(manager) == []
