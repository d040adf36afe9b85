"""Bars and what comes of them."""

from __future__ import annotations

import pytest

from benchmarks.bars import Bar
from benchmarks.parts import PARTS, bars
from benchmarks.timing import Series


def measured(**values: list[float]) -> dict[str, Series]:
    return {name: Series(name, "us", list(one)) for name, one in values.items()}


def test_a_ratio_is_one_of_medians_with_the_range_of_its_rounds():
    verdict = Bar("ours / theirs", "ours", 0.5, over="theirs").judge(
        measured(ours=[1, 2, 9], theirs=[4, 5, 6])
    )
    assert verdict is not None
    assert verdict.value == pytest.approx(0.4)
    assert verdict.passed
    assert verdict.unit == ""
    assert verdict.spread == (0.25, 1.5)


@pytest.mark.parametrize(("at_least", "passed"), [(False, False), (True, True)])
def test_limits_from_above_and_from_below(at_least: bool, passed: bool):
    bar = Bar("rate", "ours", 2, over="theirs", at_least=at_least)
    verdict = bar.judge(measured(ours=[9], theirs=[3]))
    assert verdict is not None
    assert verdict.passed is passed


def test_a_limit_that_is_just_reached_is_kept():
    for at_least in (False, True):
        verdict = Bar("x", "ours", 3, at_least=at_least).judge(measured(ours=[3]))
        assert verdict is not None
        assert verdict.passed


def test_a_quantile_over_the_median_of_the_same():
    values = [1.0] * 90 + [8.0] * 10
    verdict = Bar("p99", "ours", 3, over="ours", quantile=0.99).judge(measured(ours=values))
    assert verdict is not None
    assert (verdict.value, verdict.passed, verdict.spread) == (8, False, None)


def test_a_value_by_itself_keeps_its_unit():
    verdict = Bar("x", "ours", 8).judge(measured(ours=[7, 9]))
    assert verdict is not None
    assert (verdict.value, verdict.unit, verdict.spread) == (8, "us", (7, 9))


def test_what_was_not_measured_has_no_verdict():
    bar = Bar("x", "ours", 8, over="theirs")
    assert bar.judge(measured(ours=[1])) is None
    assert bar.judge(measured(theirs=[1])) is None
    assert bar.judge(measured(ours=[], theirs=[1])) is None


def test_rounds_that_do_not_belong_together_have_no_range():
    verdict = Bar("x", "ours", 8, over="theirs").judge(measured(ours=[1, 2], theirs=[1, 2, 3]))
    assert verdict is not None
    assert verdict.spread is None


def test_no_two_bars_or_parts_go_by_the_same_words():
    texts = [bar.text for bar in bars()]
    assert len(set(texts)) == len(texts)
    assert all(name == part.name for name, part in PARTS.items())
