"""Short tasks that are sent ahead of their turn, one promise after the other."""

from __future__ import annotations

import math

import pytest
from test_pool import A1, A2, B1, TICK, Pool

from wetlands.core.commands import (
    CheckWorker,
    DispatchTask,
    InterruptTask,
    KillWorker,
    ReclaimTasks,
    ResolveTask,
    SpawnWorker,
    StartTask,
    StopWorker,
)
from wetlands.core.events import (
    CancelRequested,
    CloseRequested,
    Outcome,
    ReclaimRequested,
    RestartRequested,
    TaskAdvanced,
    TaskEnded,
    TaskResized,
    TaskReturned,
    TaskSubmitted,
    WorkerExited,
    WorkerFaulted,
    WorkerPinned,
    WorkerReady,
    WorkerWorn,
)
from wetlands.core.pace import BELIEVED_AFTER, KINDS, Paces


def short(*tasks):
    return [TaskSubmitted(task, kind="f") for task in tasks]


def ended(worker, task, attempt=1, seconds=0.0001):
    return TaskEnded(worker, task, attempt, Outcome.COMPLETED, None, seconds)


def ahead(worker, task, attempt=1):
    return DispatchTask(worker, task, attempt, ahead=True)


def learned(**config) -> Pool:
    """Return a pool that knows that tasks of kind "f" are short."""
    pool = Pool(**{"wake": 0.0, **config})
    for task in range(-BELIEVED_AFTER, 0):
        (dispatch,) = pool(TaskSubmitted(task, kind="f"))
        pool(ended(dispatch.worker, task))
    return pool


def test_nothing_is_sent_ahead_before_it_is_known_to_be_short():
    pool = Pool()
    assert pool(*short(1, 2)) == [DispatchTask(A1, 1, 1)]
    pool(ended(A1, 1), ended(A1, 2))
    assert pool(*short(3, 4)) == [DispatchTask(A1, 3, 1)]
    pool(ended(A1, 3), ended(A1, 4))
    assert pool(*short(5, 6)) == [DispatchTask(A1, 5, 1), ahead(A1, 6)]


def test_workers_get_short_tasks_by_turns():
    pool = learned(size=2)
    assert pool(*short(1, 2, 3, 4, 5)) == [
        DispatchTask(B1, 1, 1),
        DispatchTask(A1, 2, 1),
        ahead(B1, 3),
        ahead(A1, 4),
        ahead(B1, 5),
    ]


def test_nobody_is_woken_for_what_another_one_does_in_a_moment():
    pool = learned(size=2, wake=0.00035)
    assert pool(*short(1, 2, 3)) == [DispatchTask(B1, 1, 1), ahead(B1, 2), ahead(B1, 3)]
    assert pool(*short(4, 5)) == [DispatchTask(A1, 4, 1), ahead(B1, 5)]
    assert pool.core.flowing()
    assert pool.core.is_brief("f")
    assert not pool.core.is_brief("g")


def test_an_idle_worker_is_woken_for_what_nobody_knows_or_is_limited():
    for other in (TaskSubmitted(2), TaskSubmitted(2, kind="g"), TaskSubmitted(2, 9.0, kind="f")):
        pool = learned(size=2, wake=0.00035)
        assert pool(*short(1), other) == [DispatchTask(B1, 1, 1), DispatchTask(A1, 2, 1)]
    pool = learned(size=2, wake=0.00035)
    assert pool(TaskSubmitted(1), *short(2)) == [DispatchTask(B1, 1, 1), DispatchTask(A1, 2, 1)]


def test_a_worker_gets_what_takes_it_a_moment_and_no_more():
    pool = learned(credit=0.00035)
    assert len(pool(*short(*range(1, 9)))) == 4
    pool = learned(credit_limit=3)
    assert len(pool(*short(*range(1, 9)))) == 3
    pool = learned(credit_limit=1)
    assert len(pool(*short(*range(1, 9)))) == 1


@pytest.mark.parametrize("config", [{"max_tasks": 9}, {"max_memory": 1e9}])
def test_nothing_is_sent_ahead_where_each_task_is_followed_by_a_look_at_limits(config):
    assert len(learned(**config)(*short(1, 2))) == 1


def test_long_tasks_unknown_ones_and_those_with_a_time_limit_wait_and_so_do_those_behind_them():
    for other in (TaskSubmitted(2), TaskSubmitted(2, kind="g"), TaskSubmitted(2, 9.0, kind="f")):
        assert learned()(*short(1), other, *short(3)) == [DispatchTask(A1, 1, 1)]


def test_the_next_one_begins_when_the_one_before_has_ended():
    pool = learned()
    pool(*short(1, 2, 3))
    assert pool(ended(A1, 1)) == [StartTask(A1, 2, 1), ResolveTask(1, Outcome.COMPLETED, A1)]
    assert pool(ended(A1, 2))[0] == StartTask(A1, 3, 1)
    assert pool(ended(A1, 3)) == [ResolveTask(3, Outcome.COMPLETED, A1)]
    assert not pool.core.saturated()


def test_a_worker_that_dies_takes_with_it_what_it_had_begun_and_nothing_else():
    pool = learned()
    pool(*short(1, 2, 3, 4))
    assert pool(WorkerExited(A1, (2, 1), "story")) == [
        ResolveTask(2, Outcome.LOST, A1, "story"),
        ResolveTask(1, Outcome.LOST, A1, "story"),
        SpawnWorker(A2),
    ]
    assert list(pool.core.ready) == [3, 4]


def test_a_worker_that_dies_before_it_began_anything_gives_back_all_in_order():
    pool = learned()
    pool(*short(1, 2, 3))
    pool(WorkerExited(A1, None))
    assert list(pool.core.ready) == [1, 2, 3]


def test_waiting_behind_a_killer_is_no_reason_to_be_lost():
    pool = learned(delivery_limit=1)
    pool(*short(1, 2), WorkerExited(A1, (1, 1)))
    assert list(pool.core.ready) == [2]


def test_a_task_that_was_sent_ahead_is_canceled_without_running():
    pool = learned()
    pool(*short(1, 2, 3))
    assert pool(CancelRequested(2)) == [ReclaimTasks(A1)]
    assert pool(TaskReturned(A1, 3, 1), TaskReturned(A1, 2, 1)) == [
        ResolveTask(2, Outcome.CANCELED)
    ]
    assert list(pool.core.ready) == [3]


def test_a_task_that_began_after_all_is_asked_to_stop_and_its_worker_killed_in_time():
    pool = learned()
    pool(*short(1, 2), CancelRequested(2, force_after=5.0))
    assert pool(ended(A1, 1), at=1.0)[:2] == [StartTask(A1, 2, 1), InterruptTask(A1, 2, 1)]
    assert pool(TICK, at=4.9) == []
    assert isinstance(pool(TICK, at=5.0)[0], KillWorker)


def test_where_nothing_comes_back_somebody_looks_and_then_others_get_what_has_not_begun():
    pool = learned(size=2, stall_timeout=1.0)
    pool(TaskSubmitted(1), *short(2, 3, 4, 5))  # one is at something unknown, the other is quick
    assert pool(TICK, at=0.9) == []
    assert pool(TICK, at=1.0) == [CheckWorker(A1)]
    assert pool(TICK, at=2.0) == [CheckWorker(A1)]  # nobody is idle who could take them
    assert pool(ended(B1, 1, seconds=None))[-1] == ReclaimTasks(A1)
    assert pool.core.paces.expect("f") == math.inf
    returned = [TaskReturned(A1, task, 1) for task in (5, 4, 3)]
    assert pool(*returned)[0] == DispatchTask(B1, 5, 2)  # the first that came back
    assert list(pool.core.ready) == [3, 4]


def test_an_ending_in_time_is_a_sign_of_life():
    pool = learned(stall_timeout=1.0)
    pool(*short(1, 2, 3))
    pool(ended(A1, 1), at=0.9)
    assert pool(TICK, at=1.0) == []
    assert pool(TICK, at=1.9) == [CheckWorker(A1)]


def test_a_worker_that_is_killed_gives_back_what_it_has_not_begun():
    pool = learned()
    pool(*short(1, 2, 3))
    commands = pool(WorkerFaulted(A1, "garbage"))
    assert [type(command) for command in commands] == [ReclaimTasks, KillWorker, ResolveTask]
    pool(TaskReturned(A1, 3, 1))
    assert list(pool.core.ready) == [3]
    # It had begun the other one, of which nobody knew.
    assert ResolveTask(2, Outcome.LOST, A1, "story") in pool(WorkerExited(A1, (2, 1), "story"))


def test_closing_also_ends_what_a_worker_has_not_begun_that_is_being_killed():
    pool = learned()
    pool(*short(1, 2), WorkerFaulted(A1, "garbage"), CloseRequested(1.0))
    assert ResolveTask(2, Outcome.CLOSED, None, "story") in pool(WorkerExited(A1, (1, 1), "story"))
    assert pool.core.closed
    assert not pool.core.ready


def test_what_had_ended_before_the_kill_counts():
    pool = learned()
    pool(*short(1, 2), WorkerFaulted(A1, "garbage"))
    assert pool(ended(A1, 1)) == []
    assert pool(ended(A1, 2)) == [ResolveTask(2, Outcome.COMPLETED, A1)]


def test_a_pool_that_closes_takes_back_what_has_not_begun():
    pool = learned()
    pool(*short(1, 2))
    assert pool(CloseRequested(5.0)) == [InterruptTask(A1, 1, 1), ReclaimTasks(A1)]
    assert pool(TaskReturned(A1, 2, 1)) == [ResolveTask(2, Outcome.CLOSED)]


# -- tasks of several calls ------------------------------------------------------------------------


def several(task, calls=4, **options):
    return TaskSubmitted(task, kind="f", calls=calls, **options)


def test_so_many_calls_make_a_task_that_takes_half_of_the_credit():
    assert learned(credit=0.001).core.fitting("f") == 5
    assert learned(credit=0.001, credit_limit=6).core.fitting("f") == 3
    assert learned(credit=0.00011).core.fitting("f") == 1
    assert learned(credit_limit=1).core.fitting("f") == 1
    assert learned(max_tasks=9).core.fitting("f") == 1
    assert learned().core.fitting("g") == learned().core.fitting(None) == 1


def test_a_task_of_several_calls_counts_for_as_many():
    pool = learned(credit=0.0009)
    assert pool(several(1), several(2), several(3), several(4)) == [
        DispatchTask(A1, 1, 1),
        ahead(A1, 2),
        ahead(A1, 3),
    ]
    pool = learned(credit_limit=8)
    assert len(pool(several(1), several(2), several(3))) == 2
    assert pool(ended(A1, 1))[-1] == ahead(A1, 3)


def test_calls_may_join_a_task_that_is_queued():
    pool = learned(credit_limit=8)
    pool(several(1, 8), several(2), TaskResized(2, 7), several(3))
    assert pool(ended(A1, 1))[-2:] == [DispatchTask(A1, 2, 1), ahead(A1, 3)]
    assert pool(several(4)) == []  # the worker has enough
    assert pool(TaskResized(2, 1), TaskResized(99, 2), ended(A1, 2))[-1] == ahead(A1, 4)


def test_what_comes_back_goes_first():
    pool = Pool()
    pool(*short(1, 2, 3), several(4, first=True))
    assert list(pool.core.ready) == [4, 2, 3]


def test_a_call_that_takes_long_has_those_behind_it_taken_back():
    pool = learned(size=2, stall_timeout=1.0)
    pool(TaskSubmitted(1), several(2))
    assert pool(TICK, at=1.0) == [CheckWorker(A1)]
    assert pool(TaskAdvanced(A1, 2, 1), TICK, at=1.9) == []  # something came back
    assert pool(TICK, at=2.9) == [CheckWorker(A1)]
    assert pool(TICK, at=3.9) == [CheckWorker(A1)]
    assert pool(ended(B1, 1, seconds=None)) == [
        ResolveTask(1, Outcome.COMPLETED, B1),
        ReclaimTasks(A1),
    ]
    assert pool(several(3, 3, first=True)) == [DispatchTask(B1, 3, 1)]
    assert pool(TICK, at=4.0) == []


def test_a_worker_that_got_going_again_keeps_what_it_has():
    pool = learned(size=2, stall_timeout=1.0)
    pool(TaskSubmitted(1), several(2), TICK, at=0.0)
    pool(TICK, at=1.0)
    pool(TICK, at=2.0)
    assert pool(TaskAdvanced(A1, 2, 1), ended(B1, 1, seconds=None), at=2.5) == [
        ResolveTask(1, Outcome.COMPLETED, B1)
    ]


def test_it_is_looked_for_ever_more_rarely_what_came_back():
    pool = learned(stall_timeout=1.0)
    pool(several(1))
    for at in (1.0, 2.0, 4.0, 8.0, 16.0):
        assert pool(TICK, at=at - 0.1) == []
        assert pool(TICK, at=at) == [CheckWorker(A1)]


def test_calls_that_end_are_signs_of_life():
    pool = learned(worker_timeout=5.0, stall_timeout=99.0)
    pool(several(1))
    assert pool(TaskAdvanced(A1, 1, 1), at=4.0) == []
    assert pool(TICK, at=8.9) == []
    assert [type(command) for command in pool(TICK, at=9.0)] == [
        ReclaimTasks,
        KillWorker,
        ResolveTask,
    ]


def test_calls_are_taken_back_when_somebody_asks():
    pool = learned()
    pool(several(1), several(2))
    assert pool(ReclaimRequested(2)) == [ReclaimTasks(A1)]
    assert pool(ReclaimRequested(99)) == []
    pool(several(3))
    assert list(pool.core.ready) == [3]  # it gets no more before it is idle
    assert pool(ReclaimRequested(3)) == []


def test_a_pool_that_closes_takes_back_the_calls_that_have_not_begun():
    pool = learned()
    pool(several(1))
    assert pool(CloseRequested(5.0)) == [InterruptTask(A1, 1, 1), ReclaimTasks(A1)]
    assert pool(several(2, 3, first=True)) == [ResolveTask(2, Outcome.CLOSED)]


# -- the pace --------------------------------------------------------------------------------------


def test_a_mean_is_believed_after_a_few_runs_and_follows_what_changes():
    pace = Paces()
    assert pace.expect("f") == pace.expect(None) == math.inf
    for _ in range(BELIEVED_AFTER):
        pace.note("f", 1.0)
    assert pace.expect("f") == 1.0
    pace.note("f", 9.0)
    assert pace.expect("f") == 2.0
    pace.forget("f")
    assert pace.expect("f") == math.inf


def test_one_run_without_an_end_is_never_forgotten_by_the_mean():
    pace = Paces()
    for seconds in (1.0, math.inf, 1.0, 1.0, 1.0):
        pace.note("f", seconds)
    pace.forget("f")
    assert len(pace) == 1
    for _ in range(BELIEVED_AFTER):
        pace.note("f", 1.0)
    assert pace.expect("f") == math.inf


def test_so_many_kinds_are_remembered():
    pace = Paces()
    for number in range(KINDS + 10):
        pace.note(str(number), 1.0)
    assert len(pace) == KINDS


def test_the_worker_that_follows_owes_nothing_for_the_one_that_died():
    pool = learned(stall_timeout=1.0)
    pool(*short(1, 2), WorkerExited(A1, (1, 1)), WorkerReady(A2))
    assert pool(TICK, at=5.0) == []


def test_a_worker_that_is_to_go_gets_nothing_ahead_after_what_is_bound_to_it():
    pool = learned()
    pool(*short(1), RestartRequested(), TaskSubmitted(2, worker=A1, kind="f"))
    assert DispatchTask(A1, 2, 1) in pool(ended(A1, 1))
    assert pool(*short(3)) == []
    assert StopWorker(A1) in pool(ended(A1, 2))


def test_a_worn_worker_gets_nothing_ahead_from_the_moment_that_it_keeps_no_value():
    pool = learned()
    pool(WorkerPinned(A1, True), WorkerWorn(A1))
    assert pool(*short(1, 2)) == [DispatchTask(A1, 1, 1), ahead(A1, 2)]
    pool(WorkerPinned(A1, False))
    assert pool(*short(3)) == []
    pool(ended(A1, 1))
    assert StopWorker(A1) in pool(ended(A1, 2))
