"""Tasks of some milliseconds: each worker knows its next one, which nobody has to wait for."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest

from tests.integration.conftest import Launch
from tests.support.waiting import wait_until
from wetlands import Environment, Task, TaskStatus
from wetlands.errors import WorkerLostError

MODULE = '''
import os
import signal
import time

ran = []


def work(x):
    """Take a while, or as long as there is no file."""
    ran.append(x)
    if isinstance(x, str) and os.sep in x:
        while not os.path.exists(x):
            time.sleep(0.005)
        if x.endswith("print"):
            print("printed before the end")
        if x.endswith("die"):
            os.kill(os.getpid(), signal.SIGKILL)
    return x


def ran_here():
    return list(ran)
'''
LABEL = "relays_module.py:work"


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "relays_module.py"
    path.write_text(MODULE)
    return str(path)


def believe(env: Environment, seconds: float) -> None:
    """Have the function be known to take so long, whatever it does and however long ago."""
    assert env._pool is not None
    paces = env._pool._driver.core.paces
    for _ in range(100):
        paces.note(LABEL, seconds)
    assert paces.expect(LABEL) == pytest.approx(seconds, rel=0.1)


def relays(env: Environment) -> list[int]:
    """Return how many tasks each worker has besides the one that it is at."""
    assert env._pool is not None
    return [len(slot.ahead) for slot in env._pool._driver.core.slots]


def held_with_a_relay(
    env: Environment, module: str, path: Path, seconds: float
) -> tuple[Task, Task]:
    """Have a worker wait for a file, and another task wait behind that."""
    believe(env, seconds)
    held = env.submit(module, "work", (str(path),))
    wait_until(lambda: held.status is TaskStatus.RUNNING)
    others = [env.submit(module, "work", (f"{path}-{i}",)) for i in range(env._max_workers - 1)]
    relay = env.submit(module, "work", ("relay",))
    wait_until(lambda: sum(relays(env)) == 1)
    for i, other in enumerate(others):
        Path(f"{path}-{i}").touch()
        assert other.wait_for(20).status is TaskStatus.COMPLETED
    return held, relay


def test_a_worker_has_its_next_task_before_it_is_done(launch: Launch, module: str) -> None:
    env = launch()
    held, relay = held_with_a_relay(env, module, Path(module).parent / "gate", 0.09)
    assert relay.status is TaskStatus.PENDING
    Path(module).parent.joinpath("gate").touch()
    assert relay.wait_for(20).result == "relay"
    assert held.result


def test_a_worker_that_has_nothing_to_do_gets_what_waits_behind_another(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch(max_workers=2)
    held, relay = held_with_a_relay(env, module, tmp_path / "gate", 0.09)
    assert relay.wait_for(20).result == "relay"  # whoever had it, somebody else has become idle
    assert held.status is TaskStatus.RUNNING
    (tmp_path / "gate").touch()
    assert held.wait_for(20).status is TaskStatus.COMPLETED


def test_what_waits_for_too_long_goes_back_to_the_queue(
    launch: Launch, module: str, tmp_path: Path
) -> None:
    env = launch()
    held, relay = held_with_a_relay(env, module, tmp_path / "gate", 0.02)
    wait_until(lambda: relays(env) == [0])
    assert env._pool is not None
    assert env._pool._driver.core.paces.expect(LABEL) == math.inf  # it is not what it was
    assert relay.status is TaskStatus.PENDING
    (tmp_path / "gate").touch()
    assert [held.wait_for(20).status, relay.wait_for(20).status] == [TaskStatus.COMPLETED] * 2
    assert env.execute(module, "ran_here").count("relay") == 1


def test_a_relay_is_canceled_without_running(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    held, relay = held_with_a_relay(env, module, tmp_path / "gate", 0.09)
    relay.cancel()
    assert relay.status is TaskStatus.CANCELED
    (tmp_path / "gate").touch()
    assert held.wait_for(20).status is TaskStatus.COMPLETED
    assert "relay" not in env.execute(module, "ran_here")


def test_a_relay_outlives_its_worker(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    held, relay = held_with_a_relay(env, module, tmp_path / "die", 0.09)
    (tmp_path / "die").touch()
    assert relay.wait_for(20).result == "relay"
    assert isinstance(held.exception, WorkerLostError)


def test_a_task_with_a_time_limit_is_no_relay(launch: Launch, module: str, tmp_path: Path) -> None:
    env = launch()
    believe(env, 0.09)
    held = env.submit(module, "work", (str(tmp_path / "gate"),))
    limited = env.submit(module, "work", ("limited",), timeout=5.0)
    last = env.submit(module, "work", ("last",))
    wait_until(lambda: held.status is TaskStatus.RUNNING)
    assert relays(env) == [0]
    (tmp_path / "gate").touch()
    assert [task.wait_for(20).result for task in (limited, last)] == ["limited", "last"]


def test_what_the_one_before_prints_is_not_put_to_a_relay(
    launch: Launch, module: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="wetlands.worker")
    env = launch()
    held, relay = held_with_a_relay(env, module, tmp_path / "print", 0.09)
    (tmp_path / "print").touch()
    assert relay.wait_for(20).result == "relay"
    env.exit()
    (line,) = [r for r in caplog.records if r.getMessage() == "printed before the end"]
    assert line.task == held.id  # type: ignore[attr-defined]


def test_many_come_back_each_to_its_task(launch: Launch, module: str) -> None:
    env = launch(max_workers=2)
    believe(env, 0.002)
    tasks = [env.submit(module, "work", (i,)) for i in range(500)]
    assert [task.wait_for(30).result for task in tasks] == list(range(500))
