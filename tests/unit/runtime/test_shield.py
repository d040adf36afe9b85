"""The shield: what it holds off, what it can't, and that it gives everything back."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from wetlands.runtime.shield import ROOM, Shield


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def shield() -> Shield:
    return Shield()


def test_an_interruption_waits_for_the_end_of_the_stretch(shield: Shield) -> None:
    assert shield.can_be_had()
    shield.up()
    os.kill(os.getpid(), signal.SIGINT)
    reached = [number for number in range(1000)]
    with pytest.raises(KeyboardInterrupt):
        shield.down()
    assert len(reached) == 1000
    # Nothing is left of it.
    shield.up()
    shield.down()


def test_the_handler_of_the_user_is_called_late_and_with_a_frame(shield: Shield) -> None:
    calls: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: calls.append((number, frame)))
    try:
        assert shield.can_be_had()
        shield.up()
        os.kill(os.getpid(), signal.SIGINT)
        assert calls == []
        shield.down()
        assert [number for number, _ in calls] == [signal.SIGINT]
        assert calls[0][1] is not None
        os.kill(os.getpid(), signal.SIGINT)
        assert len(calls) == 2
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_handler_that_exchanges_itself_is_not_put_back(shield: Shield) -> None:
    signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, signal.SIG_IGN))
    try:
        assert shield.can_be_had()
        os.kill(os.getpid(), signal.SIGINT)  # while the thread sleeps, before it goes on
        shield.up()
        shield.down()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.signal(signal.SIGINT, signal.default_int_handler)
        shield.up()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        shield.down()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("disposition", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_without_a_handler_is_left_alone(shield: Shield, disposition: Any) -> None:
    signal.signal(signal.SIGINT, disposition)
    try:
        assert shield.can_be_had()
        shield.up()
        assert signal.getsignal(signal.SIGINT) is disposition
        shield.down()
        assert signal.getsignal(signal.SIGINT) is disposition
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_handler_that_made_way_for_another_does_not_come_back(shield: Shield) -> None:
    try:
        for after in (signal.SIG_DFL, signal.SIG_IGN, lambda *_: None):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            assert shield.can_be_had()
            signal.signal(signal.SIGINT, after)  # as the first handler may, on the first Ctrl-C
            shield.up()
            shield.down()
            assert signal.getsignal(signal.SIGINT) is after
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_handlers_in_python_forbid_it(shield: Shield) -> None:
    for number in (signal.SIGALRM, signal.SIGUSR2, signal.SIGRTMAX):
        before = signal.signal(number, lambda *_: None)
        try:
            assert not shield.can_be_had()
        finally:
            signal.signal(number, before)
        assert shield.can_be_had()


def test_it_can_not_be_had_twice_at_a_time(shield: Shield) -> None:
    assert shield.can_be_had()
    shield.up()
    assert not shield.can_be_had()
    shield.down()
    assert shield.can_be_had()
    shield.down()  # once too often does nothing


def test_other_threads_need_none(shield: Shield) -> None:
    assert shield.can_be_had()
    shield.up()
    try:
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(shield.can_be_had).result()
            executor.submit(shield.up).result()
            executor.submit(shield.down).result()
        assert not shield.can_be_had()  # that of the main thread is still up
    finally:
        shield.down()


def test_there_must_be_room_on_the_stack(shield: Shield) -> None:
    def descend(depth: int) -> int:
        """Return how many frames were free when it could not be had any more."""
        if not shield.can_be_had():
            return sys.getrecursionlimit() - depth
        return descend(depth + 1)

    begin, frame = 0, sys._getframe()
    while frame.f_back is not None:
        begin, frame = begin + 1, frame.f_back
    assert ROOM - 10 < descend(begin) < ROOM + 10
    thread = threading.Thread(target=descend, args=(0,))
    thread.start()
    thread.join()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_child_forked_by_another_thread_gets_its_handler_back(shield: Shield) -> None:
    def fork() -> int:
        pid = os.fork()
        if pid == 0:
            shield.forget()
            os._exit(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert shield.can_be_had()
    shield.up()
    try:
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(fork).result() == 0
    finally:
        shield.down()
