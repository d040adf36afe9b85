"""What must be true after every step: the core agrees with the books, and forgets nothing."""

from __future__ import annotations

import math

from chances import always
from pool_books import PoolBooks

from wetlands.core.events import WorkerId


class Safety(PoolBooks):
    def expected_state(self, slot: int) -> str:
        process = self.current(slot)
        if process is None:
            place = self.places[slot]
            return "RETIRED" if place.retired else "DORMANT" if place.dormant else "VACANT"
        if process.kills:
            return "KILLING"
        if process.asked:
            return "STOPPING"
        if not process.booted:
            return "STARTING"
        return "BUSY" if process.held else "IDLE"

    @always
    def the_core_and_the_books_agree_on_every_slot(self):
        states = [slot.state.name for slot in self.core.slots]
        assert states == [self.expected_state(slot) for slot in range(len(self.places))]

    @always
    def no_ready_task_beside_an_idle_worker(self):
        if self.core.ready:
            assert all(slot.state.name != "IDLE" for slot in self.core.slots)
        for slot in self.core.slots:
            assert not slot.bound or slot.state.name in ("STARTING", "BUSY")

    @always
    def a_slot_has_a_task_exactly_while_busy(self):
        for index, slot in enumerate(self.core.slots):
            assert (slot.task is not None) == (slot.state.name == "BUSY")
            if slot.task:
                assert (slot.task.id, slot.task.attempt) == self.current(index).held
            ahead = [(task.id, task.attempt) for task in slot.ahead.values()]
            process = self.current(index)
            assert ahead == (process.ahead if process else [])

    @always
    def what_is_wanted_back_was_asked_for(self):
        for process in self.alive.values():
            wanted = process.reclaimed or process.overstayed
            if process.held and wanted and self.has_more(process):
                assert process.returns

    @always
    def no_short_task_waits_beside_a_worker_that_can_have_it(self):
        task = next(iter(self.queue), None)
        if task is None or self.timeouts[task] < math.inf or self.is_limited():
            return
        if self.seconds_expected(task) * self.calls[task] >= self.config.credit:
            return
        for slot in range(len(self.places)):
            process = self.current(slot)
            if process and process.held and not process.full:
                many = self.calls_of(process) >= self.config.credit_limit
                assert many or process.load() >= self.config.credit, "it could begin earlier"

    @always
    def nobody_lacks_a_relay_who_can_have_one(self):
        task = next(iter(self.queue), None)
        if task is None or self.timeouts[task] < math.inf or self.kinds[task] is None:
            return
        if self.calls[task] == 1 and not any(p.dormant and p.wanted for p in self.places):
            processes = [self.current(slot) for slot in range(len(self.places))]
            assert not any(p and self.can_have_a_relay(p) for p in processes)

    @always
    def nothing_waits_behind_a_long_task_beside_an_idle_worker(self):
        if any(slot.state.name == "IDLE" for slot in self.core.slots):
            assert not any(p.stuck and not p.kills for p in self.alive.values())

    @always
    def every_task_is_queued_held_or_resolved(self):
        assert list(self.core.ready) == list(self.queue)
        for slot in self.core.slots:
            assert list(slot.bound) == [t for t, w in self.bound.items() if w == slot.worker]
        held = {p.held[0] for p in self.alive.values() if p.held and not p.timed_out}
        ahead = {task for process in self.alive.values() for task, _ in process.ahead}
        held |= {task for task in ahead if task not in self.resolved}
        paused = set(self.pausing) | set(self.judged)
        assert len(self.core.waiting) == len(paused)
        assert all(task in self.core.waiting for task in paused)
        unresolved = set(self.timeouts) - set(self.resolved)
        assert unresolved == held | set(self.queue) | set(self.bound) | paused
        assert set(self.core.tasks) == unresolved, "remembered for ever, or forgotten too early"

    @always
    def nothing_due_is_left_undone(self):
        for slot, place in enumerate(self.places):
            process = self.current(slot)
            if process:
                assert process.due() > self.now
                assert bool(process.held and process.stop_wanted) <= process.interrupted
                worker = WorkerId(slot, place.incarnation)
                assert not (process.is_idle() and self.must_exit(worker, process))
            elif not place.retired and not place.dormant:
                assert place.spawn_at > self.now
        assert all(due > self.now for due in self.pausing.values())

    @always
    def the_next_deadline_is_never_late(self):
        due = [p.due() for p in self.alive.values()]
        due += [
            place.spawn_at
            for slot, place in enumerate(self.places)
            if self.current(slot) is None and not place.retired and not place.dormant
        ]
        slots_due = min(due, default=math.inf)
        earliest = min([slots_due, *self.pausing.values()])
        if earliest < math.inf:
            assert self.core.next_deadline() is not None, "nobody would wake up"
            assert self.core.next_deadline() <= earliest
        assert min(slot.due for slot in self.core.slots) == slots_due

    @always
    def the_end_is_announced(self):
        if all(place.retired for place in self.places if place.wanted):
            assert self.closing or self.broken
        if all(place.retired for place in self.places) and self.closing:
            assert self.announced[-1:] == ["closed"]
        assert self.core.closing == self.closing
        assert self.core.closed == ("closed" in self.announced)
        assert self.core.broken == self.broken

    @always
    def nobody_sleeps_while_there_is_work(self):
        asleep = [p for p in self.places if p.dormant and p.wanted]
        assert list(self.core._crew.asleep) == [] or asleep
        if asleep and self.queue:
            assert self.starting() >= len(self.queue)

    @always
    def nothing_grows_without_bound(self):
        assert len(self.core._crew.deadlines) <= 2 * len(self.places)
        assert len(self.core._crew.idle) == self.core.count(
            *(slot.state for slot in self.core.slots if slot.state.name == "IDLE")
        )
        assert len(self.core.waiting._heap) <= 2 * len(self.core.waiting) + 9
        assert len(self.core.story) <= 256
        for slot in self.core._crew.roomy.values():
            assert slot.state.name == "BUSY"

    @always
    def it_knows_whether_a_new_task_would_wait_for_another(self):
        states = [slot.state.name for slot in self.core.slots]
        asleep = any(p.dormant and p.wanted for p in self.places)
        expected = "BUSY" in states and "IDLE" not in states and not asleep
        assert self.core.saturated() == expected
        assert self.core.flowing() == any(map(self.is_roomy, self.alive.values()))

    def check_everything(self):
        self.the_core_and_the_books_agree_on_every_slot()
        self.no_ready_task_beside_an_idle_worker()
        self.a_slot_has_a_task_exactly_while_busy()
        self.every_task_is_queued_held_or_resolved()
        self.nothing_due_is_left_undone()
        self.the_next_deadline_is_never_late()
        self.the_end_is_announced()
        self.nobody_sleeps_while_there_is_work()
        self.nothing_grows_without_bound()
