"""How busy workers were, and whether one idled while tasks waited."""

from __future__ import annotations

import pytest

from benchmarks.timeline import busy_share, longest_pause


def test_workers_without_a_pause_are_busy_all_the_time():
    spans = [(1, 0.0, 1.0), (2, 0.0, 1.0), (1, 1.0, 2.0), (2, 1.0, 2.0)]
    assert busy_share(spans, 2) == 100
    assert longest_pause(spans, 2) == 0


def test_what_happens_after_the_last_beginning_does_not_count():
    spans = [(1, 0.0, 4.0), (2, 0.0, 1.0), (2, 1.0, 2.0), (2, 2.0, 9.0)]
    assert busy_share(spans, 2) == 100


def test_a_pause_costs_its_share():
    # The second worker does nothing from 1 to 2, and the last task begins at 4.
    spans = [(1, 0.0, 4.0), (2, 0.0, 1.0), (2, 2.0, 4.0), (1, 4.0, 5.0)]
    assert busy_share(spans, 2) == pytest.approx(100 * 7 / 8)
    assert longest_pause(spans, 2) == 1


def test_a_task_behind_a_long_one_shows_as_a_pause_of_the_other_worker():
    spans = [(1, 0.0, 10.0), (2, 0.0, 1.0), (1, 10.0, 10.5)]
    assert longest_pause(spans, 2) == 9


def test_a_worker_that_never_worked_idled_all_the_time():
    spans = [(1, 0.0, 1.0), (1, 1.0, 2.0), (1, 2.0, 3.0)]
    assert busy_share(spans, 2) == 50
    assert longest_pause(spans, 2) == 2


def test_one_task_leaves_nothing_to_share_out():
    assert busy_share([(1, 3.0, 4.0)], 1) == 100
    assert longest_pause([(1, 3.0, 4.0)], 1) == 0
