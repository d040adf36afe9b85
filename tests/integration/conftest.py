"""Launched environments, and gates by which tests and workers wait for each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until
from wetlands import Environment, EnvironmentManager, WorkerStatus
from wetlands.core.policy import PoolConfig

#: The module that workers run.
WORK = Path(__file__).parent / "modules" / "work.py"

Launch = Callable[..., Environment]


class Gate:
    """Files by which a test knows that a worker is in the middle of a task, and lets it go on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = str(folder)

    def has_started(self, name: str = "gate") -> bool:
        return (self._folder / f"{name}.started").exists()

    def wait_started(self, *names: str) -> None:
        for name in names or ("gate",):
            wait_until(lambda name=name: self.has_started(name))

    def release(self, *names: str) -> None:
        for name in names or ("gate",):
            (self._folder / f"{name}.released").touch()


@pytest.fixture(scope="session")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentManager]:
    """One root for all."""
    with EnvironmentManager(tmp_path_factory.mktemp("root"), progress=False) as manager:
        yield manager


@pytest.fixture(scope="module")
def shared(manager: EnvironmentManager) -> Iterator[Environment]:
    """The host's own Python with two workers."""
    env = manager.load("host", sys.executable)
    env.launch(max_workers=2)
    yield env
    env.exit()


@pytest.fixture
def env(shared: Environment) -> Iterator[Environment]:
    """Two workers that a test must leave as it found them: the same ones, idle and willing."""
    before = worker_pids(shared)
    yield shared
    assert worker_pids(shared) == before, "a worker was lost"


@pytest.fixture
def launch(manager: EnvironmentManager) -> Iterator[Launch]:
    """Launches environments of the test's own."""
    opened: list[Environment] = []

    def launch(
        *args: Any, name: str = "own", python: str | Path = sys.executable, **options: Any
    ) -> Environment:
        env = manager.load(name, python)
        opened.append(env)
        env.launch(*args, **options)
        return env

    yield launch
    for env in opened:
        env.exit(grace=0)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacements of workers that keep dying start at once."""
    monkeypatch.setattr(PoolConfig, "backoff", lambda config, failures: 0.0)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    folder = tmp_path / "gate"
    folder.mkdir()
    return Gate(folder)


def worker_pids(env: Environment) -> set[int]:
    """Return the process ids of all workers, which must all be idle."""
    assert env.worker_count == env._max_workers
    alive = [w for w in env.workers(0.01) if w.status is not WorkerStatus.ENDING]
    return {worker.pid for worker in alive if worker.pid is not None}


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of what examples and README create, where a user's would be: built once for all."""
    return tmp_path_factory.mktemp("data") / "wetlands"
