"""Series of values, and taking turns."""

from __future__ import annotations

import pytest

from benchmarks.timing import Series, Subject, interleave


def test_median_and_quantile():
    series = Series("x", "us", [float(one) for one in range(100, 0, -1)])
    assert series.median == 50.5
    assert series.quantile(0.99) == 100
    assert series.quantile(0) == 1


def test_rounds_have_their_own_medians():
    series = Series("x", "us", [1, 2, 3, 10, 20, 30], block=3)
    assert series.rounds() == [2, 20]


@pytest.mark.parametrize(
    ("unit", "value"), [("s", 0.25), ("ms", 250), ("us", 250_000), ("tasks/s", 4)]
)
def test_seconds_become_the_time_of_one_or_a_rate(unit: str, value: float):
    series = Series("x", unit)
    series.add(0.5, count=2)
    assert series.values == [value]


def test_rates_and_shares_are_better_when_larger():
    assert Series("x", "tasks/s").more_is_better
    assert Series("x", "%").more_is_better
    assert not Series("x", "us").more_is_better


def test_subjects_take_turns_and_the_first_changes():
    calls: list[str] = []
    subjects = [Subject(Series(name, "s"), lambda name=name: calls.append(name)) for name in "abc"]
    found = interleave(subjects, rounds=2, block=2)
    assert "".join(calls) == "aabbccbbccaa"
    assert [(one.name, len(one.values), one.block) for one in found] == [
        ("a", 4, 2),
        ("b", 4, 2),
        ("c", 4, 2),
    ]
