"""The loop without pools: how it ends, whatever its threads are at."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until
from wetlands.latch import Latch
from wetlands.runtime.loop import Loop
from wetlands.runtime.transport import Transport


@pytest.fixture
def loop(tmp_path: Path) -> Any:
    transport = Transport(tmp_path)
    loop = Loop(transport)
    loop.start()
    yield loop
    transport.close()


def test_a_thread_that_is_about_to_sleep_learns_of_the_end(tmp_path: Path) -> None:
    loop = Loop(Transport(tmp_path))
    woken, sleep, wake = threading.Event(), loop._sleep, loop._sleeper.wake

    def sleep_late() -> Any:
        woken.wait(5)  # between the look at what is to do and lying down
        return sleep()

    def wake_early() -> None:
        wake()
        woken.set()

    loop._sleep, loop._sleeper.wake = sleep_late, wake_early  # type: ignore[method-assign]
    loop.start()
    loop.stop(1.0)
    assert not loop._thread.is_alive()
    loop.transport.close()


def test_a_leader_that_comes_too_late_for_a_pass_is_let_go(loop: Loop) -> None:
    latch, stopped, leading = Latch(), threading.Event(), threading.Event()
    up = loop.shield.up

    def up_late() -> None:
        if loop._leading and threading.current_thread() is leader:
            leading.set()
            stopped.wait(5)
        up()

    loop.shield.up = up_late  # type: ignore[method-assign]
    leader = threading.Thread(target=loop.wait, args=(latch, None), daemon=True)
    leader.start()
    wait_until(lambda: loop._leader._asleep)
    latch.set()
    assert leading.wait(5)
    loop.stop(1.0)
    stopped.set()
    leader.join(2)
    assert not leader.is_alive()
    loop._leader.close()  # as the end has waited for the seat in vain
