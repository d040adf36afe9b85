"""The promises of the pool one by one: what happened, and exactly what is done about it."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from wetlands.core.commands import (
    AnnounceBroken,
    AnnounceClosed,
    DispatchTask,
    InterruptTask,
    KillWorker,
    ResolveTask,
    SpawnWorker,
    StopWorker,
)
from wetlands.core.events import (
    CancelRequested,
    ClockAdvanced,
    CloseRequested,
    Outcome,
    TaskEnded,
    TaskProgressed,
    TaskSubmitted,
    WorkerExited,
    WorkerFaulted,
    WorkerId,
    WorkerReady,
)
from wetlands.core.policy import PoolConfig
from wetlands.core.pool import PoolCore, SlotState, Transition

A1, A2, A3 = WorkerId(0, 1), WorkerId(0, 2), WorkerId(0, 3)
B1 = WorkerId(1, 1)
TICK = ClockAdvanced()


class Pool:
    """A core and a clock: ``pool(event, ..., at=3.0)`` returns the commands of all the events."""

    def __init__(self, *, ready: bool = True, **config: float) -> None:
        self.core = PoolCore(PoolConfig(**config))
        self.now = 0.0
        self.opening = self.core.open(self.now)
        if ready:
            self(*(WorkerReady(WorkerId(slot, 1)) for slot in range(self.core.config.size)))

    def __call__(self, *events, at=None):
        self.now = self.now if at is None else at
        return [command for event in events for command in self.core.handle(event, self.now)]

    def states(self):
        return [slot.state for slot in self.core.slots]

    def wait(self):
        """Let time pass up to the next deadline."""
        due = self.core.next_deadline()
        assert due is not None, "nothing to wait for"
        return self(TICK, at=max(due, self.now))

    def wait_for_commands(self):
        """Let time pass until something is done; a deadline may have moved later."""
        while not (commands := self.wait()):
            pass
        return commands


def ended(worker, task, outcome=Outcome.COMPLETED, attempt=1, detail=None):
    return TaskEnded(worker, task, attempt, outcome, detail)


# -- starting and dispatching ----------------------------------------------------------------------


def test_open_starts_a_worker_in_every_slot():
    pool = Pool(size=2, ready=False)
    assert pool.opening == [SpawnWorker(A1), SpawnWorker(B1)]
    assert pool.core.count(SlotState.STARTING) == 2


def test_a_task_waits_for_the_hello_and_goes_out_with_it():
    pool = Pool(ready=False)
    assert pool(TaskSubmitted(7)) == []
    assert pool(WorkerReady(A1)) == [DispatchTask(A1, 7, 1)]


def test_a_task_goes_at_once_to_an_idle_worker():
    assert Pool()(TaskSubmitted(7)) == [DispatchTask(A1, 7, 1)]


def test_tasks_run_in_the_order_of_submission():
    pool = Pool()
    assert pool(TaskSubmitted(1), TaskSubmitted(2), TaskSubmitted(3)) == [DispatchTask(A1, 1, 1)]
    assert pool(ended(A1, 1)) == [
        ResolveTask(1, Outcome.COMPLETED, A1),
        DispatchTask(A1, 2, 1),
    ]
    assert pool(ended(A1, 2))[-1] == DispatchTask(A1, 3, 1)


def test_the_worker_that_was_used_last_is_used_first():
    pool = Pool(size=2)
    pool(TaskSubmitted(1), TaskSubmitted(2), ended(B1, 1), ended(A1, 2))
    assert pool(TaskSubmitted(3)) == [DispatchTask(A1, 3, 1)]


@pytest.mark.parametrize("outcome", [Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELED])
def test_a_task_ends_as_its_worker_says_and_the_detail_is_handed_on(outcome):
    pool = Pool()
    detail = object()
    pool(TaskSubmitted(1))
    assert pool(ended(A1, 1, outcome, detail=detail)) == [ResolveTask(1, outcome, A1, detail)]
    assert pool.states() == [SlotState.IDLE]


def test_a_second_hello_changes_nothing():
    pool = Pool()
    pool(TaskSubmitted(1))
    assert pool(WorkerReady(A1), TaskSubmitted(2)) == []
    assert pool.states() == [SlotState.BUSY]


# -- what is stale is dropped ----------------------------------------------------------------------


def test_messages_of_a_dead_incarnation_are_dropped():
    pool = Pool(backoff_base=0.0)
    assert pool(WorkerExited(A1)) == [SpawnWorker(A2)]
    late = [WorkerReady(A1), WorkerExited(A1), WorkerFaulted(A1, "garbage"), ended(A1, 1)]
    assert pool(*late) == []
    assert pool.states() == [SlotState.STARTING]


def test_an_answer_about_another_task_is_dropped():
    pool = Pool()
    pool(TaskSubmitted(1), TaskSubmitted(2))
    assert pool(ended(A1, 2)) == []
    assert pool.states() == [SlotState.BUSY]


def test_an_answer_about_another_attempt_is_dropped():
    pool = Pool(backoff_base=0.0)
    pool(TaskSubmitted(1), WorkerExited(A1), WorkerReady(A2))
    assert pool(ended(A2, 1, attempt=1)) == []
    assert pool(ended(A2, 1, attempt=2)) == [ResolveTask(1, Outcome.COMPLETED, A2)]


def test_a_result_that_raced_with_the_kill_is_dropped():
    pool = Pool()
    pool(TaskSubmitted(1), CancelRequested(1, force_after=0.0))
    assert pool(ended(A1, 1)) == []
    assert pool.states() == [SlotState.KILLING]


# -- death -----------------------------------------------------------------------------------------


def test_a_worker_that_dies_loses_the_task_it_ran_and_is_replaced_at_once():
    pool = Pool()
    pool(TaskSubmitted(1), TaskSubmitted(2))
    assert pool(WorkerExited(A1, started=(1, 1), detail="signal 11")) == [
        ResolveTask(1, Outcome.LOST, A1, "signal 11"),
        SpawnWorker(A2),
    ]
    assert pool(WorkerReady(A2)) == [DispatchTask(A2, 2, 1)]


def test_a_task_that_was_not_begun_goes_back_to_the_front():
    pool = Pool(backoff_base=0.0)
    pool(TaskSubmitted(1), TaskSubmitted(2))
    assert pool(WorkerExited(A1, started=None)) == [SpawnWorker(A2)]
    assert pool(WorkerReady(A2)) == [DispatchTask(A2, 1, 2)]


def test_an_earlier_task_of_the_dead_worker_does_not_count_as_begun():
    pool = Pool(backoff_base=0.0)
    pool(TaskSubmitted(1), TaskSubmitted(2), ended(A1, 1))
    assert pool(WorkerExited(A1, started=(1, 1))) == [SpawnWorker(A2)]
    assert pool(WorkerReady(A2)) == [DispatchTask(A2, 2, 2)]


def test_an_idle_worker_takes_over_what_a_dead_one_did_not_begin():
    pool = Pool(size=2)
    pool(TaskSubmitted(1))  # B1 has it, A1 is idle
    assert pool(WorkerExited(B1)) == [DispatchTask(A1, 1, 2)]


def test_a_task_that_no_worker_begins_is_lost_after_the_delivery_limit():
    pool = Pool(backoff_base=0.0, delivery_limit=2)
    pool(TaskSubmitted(1), WorkerExited(A1), WorkerReady(A2))
    assert pool(WorkerExited(A2, detail="?")) == [
        ResolveTask(1, Outcome.LOST, A2, "?"),
        SpawnWorker(A3),
    ]


def test_tasks_that_kill_their_workers_never_break_the_pool():
    pool = Pool(restart_limit=1)
    for task in range(1, 20):
        worker = WorkerId(0, task)
        assert pool(TaskSubmitted(task)) == [DispatchTask(worker, task, 1)]
        assert pool(WorkerExited(worker, started=(task, 1)))[-1] == SpawnWorker(
            WorkerId(0, task + 1)
        )
        pool(WorkerReady(WorkerId(0, task + 1)))


def test_an_idle_worker_that_dies_is_replaced_after_a_pause_that_doubles():
    pool = Pool(backoff_base=1.0)
    pauses = []
    for incarnation in (1, 2, 3):
        died = pool.now
        assert pool(WorkerExited(WorkerId(0, incarnation))) == []
        assert pool.states() == [SlotState.VACANT]
        assert pool.wait_for_commands() == [SpawnWorker(WorkerId(0, incarnation + 1))]
        pauses.append(pool.now - died)
    assert pauses == [1.0, 2.0, 4.0]


def test_a_task_that_ends_wipes_the_slate():
    pool = Pool(restart_limit=1, backoff_base=0.0)
    pool(WorkerExited(A1), WorkerReady(A2), TaskSubmitted(1), ended(A2, 1, Outcome.FAILED))
    assert pool(WorkerExited(A2)) == [SpawnWorker(A3)]


def test_a_worker_that_lived_long_wipes_the_slate():
    pool = Pool(restart_limit=1, backoff_base=0.0, stable_after=10.0)
    pool(WorkerExited(A1), WorkerReady(A2))
    assert pool(WorkerExited(A2), at=10.0) == [SpawnWorker(A3)]


def test_a_worker_that_takes_long_to_die_did_not_live_long():
    pool = Pool(restart_limit=0, stable_after=10.0, kill_retry=60.0)
    pool(WorkerFaulted(A1, "garbage"))
    assert pool(WorkerExited(A1), at=20.0) == [AnnounceBroken()]


def test_a_slot_that_spent_its_restarts_is_retired_while_the_others_go_on():
    pool = Pool(size=2, restart_limit=0)
    assert pool(WorkerExited(A1)) == []
    assert pool.states() == [SlotState.RETIRED, SlotState.IDLE]
    assert not pool.core.broken
    assert pool(TaskSubmitted(1)) == [DispatchTask(B1, 1, 1)]


def test_a_pool_without_slots_is_broken_for_queued_and_later_tasks():
    pool = Pool(restart_limit=0, ready=False)
    pool(TaskSubmitted(1), TaskSubmitted(2))
    assert pool(WorkerExited(A1)) == [
        AnnounceBroken(),
        ResolveTask(1, Outcome.BROKEN),
        ResolveTask(2, Outcome.BROKEN),
    ]
    assert pool(TaskSubmitted(3)) == [ResolveTask(3, Outcome.BROKEN)]
    assert pool(TICK, TICK) == []
    assert pool.core.next_deadline() is None


def test_a_broken_pool_can_be_closed():
    pool = Pool(restart_limit=0)
    pool(WorkerExited(A1))
    assert pool(CloseRequested(1.0)) == [AnnounceClosed()]


# -- a worker that is there but no use -------------------------------------------------------------


def test_a_worker_that_never_says_hello_is_killed_and_counted_as_a_failure():
    pool = Pool(startup_timeout=5.0, restart_limit=0, ready=False)
    assert pool(TICK, at=4.9) == []
    (kill,) = pool(TICK, at=5.0)
    assert kill == KillWorker(A1, "it did not say hello within 5 s")
    assert pool(WorkerExited(A1)) == [AnnounceBroken()]


def test_a_hello_after_the_kill_does_not_save_the_worker():
    pool = Pool(startup_timeout=5.0, ready=False)
    pool(TICK, at=5.0)
    assert pool(WorkerReady(A1), TaskSubmitted(1)) == []
    assert pool.states() == [SlotState.KILLING]


def test_a_worker_that_faults_is_killed_and_its_task_is_lost():
    pool = Pool()
    pool(TaskSubmitted(1))
    assert pool(WorkerFaulted(A1, "garbage")) == [
        KillWorker(A1, "garbage"),
        ResolveTask(1, Outcome.LOST, A1, "garbage"),
    ]
    assert pool(WorkerFaulted(A1, "more garbage")) == []
    assert pool(WorkerExited(A1)) == [SpawnWorker(A2)]


def test_a_kill_is_repeated_and_then_the_slot_goes_on_without_the_process():
    pool = Pool(kill_retry=2.0, kill_limit=3)
    pool(TaskSubmitted(1))
    killed_at = []
    commands = pool(WorkerFaulted(A1, "garbage"))
    while any(isinstance(command, KillWorker) for command in commands):
        killed_at.append(pool.now)
        commands = pool.wait()
    assert killed_at == [0.0, 2.0, 4.0]
    assert (pool.now, commands) == (6.0, [SpawnWorker(A2)])
    assert pool(WorkerExited(A1)) == []


# -- silence and limits ----------------------------------------------------------------------------


def test_a_silent_task_is_killed_at_once():
    pool = Pool(worker_timeout=3.0)
    pool(TaskSubmitted(1))
    assert pool(TICK, at=2.9) == []
    reason = "its task was silent for 3 s"
    assert pool(TICK, at=3.0) == [
        KillWorker(A1, reason),
        ResolveTask(1, Outcome.SILENT, A1, reason),
    ]
    assert pool(WorkerExited(A1)) == [SpawnWorker(A2)]


def test_every_message_of_the_task_starts_the_silence_anew():
    pool = Pool(worker_timeout=3.0)
    pool(TaskSubmitted(1))
    assert pool(TaskProgressed(A1, 1, 1), at=2.0) == []
    assert pool(TICK, at=4.9) == []
    assert ResolveTask(1, Outcome.SILENT, A1, "its task was silent for 3 s") in pool(TICK, at=5.0)


def test_a_message_about_another_dispatch_does_not_end_the_silence():
    pool = Pool(worker_timeout=3.0)
    pool(TaskSubmitted(1))
    pool(TaskProgressed(A1, 1, 2), TaskProgressed(A1, 2, 1), at=2.0)
    assert pool(TICK, at=3.0) != []


def test_an_idle_worker_may_be_silent():
    pool = Pool(worker_timeout=3.0)
    pool(TaskSubmitted(1), ended(A1, 1))
    assert pool(TICK, at=1000.0) == []


def test_a_task_out_of_time_is_resolved_at_once_and_its_worker_may_end_it_in_peace():
    pool = Pool(interrupt_grace=1.0)
    pool(TaskSubmitted(1, timeout=5.0), TaskSubmitted(2))
    assert pool(TICK, at=5.0) == [ResolveTask(1, Outcome.TIMED_OUT, A1), InterruptTask(A1, 1, 1)]
    assert pool(ended(A1, 1, Outcome.CANCELED), at=5.9) == [DispatchTask(A1, 2, 1)]


def test_a_task_out_of_time_that_does_not_end_in_its_grace_costs_its_worker():
    pool = Pool(interrupt_grace=1.0)
    pool(TaskSubmitted(1, timeout=5.0))
    pool(TICK, at=5.0)
    assert pool(TICK, at=6.0) == [KillWorker(A1, "its task did not stop when it was asked to")]
    assert pool(WorkerExited(A1, started=(1, 1))) == [SpawnWorker(A2)]


def test_the_limit_counts_run_time_and_not_the_wait_in_the_queue():
    pool = Pool()
    pool(TaskSubmitted(1), TaskSubmitted(2, timeout=5.0))
    assert pool(TICK, at=100.0) == []
    pool(ended(A1, 1))
    assert pool(TICK, at=104.9) == []
    assert pool(TICK, at=105.0)[0] == ResolveTask(2, Outcome.TIMED_OUT, A1)


def test_the_limit_of_one_task_does_not_hit_the_next_one():
    pool = Pool()
    pool(TaskSubmitted(1, timeout=5.0), TaskSubmitted(2), ended(A1, 1))
    assert pool(TICK, at=5.0) == []


def test_after_a_long_pause_of_the_clock_the_first_deadline_names_the_outcome():
    pool = Pool(worker_timeout=20.0)
    pool(TaskSubmitted(1, timeout=5.0))
    assert pool(TICK, at=100.0)[0] == ResolveTask(1, Outcome.TIMED_OUT, A1)


# -- cancel ----------------------------------------------------------------------------------------


def test_a_queued_task_is_canceled_at_once_and_never_runs():
    pool = Pool()
    pool(TaskSubmitted(1), TaskSubmitted(2), TaskSubmitted(3))
    assert pool(CancelRequested(2)) == [ResolveTask(2, Outcome.CANCELED)]
    assert pool(ended(A1, 1))[-1] == DispatchTask(A1, 3, 1)


def test_a_running_task_is_told_once_and_then_left_alone():
    pool = Pool()
    pool(TaskSubmitted(1))
    assert pool(CancelRequested(1)) == [InterruptTask(A1, 1, 1)]
    assert pool(CancelRequested(1)) == []
    assert pool(TICK, at=1e6) == []
    assert pool(ended(A1, 1, Outcome.CANCELED)) == [ResolveTask(1, Outcome.CANCELED, A1)]


def test_a_forced_cancel_kills_the_worker_of_a_task_that_does_not_listen():
    pool = Pool()
    pool(TaskSubmitted(1), TaskSubmitted(2), CancelRequested(1, force_after=2.0))
    reason = "its task did not stop when it was asked to"
    assert pool(TICK, at=2.0) == [
        KillWorker(A1, reason),
        ResolveTask(1, Outcome.CANCELED, A1, reason),
    ]
    assert pool(WorkerExited(A1)) == [SpawnWorker(A2)]
    assert pool(WorkerReady(A2)) == [DispatchTask(A2, 2, 1)]


def test_of_two_forced_cancels_the_more_impatient_one_holds():
    pool = Pool()
    pool(TaskSubmitted(1), CancelRequested(1, force_after=9.0), CancelRequested(1, force_after=2.0))
    pool(CancelRequested(1, force_after=99.0))
    assert isinstance(pool(TICK, at=2.0)[0], KillWorker)


def test_a_task_that_completes_although_it_was_canceled_is_completed():
    pool = Pool()
    pool(TaskSubmitted(1), CancelRequested(1, force_after=9.0))
    assert pool(ended(A1, 1)) == [ResolveTask(1, Outcome.COMPLETED, A1)]
    assert pool(TICK, at=9.0) == []


def test_a_canceled_task_that_was_not_begun_is_not_sent_again():
    pool = Pool(backoff_base=0.0)
    pool(TaskSubmitted(1), CancelRequested(1))
    assert pool(WorkerExited(A1)) == [ResolveTask(1, Outcome.CANCELED), SpawnWorker(A2)]


def test_a_canceled_task_that_was_not_begun_is_canceled_in_a_closing_pool_too():
    pool = Pool()
    pool(TaskSubmitted(1), CancelRequested(1), CloseRequested(9.0))
    assert pool(WorkerExited(A1)) == [ResolveTask(1, Outcome.CANCELED), AnnounceClosed()]


def test_canceling_an_unknown_or_ended_task_does_nothing():
    pool = Pool()
    pool(TaskSubmitted(1), ended(A1, 1))
    assert pool(CancelRequested(1, force_after=0.0), CancelRequested(99)) == []


def test_running_out_of_time_does_not_put_off_a_forced_cancel():
    pool = Pool(interrupt_grace=60.0)
    pool(TaskSubmitted(1, timeout=5.0), CancelRequested(1, force_after=6.0))
    assert pool(TICK, at=5.0) == [ResolveTask(1, Outcome.TIMED_OUT, A1)]
    assert isinstance(pool(TICK, at=6.0)[0], KillWorker)


# -- close -----------------------------------------------------------------------------------------


def test_close_stops_idle_workers_and_ends_with_the_last_one():
    pool = Pool(size=2)
    assert pool(CloseRequested(1.0)) == [StopWorker(B1), StopWorker(A1)]
    assert pool(WorkerExited(A1)) == []
    assert pool(WorkerExited(B1)) == [AnnounceClosed()]
    assert pool.core.next_deadline() is None


def test_close_resolves_queued_tasks_and_interrupts_running_ones():
    pool = Pool()
    pool(TaskSubmitted(1), TaskSubmitted(2))
    assert pool(CloseRequested(1.0)) == [ResolveTask(2, Outcome.CLOSED), InterruptTask(A1, 1, 1)]
    assert pool(ended(A1, 1)) == [ResolveTask(1, Outcome.COMPLETED, A1), StopWorker(A1)]


def test_close_kills_what_outlasts_the_grace():
    pool = Pool()
    pool(TaskSubmitted(1), CloseRequested(3.0))
    reason = "its task did not stop when it was asked to"
    assert pool(TICK, at=3.0) == [
        KillWorker(A1, reason),
        ResolveTask(1, Outcome.CLOSED, A1, reason),
    ]
    assert pool(WorkerExited(A1)) == [AnnounceClosed()]


def test_close_kills_workers_that_are_starting_and_forgets_planned_ones():
    pool = Pool(size=2, ready=False, backoff_base=5.0)
    pool(WorkerExited(A1))
    assert pool(CloseRequested(9.0)) == [KillWorker(B1, "the pool is closing")]
    assert pool(WorkerExited(B1)) == [AnnounceClosed()]


def test_an_idle_worker_that_does_not_exit_is_killed():
    pool = Pool(stop_grace=2.0)
    pool(CloseRequested(9.0))
    assert pool(TICK, at=2.0) == [KillWorker(A1, "it did not exit when it was asked to")]


def test_a_closing_pool_starts_nothing_and_accepts_nothing():
    pool = Pool()
    pool(TaskSubmitted(1), CloseRequested(9.0))
    assert pool(TaskSubmitted(2)) == [ResolveTask(2, Outcome.CLOSED)]
    assert pool(WorkerExited(A1, started=(1, 1))) == [
        ResolveTask(1, Outcome.LOST, A1),
        AnnounceClosed(),
    ]
    assert pool(TaskSubmitted(3), CloseRequested(0.0)) == [ResolveTask(3, Outcome.CLOSED)]


def test_a_second_close_may_be_more_impatient():
    pool = Pool()
    pool(TaskSubmitted(1), CloseRequested(60.0))
    assert pool(CloseRequested(0.0))[0] == KillWorker(
        A1, "its task did not stop when it was asked to"
    )


def test_running_out_of_time_does_not_put_off_the_end_of_the_close():
    pool = Pool(interrupt_grace=60.0)
    pool(TaskSubmitted(1, timeout=5.0), CloseRequested(6.0))
    pool(TICK, at=5.0)
    assert isinstance(pool(TICK, at=6.0)[0], KillWorker)


def test_close_ends_even_with_a_process_that_no_kill_ends():
    pool = Pool(kill_retry=1.0, kill_limit=2, stop_grace=1.0)
    assert pool(CloseRequested(1.0)) == [StopWorker(A1)]
    assert pool(TICK, at=1.0) == [KillWorker(A1, "it did not exit when it was asked to")]
    assert pool(TICK, at=2.0) == [KillWorker(A1, "it is still there")]
    assert pool(TICK, at=3.0) == [AnnounceClosed()]


# -- the rest of the interface ---------------------------------------------------------------------


def test_nothing_to_wait_for_means_no_deadline():
    pool = Pool(ready=False, startup_timeout=math.inf)
    assert pool.core.next_deadline() is None


def test_the_next_deadline_follows_one_that_moves_earlier():
    pool = Pool()
    pool(TaskSubmitted(1, timeout=100.0))
    pool(CancelRequested(1, force_after=3.0), at=1.0)
    assert pool.core.next_deadline() == 4.0


def test_the_story_tells_the_latest_transitions_in_order():
    pool = Pool()
    pool(TaskSubmitted(1), at=1.0)
    assert list(pool.core.story) == [
        Transition(0.0, A1, "vacant", "starting", "spawn"),
        Transition(0.0, A1, "starting", "idle", "hello"),
        Transition(1.0, A1, "idle", "busy", "dispatch"),
    ]


def test_the_story_is_a_chain_and_does_not_grow_for_ever():
    pool = Pool()
    for task in range(1000):
        pool(TaskSubmitted(task), ended(A1, task))
    story = list(pool.core.story)
    assert len(story) == 256
    assert all(before.after == after.before for before, after in pairwise(story))
