"""What an event costs does not grow with the slots, the queue or the age of the pool.

Work in Python is counted, not timed: the number of instructions is exact. Only what the
interpreter does inside (dicts, heaps) is timed, as a ratio with room to breathe.
"""

from __future__ import annotations

import sys
import time

import pytest

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
from wetlands.core.pool import PoolCore, SlotState

FEW, MANY = 10, 20_000


def running_pool(slots=64, queued=0, **config):
    """A pool with every worker busy, task n on slot n, and tasks in the queue behind them."""
    core = PoolCore(PoolConfig(size=slots, **config))
    core.open(0.0)
    for slot in reversed(range(slots)):  # the last one that gets ready is the first one used
        core.handle(WorkerReady(WorkerId(slot, 1)), 0.0)
    for task in range(slots + queued):
        core.handle(TaskSubmitted(task), 0.0)
    return core


def instructions(function):
    """Count the Python instructions that a call runs."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


EVENTS = {
    "a task is submitted": lambda slots, queued: TaskSubmitted(10_000_000),
    "a running task is canceled": lambda slots, queued: CancelRequested(0, 5.0),
    "a queued task is canceled": lambda slots, queued: CancelRequested(slots + queued // 2),
    "a task reports": lambda slots, queued: TaskProgressed(WorkerId(0, 1), 0, 1),
    "a task ends": lambda slots, queued: TaskEnded(WorkerId(0, 1), 0, 1, Outcome.COMPLETED),
    "a worker dies": lambda slots, queued: WorkerExited(WorkerId(0, 1), (0, 1)),
    "a worker dies before it begins": lambda slots, queued: WorkerExited(WorkerId(0, 1)),
    "a worker faults": lambda slots, queued: WorkerFaulted(WorkerId(0, 1), "garbage"),
    "the clock ticks": lambda slots, queued: ClockAdvanced(),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_costs_the_same_for_any_number_of_slots_and_queued_tasks(name):
    costs = []
    for slots, queued in [(1, FEW), (64, FEW), (1, MANY), (64, MANY)]:
        core = running_pool(slots, queued)
        event = EVENTS[name](slots, queued)
        core.handle(ClockAdvanced(), 1.0)
        costs.append(instructions(lambda core=core, event=event: core.handle(event, 1.0)))
    assert max(costs) <= min(costs) + 20, costs  # no loop over anything fits into that


def test_asking_for_the_next_deadline_costs_the_same_for_any_number_of_slots():
    costs = [instructions(running_pool(slots, 0).next_deadline) for slots in (1, 64)]
    assert costs[0] == costs[1]


def life_of_changing_deadlines(core, rounds):
    """Tasks that could run for a day end at once or by force: deadlines far and near in turn."""
    size = core.config.size
    for number in range(rounds):
        slot, now = number % size, number * 0.001
        worker = core.slots[slot].worker
        task = 1_000_000 + number
        core.handle(TaskEnded(worker, core.slots[slot].task.id, 1, Outcome.COMPLETED), now)
        core.handle(TaskSubmitted(task, timeout=86_400.0 - number % 7), now)
        core.handle(CancelRequested(task, force_after=0.5 + number % 3), now)
        yield now


def test_the_heap_of_deadlines_stays_small_in_a_pool_that_lives_long():
    core = running_pool(slots=8)
    for _ in life_of_changing_deadlines(core, 20_000):
        assert len(core._crew.deadlines) <= 2 * 8
    assert core.count(SlotState.BUSY) == 8


def test_sweeping_the_heap_is_paid_for_by_those_who_filled_it():
    def cost(slots):
        core = running_pool(slots)
        return instructions(lambda: list(life_of_changing_deadlines(core, 1_000)))

    assert cost(64) <= 1.5 * cost(2)


def test_messages_of_a_running_task_leave_the_heap_alone():
    core = running_pool(slots=64, worker_timeout=5.0)
    before = len(core._crew.deadlines)
    for number in range(64_000):
        slot = number % 64
        core.handle(TaskProgressed(WorkerId(slot, 1), slot, 1), number * 0.001)
        assert len(core._crew.deadlines) <= before
    assert core.count(SlotState.BUSY) == 64


def test_a_pool_remembers_nothing_of_tasks_that_ended():
    core = running_pool(slots=2, queued=1000)
    core.handle(CloseRequested(0.0), 1.0)
    assert not core.tasks
    assert not core.ready
    assert all(slot.task is None for slot in core.slots)


def seconds_for_an_event(queued, repeat=500):
    """The best of several: submit, cancel from the middle, report, end one and start the next."""
    core = running_pool(64, queued)
    worker, best, new = WorkerId(0, 1), float("inf"), 10_000_000
    for attempt in range(5):
        start = time.perf_counter()
        for number in range(repeat // 5):
            step = attempt * (repeat // 5) + number
            core.handle(CancelRequested(64 + queued // 2 + step - repeat // 2), 1.0)
            running = core.slots[0].task.id
            core.handle(TaskProgressed(worker, running, 1), 1.0)
            core.handle(TaskEnded(worker, running, 1, Outcome.COMPLETED), 1.0)
            core.handle(TaskSubmitted(new := new + 1), 1.0)
        best = min(best, time.perf_counter() - start)
    return best


def test_a_long_queue_is_as_fast_as_a_short_one():
    assert seconds_for_an_event(100_000) < 8 * seconds_for_an_event(1_200)
