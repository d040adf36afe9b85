"""Tasks that close the descriptors by which a worker and its host wake each other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.conftest import Launch
from tests.support.waiting import wait_until
from worker_entry.notes import AWAKE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes are not inherited there")

MODULE = """
import gc
import os

def bells():
    found = {type(one).__name__: one for one in gc.get_objects()}
    return found["Bell"]._number, found["SignalBell"]._bell

def close(*which):
    for place in which:
        os.close(bells()[place])

def replace(which, path):
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.dup2(file, bells()[which])
    os.close(file)

def report(x, task):
    task.update(str(x), current=x)
    return x

def pid():
    return os.getpid()
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "bells_module.py"
    path.write_text(MODULE)
    return str(path)


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)], ids=["host", "worker", "both"])
def test_calls_go_on_when_a_task_has_closed_a_bell(
    launch: Launch, module: str, which: tuple[int, ...]
) -> None:
    env = launch()
    pid = env.execute(module, "pid")
    env.execute(module, "close", which)
    assert env._pool is not None
    (worker,) = env._pool._driver._workers.values()
    for number in range(3):
        wait_until(lambda: worker.notes and worker.notes.sleeps() != AWAKE)
        task = env.submit(module, "report", (number,)).wait_for(10)
        assert (task.result, task.message) == (number, str(number))
    tasks = [env.submit(module, "report", (number,)) for number in range(200)]
    assert [task.wait_for(10).result for task in tasks] == list(range(200))
    assert list(env.map(module, "report", range(200))) == list(range(200))
    assert env.execute(module, "pid") == pid


@pytest.mark.parametrize("which", [0, 1], ids=["host", "worker"])
def test_what_a_task_has_in_the_place_of_a_bell_is_left_alone(
    launch: Launch, module: str, tmp_path: Path, which: int
) -> None:
    env = launch()
    mine = tmp_path / "mine"
    env.execute(module, "replace", (which, str(mine)))
    assert [env.execute(module, "report", (number,)) for number in range(50)] == list(range(50))
    assert mine.read_bytes() == b""
