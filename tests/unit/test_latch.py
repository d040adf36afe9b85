"""`Latch`: set once, waited for by many, broken by nobody."""

from __future__ import annotations

import threading
import time

from tests.support.waiting import wait_until
from wetlands.latch import Latch


def test_it_is_set_once_for_all() -> None:
    latch = Latch()
    assert not latch.is_set()
    assert not latch.wait(0)
    assert not latch.wait(-1)
    latch.set()
    latch.set()
    assert latch.is_set()
    assert latch.wait()
    assert latch.wait(0)


def test_all_who_wait_are_woken() -> None:
    latch = Latch()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(latch.wait(1e12))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(latch._waiters) == 8)
    setters = [threading.Thread(target=latch.set) for _ in range(4)]
    for thread in setters:
        thread.start()
    for thread in threads + setters:
        thread.join(5)
    assert woken == [True] * 8
    assert not latch._waiters


def test_a_wait_ends_in_time_and_leaves_nothing() -> None:
    latch = Latch()
    begin = time.monotonic()
    assert not latch.wait(0.02)
    assert 0.01 < time.monotonic() - begin < 1
    assert not latch._waiters


def test_setting_it_never_misses_who_begins_to_wait() -> None:
    for _ in range(300):
        latch = Latch()
        thread = threading.Thread(target=latch.wait)
        thread.start()
        latch.set()
        thread.join(5)
        assert not thread.is_alive()
