"""What passes between host and worker without a message, and how it can go wrong."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest
import zmq

from tests.integration.conftest import Launch
from tests.support.waiting import wait_until
from wetlands import RetryPolicy, TaskStatus
from wetlands.core.events import WorkerFaulted
from worker_entry import protocol
from worker_entry.notes import AWAKE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes are not inherited there")

MODULE = """
import gc
import os
import time

kept = []

def bells():
    found = {type(one).__name__: one for one in gc.get_objects()}
    return found["Bell"]._number, found["SignalBell"]._bell

def close(*which):
    for place in which:
        os.close(bells()[place])

def replace(which, path):
    kept.append(os.open(path, os.O_RDWR | os.O_CREAT))
    os.write(kept[0], b"mine")
    os.lseek(kept[0], 0, os.SEEK_SET)
    os.dup2(kept[0], bells()[which])

def place():
    return os.lseek(kept[0], 0, os.SEEK_CUR)

def much(x):
    return bytes(20_000)

def after(seconds):
    time.sleep(seconds)
    return bytes(20_000)

def spam(task):
    while True:
        task.update(current=1)

def wait(path):
    while not os.path.exists(path):
        time.sleep(0.005)
    return "mine"

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
    assert mine.read_bytes() == b"mine"
    assert env.execute(module, "place") == 0  # nobody has read from it either


def test_ends_that_are_too_large_to_be_noted_are_heard_at_once(launch: Launch, module: str) -> None:
    env = launch(frozen_timeout=None)  # so that nobody looks at a worker for another reason
    for number in range(300):
        assert len(env.submit(module, "much", (number,)).wait_for(10).result or b"") == 20_000


def test_how_long_it_took_is_known_of_those_that_are_too_large(launch: Launch, module: str) -> None:
    env = launch()
    assert env._pool is not None
    paces = env._pool._driver.core.paces
    for _ in range(4):
        env.execute(module, "after", (0.005,))
    # The first goes by itself, and most of the others as relays.
    tasks = [env.submit(module, "after", (seconds,)) for seconds in (0.005, *[0.01] * 30)]
    assert all(task.wait_for(20).status is TaskStatus.COMPLETED for task in tasks)
    assert paces.expect("bells_module.py:after") > 0.009


def test_who_guesses_a_mark_is_no_worker(
    launch: Launch, module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What workers ring with is no secret, and the socket takes any name that is not taken."""
    marks = iter((b"mrk1", b"mrk2", b"mrk3"))
    monkeypatch.setattr("wetlands.runtime.loop.new_mark", lambda: next(marks))
    env = launch()
    assert env._pool is not None
    task = env.submit(module, "wait", (str(tmp_path / "gate"),))
    wait_until(lambda: task.status is TaskStatus.RUNNING)
    forged = protocol.Result(task.number, 1, (pickle.dumps("forged"),))
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.setsockopt(zmq.LINGER, 1000)
        stranger.setsockopt(zmq.IDENTITY, b"mrk1")
        stranger.connect(env._pool._host.transport.endpoint)
        stranger.send_multipart(protocol.encode(forged))
    assert not wait_until(task.status.is_finished, 0.2, fail=False)
    (tmp_path / "gate").touch()
    assert task.wait_for(10).result == "mine"


def test_what_is_killed_does_not_begin_again_by_what_it_has_noted(
    launch: Launch, module: str
) -> None:
    env = launch()
    retries = RetryPolicy(1, on_lost=1, delay=0.3)
    task = env.submit(module, "spam", retries=retries, start=False)
    seen: list[tuple[str, float]] = []
    task.listen(lambda event: seen.append((event.type.name, time.monotonic())))
    task.start()
    wait_until(lambda: task.current == 1)
    assert env._pool is not None
    (worker,) = env._pool._driver._workers.values()
    driver = env._pool._driver
    driver._host.loop.post(driver, lambda: driver.handle(WorkerFaulted(worker.id, "for a test")))
    wait_until(lambda: len(task.attempts) == 1)
    again = time.monotonic()
    wait_until(lambda: sum(name == "STARTED" for name, _ in seen) == 2)
    assert seen[[i for i, (name, _) in enumerate(seen) if name == "STARTED"][1]][1] > again + 0.2
    task.cancel(0)
