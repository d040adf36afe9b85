"""When it is worth it to look, for how long, and when nobody does for a while."""

from __future__ import annotations

import math
import time

from worker_entry.spinning import MOMENT, MOST, Spinning, moment


def looks(spinning: Spinning, found: bool, times: int) -> int:
    """Return at how many of so many occasions there was a look."""
    count = 0
    for _ in range(times):
        if spinning.is_worth_it():
            assert spinning.look(lambda: found, 0.0) is found
            count += 1
    return count


def test_an_answer_to_much_is_looked_for_longer_but_not_for_long() -> None:
    assert moment() == MOMENT
    assert moment(10**5) < moment(10**6)
    assert moment(10**8) == moment(10**12) < 10 * MOMENT


def test_who_always_finds_always_looks() -> None:
    assert looks(Spinning(), True, 1000) == 1000


def test_who_looks_in_vain_looks_ever_more_rarely() -> None:
    spinning = Spinning()
    assert [looks(spinning, False, 2**n) for n in range(MOST)] == [1] * MOST
    assert looks(spinning, False, 100 * 2**MOST) == 100


def test_one_find_is_enough_to_look_again() -> None:
    spinning = Spinning()
    looks(spinning, False, 1000)
    while not spinning.is_worth_it():
        pass
    assert spinning.look(lambda: True, 0.0)
    assert looks(spinning, True, 10) == 10


def test_who_looks_gives_up_in_time_or_when_there_is_something_else() -> None:
    spinning, asked = Spinning(), iter([False, False, True])
    assert spinning.look(lambda: next(asked), math.inf)
    assert not spinning.look(lambda: False, time.monotonic() + 0.001)
    assert not spinning.look(lambda: False, math.inf, is_wanted=lambda: True)
