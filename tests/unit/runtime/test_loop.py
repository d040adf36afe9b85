"""The loop without a pool: who is woken, and when it may not sleep."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from wetlands.latch import Latch
from wetlands.runtime.loop import CROWD, PATIENCE, Loop, Post
from wetlands.runtime.transport import Transport


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Loop]:
    """A loop whose thread does not run."""
    transport = Transport(tmp_path)
    made = Loop(transport)
    yield made
    made._sleeper.close()
    made._leader.close()
    transport.close()


@pytest.fixture
def loop(idle: Loop) -> Iterator[Loop]:
    idle._pass()  # a new socket has news of itself, for which the thread would take the role
    idle.start()
    wait_until(lambda: idle._sleeper._asleep)
    yield idle
    idle.stop(5)


class Client:
    """A pool that has nothing to do but to hear who rings."""

    def __init__(self) -> None:
        self.answered: list[bytes | None] = []

    def answer(self, mark: bytes) -> None:
        self.answered.append(mark)

    def answer_all(self) -> None:
        self.answered.append(None)

    def next_deadline(self) -> None:
        return None

    def settle(self) -> None:
        pass

    def unended(self) -> int:
        return 0

    def expects(self) -> bool:
        return False


def test_who_rings_is_answered_and_among_nonsense_everybody_is(loop: Loop) -> None:
    client = Client()
    loop.post(None, lambda: loop.add(client))  # type: ignore[arg-type]
    mark = loop.make_mark(client)  # type: ignore[arg-type]
    os.write(loop.transport.bell.end, mark)
    wait_until(lambda: client.answered == [mark])
    # As many bytes as two marks have, and none of them whole.
    os.write(loop.transport.bell.end, b"x" + mark + b"yyy")
    wait_until(lambda: client.answered == [mark, None])
    loop.forget_mark(mark)
    os.write(loop.transport.bell.end, mark)
    wait_until(lambda: client.answered == [mark, None, None])
    loop.post(None, lambda: loop.remove(client))  # type: ignore[arg-type]


def sleeps(loop: Loop) -> bool:
    """Say whether the loop's thread would sleep now; if so, wake it."""
    thread = threading.Thread(target=loop._sleep)
    thread.start()
    thread.join(0.1)
    asleep = thread.is_alive()
    while thread.is_alive():
        loop._sleeper.wake()
        thread.join(0.01)
    return asleep


@pytest.mark.parametrize(
    "change",
    [
        lambda loop: loop.queue(Post(None, lambda: None)),
        lambda loop: setattr(loop, "_unfinished", True),
        lambda loop: setattr(loop, "_stopping", True),
        lambda loop: setattr(loop, "_due", time.monotonic()),
    ],
    ids=["queued", "unfinished", "stopping", "due"],
)
def test_it_does_not_sleep_on_what_came_just_before(
    idle: Loop, change: Callable[[Loop], None]
) -> None:
    idle._pass()  # a new socket has news of itself
    assert sleeps(idle)
    change(idle)
    assert not sleeps(idle)


def test_what_is_posted_runs_in_the_caller_and_what_is_handed_over_does_not(loop: Loop) -> None:
    seen: list[str] = []
    loop.post(None, lambda: seen.append(threading.current_thread().name))
    assert seen == [threading.current_thread().name]
    loop.hand_over(None, lambda: seen.append(threading.current_thread().name))
    wait_until(lambda: len(seen) == 2)
    assert seen[1] == "wetlands-loop"


def test_what_is_queued_waits_for_the_next_pass_and_keeps_its_order(loop: Loop) -> None:
    seen: list[int] = []
    loop.queue(Post(None, lambda: seen.append(1)))
    loop.queue(Post(None, lambda: seen.append(2)))
    assert seen == []
    loop.post(None, lambda: seen.append(3))
    wait_until(lambda: len(seen) == 3)
    assert seen == [1, 2, 3]


def test_a_pass_takes_a_share_and_the_loop_thread_the_rest(loop: Loop) -> None:
    seen: list[int] = []
    for number in range(10_000):
        loop.queue(Post(None, lambda number=number: seen.append(number)))  # type: ignore[misc]
    loop.run_queued()
    wait_until(lambda: len(seen) == 10_000)
    assert seen == list(range(10_000))


def test_who_queues_waits_a_moment_for_a_pass_that_is_under_way(loop: Loop) -> None:
    seen: list[str] = []
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        go_on.wait(10)

    loop.hand_over(None, hold)
    assert held.wait(10)
    for _ in range(CROWD):
        loop.queue(Post(None, lambda: seen.append(threading.current_thread().name)))
    begin = time.monotonic()
    loop.relieve(soon=False)
    assert time.monotonic() - begin >= PATIENCE
    assert seen == []
    go_on.set()
    wait_until(lambda: len(seen) == CROWD)


def test_what_is_posted_in_a_pass_is_run_in_the_next(loop: Loop) -> None:
    seen: list[int] = []

    def first() -> None:
        loop.post(None, lambda: seen.append(2))
        seen.append(1)

    loop.post(None, first)
    wait_until(lambda: seen == [1, 2])


def test_posts_of_many_threads_are_all_run(loop: Loop) -> None:
    seen: list[int] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def post() -> None:
        for _ in range(500):
            loop.post(None, lambda: seen.append(1))

    try:
        threads = [threading.Thread(target=post) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    wait_until(lambda: len(seen) == 4000)


def test_a_wait_ends_with_the_latch_or_with_its_time(loop: Loop) -> None:
    latch = Latch()
    assert not loop.wait(latch, 0.01)
    threading.Thread(target=lambda: (wait_until(loop._seat.locked), latch.set())).start()
    assert loop.wait(latch, 5)
    assert loop.wait(latch, 0)


def test_it_stops_at_once_however_busy_it_was(tmp_path: Path) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    worst = 0.0
    try:
        for number in range(200):
            folder = tmp_path / str(number)
            folder.mkdir()
            transport = Transport(folder)
            loop = Loop(transport)
            loop.start()
            for _ in range(number % 4):
                loop.post(None, lambda: None)
            begin = time.monotonic()
            loop.stop(5)
            worst = max(worst, time.monotonic() - begin)
            transport.close()
    finally:
        sys.setswitchinterval(interval)
    assert worst < 2
    assert loop._due == math.inf
