"""How many items share a task: sizes that follow from what workers measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetlands.pace import CHUNK_ITEMS, CHUNK_SECONDS, Pace


def paced(*reports: tuple[int, float]) -> Pace:
    pace = Pace()
    for items, seconds in reports:
        pace.note(items, seconds)
    return pace


def test_before_anybody_told_items_go_alone() -> None:
    assert not Pace().is_known()
    assert Pace().fitting(100) == 1


@pytest.mark.parametrize(
    ("seconds", "size"),
    [(1e-6, CHUNK_ITEMS), (CHUNK_SECONDS / 10.5, 10), (CHUNK_SECONDS, 1), (2.0, 1)],
)
def test_a_chunk_takes_as_long_as_it_is_meant_to(seconds: float, size: int) -> None:
    assert paced((1, seconds)).fitting(1000) == size


def test_no_more_than_the_window_lets_share_a_task() -> None:
    assert paced((1, 0.0)).fitting(7) == 7


def test_after_a_slow_first_call_quick_ones_make_chunks_soon() -> None:
    pace = paced((1, 0.02), *[(1, 5e-6)] * 30)
    assert pace.fitting(1000) > 50


def test_slow_items_among_quick_ones_make_chunks_small_at_once() -> None:
    pace = paced((250, 0.001), (1, 0.1))
    assert pace.fitting(1000) == 1


def test_a_worker_that_had_to_wait_once_does_not_spoil_the_pace() -> None:
    pace = paced((250, 0.001), (250, 0.01), (80, 0.00032))
    assert pace.fitting(1000) > 150


@pytest.mark.parametrize("report", [(0, 1.0), (-1, 1.0), (1, -1.0), (1, math.nan), (1, math.inf)])
def test_what_makes_no_sense_teaches_nothing(report: tuple[int, float]) -> None:
    assert not paced(report).is_known()


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 100))), st.integers(1, 1000))
def test_a_size_is_never_out_of_bounds(reports: list[tuple[int, float]], most: int) -> None:
    pace = paced(*reports)
    size = pace.fitting(most)
    assert 1 <= size <= min(most, CHUNK_ITEMS)
    shortest = min((seconds / items for items, seconds in reports), default=math.inf)
    assert size == 1 or size * shortest <= CHUNK_SECONDS * 1.001
