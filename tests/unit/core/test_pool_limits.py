"""The promises of the pool about retries, limits and its size, one by one."""

from __future__ import annotations

import math

from test_pool import A1, A2, B1, Pool, ended

from wetlands.core.commands import (
    AnnounceBroken,
    DispatchTask,
    InterruptTask,
    JudgeFailure,
    KillWorker,
    ResolveTask,
    RetryTask,
    SpawnWorker,
    StopWorker,
)
from wetlands.core.events import (
    CancelRequested,
    ClockAdvanced,
    CloseRequested,
    Outcome,
    ResizeRequested,
    RestartRequested,
    RetryJudged,
    TaskSubmitted,
    WorkerExited,
    WorkerId,
    WorkerMeasured,
    WorkerPinned,
    WorkerReady,
    WorkerWorn,
)
from wetlands.core.policy import RetryPlan
from wetlands.core.pool import SlotState

TICK = ClockAdvanced()
C1 = WorkerId(2, 1)


def retried(task=1, **plan):
    return TaskSubmitted(task, retry=RetryPlan(**plan))


# -- another try -----------------------------------------------------------------------------------


def test_a_failed_task_waits_out_its_pause_in_the_queue_and_holds_no_worker():
    pool = Pool()
    pool(retried(on_error=1, delay=5.0))
    failed = ended(A1, 1, Outcome.FAILED, detail="why")
    assert pool(failed, TaskSubmitted(2)) == [
        RetryTask(1, Outcome.FAILED, A1, "why", 5.0),
        DispatchTask(A1, 2, 1),
    ]
    assert pool(ended(A1, 2)) == [ResolveTask(2, Outcome.COMPLETED, A1)]
    assert pool.core.next_deadline() == 5.0
    assert pool(TICK, at=5.0) == [DispatchTask(A1, 1, 2)]
    assert pool(ended(A1, 1, Outcome.FAILED, attempt=2)) == [ResolveTask(1, Outcome.FAILED, A1)]


def test_errors_do_not_use_up_what_losses_may():
    pool = Pool()
    pool(retried(on_error=1, on_lost=1))
    assert pool(ended(A1, 1, Outcome.FAILED))[-1] == DispatchTask(A1, 1, 2)
    assert RetryTask(1, Outcome.LOST, A1, None, 0.0) in pool(WorkerExited(A1, (1, 2)))
    assert pool(WorkerReady(A2)) == [DispatchTask(A2, 1, 3)]
    assert pool(ended(A2, 1, Outcome.FAILED, attempt=3)) == [ResolveTask(1, Outcome.FAILED, A2)]


def test_the_third_lost_worker_makes_a_task_poison():
    pool = Pool()
    pool(retried(on_lost=99))
    for attempt in (1, 2):
        worker = WorkerId(0, attempt)
        assert RetryTask(1, Outcome.LOST, worker, None, 0.0) in pool(
            WorkerExited(worker, (1, attempt)), WorkerReady(WorkerId(0, attempt + 1))
        )
    third = WorkerId(0, 3)
    assert pool(WorkerExited(third, (1, 3)))[0] == ResolveTask(1, Outcome.POISONED, third)


def test_somebody_may_be_asked_and_nothing_waits_for_the_answer():
    pool = Pool()
    pool(retried(on_error=3, judged=True))
    asked = pool(ended(A1, 1, Outcome.FAILED, detail="why"), TaskSubmitted(2))
    assert asked == [JudgeFailure(1, 1, Outcome.FAILED, A1, "why"), DispatchTask(A1, 2, 1)]
    assert pool(RetryJudged(1, 1, again=False)) == [ResolveTask(1, Outcome.FAILED, A1, "why")]


def test_a_timed_out_task_runs_again_only_when_its_run_is_over():
    pool = Pool(interrupt_grace=2.0)
    pool(TaskSubmitted(1, 3.0, retry=RetryPlan(on_error=1)))
    assert pool.wait() == [InterruptTask(A1, 1, 1)]
    assert pool(ended(A1, 1, Outcome.CANCELED)) == [
        RetryTask(1, Outcome.TIMED_OUT, A1, None, 0.0),
        DispatchTask(A1, 1, 2),
    ]


def test_canceling_and_closing_end_a_pause():
    for event, outcome in (
        (CancelRequested(1), Outcome.CANCELED),
        (CloseRequested(9.0), Outcome.CLOSED),
    ):
        pool = Pool()
        pool(retried(on_error=1, delay=5.0), ended(A1, 1, Outcome.FAILED))
        assert pool(event)[0] == ResolveTask(1, outcome)


# -- limits ----------------------------------------------------------------------------------------


def test_a_worker_that_says_it_is_worn_is_replaced_when_it_is_idle():
    pool = Pool()
    pool(TaskSubmitted(1), TaskSubmitted(2), ended(A1, 1))
    assert pool(WorkerWorn(A1)) == []
    assert pool(ended(A1, 2)) == [ResolveTask(2, Outcome.COMPLETED, A1), StopWorker(A1)]
    assert pool(WorkerExited(A1)) == [SpawnWorker(A2)]
    pool(WorkerReady(A2), TaskSubmitted(3), ended(A2, 3))
    assert pool(WorkerWorn(A2)) == [StopWorker(A2)]


def test_one_that_goes_before_it_is_asked_costs_nothing():
    pool = Pool(delivery_limit=1)
    pool(TaskSubmitted(1), TaskSubmitted(2), ended(A1, 1), WorkerWorn(A1))
    assert pool(WorkerExited(A1)) == [SpawnWorker(A2)]
    assert pool(WorkerReady(A2)) == [DispatchTask(A2, 2, 2)]


def test_one_that_is_worn_before_its_first_task_is_not_replaced_for_ever():
    pool = Pool(backoff_base=1.0)
    assert pool(WorkerWorn(A1)) == []
    assert pool(WorkerExited(A1)) == []
    assert pool.core.next_deadline() == 1.0


def test_a_worn_worker_is_replaced_between_tasks():
    pool = Pool(max_tasks=2)
    pool(TaskSubmitted(1), TaskSubmitted(2), TaskSubmitted(3), ended(A1, 1))
    assert pool(ended(A1, 2)) == [ResolveTask(2, Outcome.COMPLETED, A1), StopWorker(A1)]
    assert pool(WorkerExited(A1)) == [SpawnWorker(A2)]
    assert pool(WorkerReady(A2)) == [DispatchTask(A2, 3, 1)]


def test_a_worn_worker_that_keeps_values_stays_until_they_are_dropped():
    pool = Pool(max_tasks=1)
    assert pool(TaskSubmitted(1), WorkerPinned(A1, pinned=True), ended(A1, 1)) == [
        DispatchTask(A1, 1, 1),
        ResolveTask(1, Outcome.COMPLETED, A1),
    ]
    assert pool(WorkerPinned(A1, pinned=False)) == [StopWorker(A1)]


def test_too_much_memory_kills_a_task_and_what_it_leaves_replaces_its_worker():
    pool = Pool(size=2, max_memory=100.0)
    pool(TaskSubmitted(1), TaskSubmitted(2))
    commands = pool(WorkerMeasured(A1, 101.0))
    assert [type(command) for command in commands] == [KillWorker, ResolveTask]
    assert commands[1].outcome is Outcome.OUT_OF_MEMORY
    assert pool(WorkerMeasured(B1, 81.0)) == []
    assert StopWorker(B1) in pool(ended(B1, 1), ended(B1, 2))


def test_idle_workers_go_and_work_brings_back_as_many_as_it_needs():
    pool = Pool(size=3, idle_timeout=10.0)
    assert set(map(type, pool.wait())) == {StopWorker}
    pool(*(WorkerExited(worker) for worker in (A1, B1, C1)))
    assert pool.states() == [SlotState.DORMANT] * 3
    assert len(pool(TaskSubmitted(1))) == 1
    assert len(pool(TaskSubmitted(2))) == 1
    assert pool.core.count(SlotState.STARTING) == 2


# -- more, fewer, others ---------------------------------------------------------------------------


def test_a_smaller_pool_lets_the_busy_finish():
    pool = Pool(size=2)
    pool(TaskSubmitted(1), TaskSubmitted(2))
    assert pool(ResizeRequested(1)) == []
    slots = {
        command.worker
        for command in pool(ended(A1, 1), ended(A1, 2), ended(B1, 1), ended(B1, 2))
        if type(command) is StopWorker
    }
    assert slots == {B1}
    pool(WorkerExited(B1))
    assert pool.states() == [SlotState.IDLE, SlotState.DORMANT]
    assert pool(ResizeRequested(3)) == [SpawnWorker(WorkerId(1, 2)), SpawnWorker(C1)]


def test_a_restart_replaces_all_and_revives_a_broken_pool():
    pool = Pool(restart_limit=0, backoff_base=0.0)
    assert AnnounceBroken() in pool(WorkerExited(A1))
    assert pool(RestartRequested()) == [SpawnWorker(A2)]
    assert pool(TaskSubmitted(1), WorkerReady(A2)) == [DispatchTask(A2, 1, 1)]
    assert pool(RestartRequested()) == []
    assert pool(ended(A2, 1)) == [ResolveTask(1, Outcome.COMPLETED, A2), StopWorker(A2)]
    assert pool.core.next_deadline() < math.inf


def test_what_comes_back_to_a_broken_pool_ends():
    """A pool that is made smaller until nothing is left but what was given up is broken, though
    one of those that are too many may still be at work."""
    pool = Pool(size=2, restart_limit=0)
    pool(WorkerExited(A1, None))
    pool(TaskSubmitted(1))
    assert AnnounceBroken() in pool(ResizeRequested(1))
    assert ResolveTask(1, Outcome.BROKEN) in pool(WorkerExited(B1, None))
