"""Looking for what is about to come, and for how long."""

from __future__ import annotations

import time

from worker_entry.spinning import MOMENT, Spinning, moment


def test_an_answer_to_much_is_looked_for_longer_but_not_for_long() -> None:
    assert moment() == MOMENT
    assert moment(10**5) < moment(10**6)
    assert moment(10**8) == moment(10**12) < 10 * MOMENT


def test_who_looks_in_vain_looks_less_often() -> None:
    spinning = Spinning()
    assert spinning.is_worth_it()
    assert not spinning.look(bool, time.monotonic())
    assert [spinning.is_worth_it() for _ in range(2)] == [False, True]
    assert not spinning.look(bool, time.monotonic())
    assert [spinning.is_worth_it() for _ in range(4)] == [False, False, False, True]
    assert spinning.look(lambda: True, time.monotonic())
    assert spinning.is_worth_it()
