"""What running code can say, seen from the place where it is sent."""

from __future__ import annotations

import decimal
import fractions
import os
import threading
from typing import Any

import pytest

from worker_entry import protocol
from worker_entry.codec import Codec, CodecError
from worker_entry.handle import MAX_TEXT, RemoteTaskHandle
from worker_entry.protocol import Log, Output, Update


class Sent(list[Any]):
    def __call__(self, message: protocol.Message) -> None:
        protocol.decode(protocol.encode(message))
        self.append(message)


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def handle(sent: Sent) -> RemoteTaskHandle:
    return RemoteTaskHandle(5, 2, sent, Codec(4, False), os.getpid())


def test_what_is_said_carries_task_and_attempt(handle: RemoteTaskHandle, sent: Sent) -> None:
    handle.update("text", 1, 2.5)
    handle.update(maximum=3)
    handle.set_output("key", [1])
    handle.log("line")
    handle.log("line", level="error")
    handle.log("line", level=7)
    assert sent == [
        Update(5, 2, "text", 1, 2.5),
        Update(5, 2, None, None, 3),
        Output(5, 2, "key", tuple(Codec(4, False).dumps([1]))),
        Log(5, 2, 20, "line"),
        Log(5, 2, 40, "line"),
        Log(5, 2, 7, "line"),
    ]


class Index:
    def __index__(self) -> int:
        return 4


@pytest.mark.parametrize(
    ("value", "on_the_wire"),
    [
        (True, 1),
        (Index(), 4),
        (fractions.Fraction(1, 2), 0.5),
        (decimal.Decimal("2.5"), 2.5),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (-(2**100), -float(2**100)),
        (float("inf"), float("inf")),
    ],
)
def test_numbers_of_any_kind_become_plain_ones(
    handle: RemoteTaskHandle, sent: Sent, value: Any, on_the_wire: Any
) -> None:
    handle.update(current=value)
    assert sent[0].current == on_the_wire
    assert type(sent[0].current) is type(on_the_wire)


@pytest.mark.parametrize("value", ["5", b"5", [], object(), 1j, 10**400])
def test_what_is_no_number_is_refused(handle: RemoteTaskHandle, sent: Sent, value: Any) -> None:
    with pytest.raises(TypeError, match="maximum must be a number"):
        handle.update(maximum=value)
    assert sent == []


def test_texts_are_made_fit_for_the_wire(handle: RemoteTaskHandle, sent: Sent) -> None:
    handle.update("x" * (MAX_TEXT + 1))
    handle.log("\udcff")
    handle.update(5)  # type: ignore[arg-type]
    assert len(sent[0].message) < MAX_TEXT + 100
    assert sent[1].text == "\\udcff"
    assert sent[2].message == "5"


def test_mistakes_raise_in_the_code_that_makes_them(handle: RemoteTaskHandle, sent: Sent) -> None:
    with pytest.raises(CodecError, match="lock"):
        handle.set_output("key", threading.Lock())
    with pytest.raises(ValueError, match="unknown log level 'loud'"):
        handle.log("line", level="loud")
    with pytest.raises(protocol.LocalProtocolError):
        handle.log("line", level=2**64)
    with pytest.raises(protocol.LocalProtocolError):
        handle.set_output("k" * (protocol.MAX_HEADER + 1), 1)
    assert sent == []


def test_nothing_is_said_after_the_end(handle: RemoteTaskHandle, sent: Sent) -> None:
    handle._close()
    handle.update("late")
    handle.set_output("late", 1)
    handle.log("late")
    handle.cancel()
    assert sent == []
    assert not handle._acknowledged


def test_a_request_to_stop_wakes_who_waits_for_it(handle: RemoteTaskHandle) -> None:
    assert not handle.cancel_requested
    assert not handle.wait_for_cancel(0)
    waiting = threading.Thread(target=handle.wait_for_cancel)
    waiting.start()
    handle._request_cancel()
    waiting.join(10)
    assert not waiting.is_alive()
    assert handle.cancel_requested
    assert handle.wait_for_cancel()


def test_a_handler_may_report_in_the_middle_of_a_report() -> None:
    sent: list[Any] = []

    def send(message: protocol.Message) -> None:
        if not sent:
            sent.append("begun")
            handle.log("from a signal handler")
        sent.append(message)

    handle = RemoteTaskHandle(1, 0, send, Codec(4, False), os.getpid())
    handle.update("outer")
    assert [type(message).__name__ for message in sent] == ["str", "Log", "Update"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_silent_even_where_the_lock_was_held(
    handle: RemoteTaskHandle, sent: Sent
) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with handle._lock:
            held.set()
            release.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    child = os.fork()
    if child == 0:
        handle.update("from the child")
        os._exit(len(sent))
    release.set()
    holder.join()
    _, status = os.waitpid(child, 0)
    assert status == 0
