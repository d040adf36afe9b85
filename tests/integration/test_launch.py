"""Launching workers, and what can go wrong with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment, EnvironmentManager
from wetlands.errors import (
    ConfigurationError,
    NotLaunchedError,
    PoolClosedError,
    WorkerStartError,
)


def test_workers_are_ready_when_launch_returns(launch: Launch) -> None:
    env = launch(max_workers=3)
    assert env.worker_count == 3
    assert env.launched()
    assert env.execute(WORK, "echo", (1,)) == 1


def test_launching_again_does_nothing(launch: Launch) -> None:
    env = launch(max_workers=1)
    before = env.execute(WORK, "pid")
    env.launch(max_workers=5)
    assert env.worker_count == 1
    assert env.execute(WORK, "pid") == before


def test_launching_from_several_threads_starts_one_pool(manager: EnvironmentManager) -> None:
    with manager.load("several", sys.executable) as env:
        threads = [threading.Thread(target=env.launch) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert env.worker_count == 1
        assert env.execute(WORK, "echo", (1,)) == 1


def test_launch_after_exit_starts_new_workers(launch: Launch) -> None:
    env = launch()
    before = env.execute(WORK, "pid")
    env.exit()
    env.launch(max_workers=2)
    assert env.worker_count == 2
    assert env.execute(WORK, "pid") != before


def test_submit_before_launch_raises(manager: EnvironmentManager, tmp_path: Path) -> None:
    with manager.load("unlaunched", sys.executable) as env:
        for call in (
            lambda: env.submit(WORK, "echo", (1,)),
            lambda: env.submit_script(WORK),
            lambda: env.map(WORK, "echo", [1]),
            lambda: env.map_tasks(WORK, "echo", [1]),
            lambda: env.execute(WORK, "echo", (1,)),
            lambda: env.import_module(WORK),
        ):
            with pytest.raises(NotLaunchedError, match="launch"):
                call()
        assert env.worker_count == 0
        assert not env.launched()


@pytest.mark.parametrize(
    "option",
    [
        {"max_workers": 0},
        {"max_workers": -1},
        {"max_workers": 1.5},
        {"max_workers": "2"},
        {"max_workers": True},
        {"max_workers": None},
        {"worker_timeout": 0},
        {"worker_timeout": -1},
        {"worker_timeout": "1"},
        {"worker_timeout": float("nan")},
        {"startup_timeout": 0},
        {"startup_timeout": "1"},
        {"worker_env": {"A": "1"}},
        {"worker_env": lambda i: None},
        {"worker_env": lambda i: [("A", "1")]},
        {"worker_env": lambda i: {"A": 1}},
        {"worker_env": lambda i: {1: "A"}},
        {"additional_activate_commands": "echo"},
        {"additional_activate_commands": [1]},
        {"additional_activate_commands": {"plan9": ["echo"]}},
    ],
    ids=lambda option: "-".join(map(str, option)),
)
def test_an_option_that_cannot_be_right_is_refused(launch: Launch, option: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        launch(**option)
    name = next(iter(option)).replace("additional_activate_", "")
    assert name in str(caught.value)
    env = launch()  # and nothing stays behind
    assert env.execute(WORK, "echo", (1,)) == 1


def test_a_worker_env_that_raises_raises_that(launch: Launch) -> None:
    with pytest.raises(KeyError, match="mine"):
        launch(worker_env=lambda i: {}["mine"])  # type: ignore[index]
    assert launch().execute(WORK, "echo", (1,)) == 1


@pytest.mark.parametrize("text", ["raise SystemExit('my last words')", "import os; os.abort()"])
def test_a_worker_that_cannot_start_shows_its_stderr(
    launch: Launch, tmp_path: Path, text: str
) -> None:
    # A module that hides one of the standard library, which a worker needs to start.
    (tmp_path / "struct.py").write_text(f"import sys\nprint('oh dear', file=sys.stderr)\n{text}\n")
    with pytest.raises(WorkerStartError, match="oh dear") as caught:
        launch(max_workers=2, worker_env=lambda i: {"PYTHONPATH": str(tmp_path)} if i else {})
    assert "Worker 1 of environment 'own'" in str(caught.value)
    assert "before it was ready" in str(caught.value)
    assert "oh dear" in caught.value.log_tail
    assert sys.executable in str(caught.value)


def test_a_launch_that_fails_leaves_nothing_and_may_be_repeated(
    manager: EnvironmentManager, tmp_path: Path
) -> None:
    (tmp_path / "struct.py").write_text("1 / 0")
    with manager.load("partial", sys.executable) as env:
        with pytest.raises(WorkerStartError):
            env.launch(
                max_workers=3,
                worker_env=lambda i: {"PYTHONPATH": str(tmp_path)} if i == 2 else {},
            )
        assert env.worker_count == 0
        assert not env.launched()
        with pytest.raises(NotLaunchedError):
            env.submit(WORK, "echo", (1,))
        env.launch(max_workers=3)
        assert env.worker_count == 3


def test_a_worker_that_does_not_get_ready_in_time_is_killed(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "struct.py").write_text("import time\ntime.sleep(60)")
    with pytest.raises(WorkerStartError, match=r"hello within 0\.3 s"):
        launch(worker_env=lambda i: {"PYTHONPATH": str(tmp_path)}, startup_timeout=0.3)


@pytest.mark.parametrize("variables", [{"A": "secret\0"}, {"A=B": "secret"}])
def test_a_process_that_cannot_be_started_is_a_start_error(launch: Launch, variables: Any) -> None:
    with pytest.raises(WorkerStartError, match="could not be started") as caught:
        launch(max_workers=2, worker_env=lambda i: variables)
    assert "secret" not in str(caught.value)


def test_ctrl_c_during_launch_leaves_nothing(
    manager: EnvironmentManager, tmp_path: Path, gate: Gate
) -> None:
    mark = Path(gate.path, "gate.started")
    (tmp_path / "struct.py").write_text(
        f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(60)"
    )

    def interrupt() -> None:
        gate.wait_started()
        os.kill(os.getpid(), signal.SIGINT)

    with manager.load("interrupted", sys.executable) as env:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            env.launch(worker_env=lambda i: {"PYTHONPATH": str(tmp_path)})
        thread.join()
        assert not env.launched()
        env.launch()
        assert env.execute(WORK, "echo", (1,)) == 1


def test_exit_during_launch_ends_the_launch(
    manager: EnvironmentManager, tmp_path: Path, gate: Gate
) -> None:
    mark = Path(gate.path, "gate.started")
    (tmp_path / "struct.py").write_text(
        f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(60)"
    )
    env = manager.load("exited", sys.executable)
    errors: list[BaseException] = []

    def launch() -> None:
        try:
            env.launch(max_workers=2, worker_env=lambda i: {"PYTHONPATH": str(tmp_path)})
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=launch)
    thread.start()
    gate.wait_started()
    env.exit()
    thread.join(5)
    assert not thread.is_alive()
    assert [type(error) for error in errors] == [PoolClosedError]
    assert not env.launched()


def test_two_environments_live_side_by_side(launch: Launch, env: Environment) -> None:
    other = launch(name="other")
    assert other.execute(WORK, "pid") != env.execute(WORK, "pid")
    other.exit()
    assert env.execute(WORK, "echo", (1,)) == 1


def test_workers_outlive_the_thread_that_launched_them(manager: EnvironmentManager) -> None:
    with manager.load("threaded", sys.executable) as env:
        thread = threading.Thread(target=env.launch)
        thread.start()
        thread.join()
        assert env.execute(WORK, "pid") == env.execute(WORK, "pid")


def test_an_environment_as_a_context_manager_exits(manager: EnvironmentManager) -> None:
    with manager.load("entered", sys.executable) as env:
        env.launch()
        pid = env.execute(WORK, "pid")
    assert not env.launched()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}/stat") or os.name == "nt")


def test_a_manager_exits_all_its_environments(tmp_path: Path) -> None:
    with EnvironmentManager(tmp_path / "root", progress=False) as manager:
        envs = [manager.load(name, sys.executable) for name in ("a", "b")]
        for env in envs:
            env.launch()
        assert set(manager.environments) == {"a", "b"}
    assert [env.launched() for env in envs] == [False, False]
    assert not manager.environments
