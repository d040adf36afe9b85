"""Where a thread sleeps: nobody who has work for it finds it asleep for good."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

from tests.support.waiting import wait_until
from wetlands.runtime.sleeper import Sleeper


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def sleeper(pair: tuple[socket.socket, socket.socket]) -> Iterator[Sleeper]:
    made = Sleeper(pair[0].fileno())
    yield made
    made.close()


def pending(sleeper: Sleeper) -> int:
    """Return how many times it was rung for who sleeps there; forgets them."""
    try:
        return len(sleeper._read.recv(4096))
    except BlockingIOError:
        return 0


def test_who_is_awake_is_not_woken(sleeper: Sleeper) -> None:
    sleeper.wake()
    assert pending(sleeper) == 0


def test_who_sleeps_is_woken_once_until_he_has_looked_around(sleeper: Sleeper) -> None:
    soon = time.monotonic() + 10
    with sleeper:
        for _ in range(3):
            sleeper.wake()
        assert not sleeper.sleep(soon)
        sleeper.wake()  # he may have looked around before that
        sleeper.wake()
        assert pending(sleeper) == 1
    with sleeper:
        sleeper.wake()
        assert pending(sleeper) == 1


def test_news_of_the_socket_end_a_sleep_and_are_told_from_a_call(
    sleeper: Sleeper, pair: tuple[socket.socket, socket.socket]
) -> None:
    with sleeper:
        sleeper.wake()
        assert not sleeper.sleep(time.monotonic() + 10)
        pair[1].send(b"news")
        assert sleeper.sleep(time.monotonic() + 10)
        assert not sleeper.sleep(time.monotonic() + 10, aside=0.001)


def test_nothing_that_is_left_for_a_sleeper_stays_there(sleeper: Sleeper) -> None:
    work: deque[int] = deque()
    done: list[int] = []
    stopped = False

    def run() -> None:
        while not stopped:
            with sleeper:
                if not work and not stopped:
                    sleeper.sleep(time.monotonic() + 60)
            while work:
                done.append(work.popleft())

    def leave(first: int) -> None:
        for number in range(first, first + 5_000):
            work.append(number)
            sleeper.wake()

    threads = [threading.Thread(target=leave, args=(5_000 * i,)) for i in range(3)]
    sleeping = threading.Thread(target=run)
    for thread in (sleeping, *threads):
        thread.start()
    wait_until(lambda: len(done) == 15_000, 30)
    stopped = True
    sleeper.wake()
    for thread in (sleeping, *threads):
        thread.join(10)
        assert not thread.is_alive()
