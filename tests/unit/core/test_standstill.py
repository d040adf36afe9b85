"""What the pool does about workers that a signal has stopped, one by one."""

from __future__ import annotations

from test_pool import A1, A2, B1, TICK, Pool, ended

from wetlands.core.commands import (
    DispatchTask,
    KillWorker,
    LookAtWorker,
    ResolveTask,
    SpawnWorker,
)
from wetlands.core.events import (
    CancelRequested,
    Outcome,
    TaskProgressed,
    TaskSubmitted,
    WorkerExited,
    WorkerReady,
    WorkerSeen,
)
from wetlands.core.pool import SlotState

LOOK = LookAtWorker(A1)
STILL, MOVED = WorkerSeen(A1, "as it was"), WorkerSeen(A1, "moved since")
KILL = KillWorker(A1, "it was frozen (stopped by a signal) for 3 s", undecided=True)


def frozen(**config):
    """A pool whose only task has been with a worker for 4 s that stood still at every look."""
    pool = Pool(frozen_timeout=3.0, **config)
    pool(TaskSubmitted(1))
    for at in (1.0, 2.0, 3.0, 4.0):
        assert pool(TICK, at=at) == [LOOK]
        commands = pool(STILL)
    assert commands == [KILL]
    return pool


def test_a_worker_that_stands_still_for_too_long_is_killed_and_its_exit_decides():
    pool = frozen()
    assert pool.states() == [SlotState.KILLING]
    assert pool(WorkerExited(A1, (1, 1), "frozen")) == [
        ResolveTask(1, Outcome.LOST, A1, "frozen"),
        SpawnWorker(A2),
    ]


def test_what_it_has_not_begun_runs_elsewhere_and_costs_nothing():
    pool = frozen(delivery_limit=1)
    assert pool(WorkerExited(A1), WorkerReady(A2)) == [SpawnWorker(A2), DispatchTask(A2, 1, 2)]


def test_what_ended_in_the_last_moment_has_ended():
    pool = frozen()
    assert pool(ended(A1, 1)) == [ResolveTask(1, Outcome.COMPLETED, A1)]
    assert pool(WorkerExited(A1, (1, 1))) == [SpawnWorker(A2)]


def test_what_is_canceled_meanwhile_does_not_run():
    pool = frozen()
    assert pool(CancelRequested(1)) == []
    assert pool(WorkerExited(A1)) == [ResolveTask(1, Outcome.CANCELED), SpawnWorker(A2)]


def test_what_moves_in_between_is_not_frozen():
    pool = Pool(frozen_timeout=3.0)
    pool(TaskSubmitted(1))
    for at, seen in enumerate([STILL, STILL, STILL, MOVED, MOVED, MOVED, WorkerSeen(A1)] * 3, 1):
        assert pool(TICK, at=float(at)) == [LOOK]
        assert pool(seen) == []


def test_nobody_looks_at_a_worker_that_says_something():
    pool = Pool(frozen_timeout=3.0)
    pool(TaskSubmitted(1))
    for at in (0.9, 1.8, 2.7):
        assert pool(TICK, TaskProgressed(A1, 1, 1), at=at) == []
    assert pool(TICK, at=3.7) == [LOOK]


def test_nobody_looks_at_an_idle_worker():
    pool = Pool(size=2, frozen_timeout=3.0)
    pool(TaskSubmitted(1), ended(B1, 1), ended(A1, 1))
    assert pool(TICK, STILL, at=9.0) == []
    assert pool.core.next_deadline() == 60.0  # of its start, which nobody cares about any more


def test_looks_that_come_late_kill_nobody_sooner():
    pool = Pool(frozen_timeout=3.0)
    pool(TaskSubmitted(1))
    for at in (100.0, 200.0, 300.0):
        assert pool(TICK, at=at) == [LOOK]
        assert pool(STILL) == []
