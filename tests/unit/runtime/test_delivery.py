"""The thread that runs code of the user."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterator

import pytest

from wetlands.runtime.delivery import Delivery


@pytest.fixture
def delivery() -> Iterator[Delivery]:
    made = Delivery()
    made.start()
    yield made
    made.stop(10.0)


def _flush(delivery: Delivery) -> None:
    done = threading.Event()
    delivery.call(done.set)
    assert done.wait(10)


def test_calls_run_in_order_on_one_thread_of_their_own(delivery: Delivery) -> None:
    seen: list[tuple[int, str, bool]] = []
    for number in range(100):
        delivery.call(
            lambda number=number: seen.append(  # type: ignore[misc]
                (number, threading.current_thread().name, delivery.is_current())
            )
        )
    _flush(delivery)
    assert seen == [(number, "wetlands-delivery", True) for number in range(100)]
    assert not delivery.is_current()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_call_raises_is_logged_and_hurts_nobody(
    delivery: Delivery, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    delivery.call(fail)
    _flush(delivery)
    (record,) = [record for record in caplog.records if record.name == "wetlands.runtime.delivery"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_a_call_may_hand_over_another(delivery: Delivery) -> None:
    done = threading.Event()
    delivery.call(lambda: delivery.call(done.set))
    assert done.wait(10)


def test_a_call_that_was_made_is_not_kept_alive(delivery: Delivery) -> None:
    class Call:
        def __call__(self) -> None:
            pass

    call = Call()
    reference = weakref.ref(call)
    delivery.call(call)
    del call
    _flush(delivery)
    assert reference() is None


def test_stopping_delivers_what_was_handed_over_first(delivery: Delivery) -> None:
    seen: list[int] = []
    for number in range(1000):
        delivery.call(lambda number=number: seen.append(number))  # type: ignore[misc]
    delivery.stop(10.0)
    assert seen == list(range(1000))


def test_a_call_may_stop_the_thread_that_it_runs_on(delivery: Delivery) -> None:
    done = threading.Event()

    def stop() -> None:
        delivery.stop(10.0)
        done.set()

    delivery.call(stop)
    assert done.wait(5)
