"""What processes do, and what they say that nobody must listen to, in the world of `PoolWorld`."""

from __future__ import annotations

import math

from chances import one_of, rule, whole
from pool_books import PoolBooks
from pool_chances import DELAYS, LAST_WORDS, MAYBE, PICKS, RARELY, VICTIMS

from wetlands.core import events as on
from wetlands.core.events import Outcome


class Processes(PoolBooks):
    def pick(self, index, keep):
        fits = sorted(worker for worker, process in self.alive.items() if keep(process))
        return fits[index % len(fits)] if fits else None

    @rule()
    def run_smoothly(self):
        """Wait out every backoff and boot everybody, so that deep states stay reachable."""
        waits = [p.spawn_at for s, p in enumerate(self.places) if self.current(s) is None]
        self.now = max([self.now, *(at for at in waits if at <= self.now + 3.0)])
        self.feed(on.ClockAdvanced())
        for worker, process in list(self.alive.items()):
            if not process.booted and not process.kills:
                self.boot_process(worker)

    @rule(index=PICKS, delay=DELAYS)
    def boot(self, index, delay):
        worker = self.pick(index, lambda p: not p.booted)
        if worker:
            self.boot_process(worker, delay=delay)

    @rule(index=PICKS)
    def begin(self, index):
        if not any(p.position() < len(p.line) for p in self.alive.values()):
            return
        process = self.alive[self.pick(index, lambda p: p.position() < len(p.line))]
        process.began = process.line[process.position()]
        self.begun.add(process.began)

    @rule(index=PICKS)
    def skip(self, index):
        """It finds a task reclaimed of which the driver could not tell whether it had begun."""
        doubtful = lambda p: p.full and p.position() < len(p.line)  # noqa: E731
        worker = self.pick(index, lambda p: doubtful(p) and p.line[p.position()] in p.ahead)
        if worker and self.withholds:
            process = self.alive[worker]
            run = process.line[process.position()]
            while process.line[0] != run:
                self.end_task(worker, Outcome.COMPLETED)
            self.give_back(worker, run)

    @rule(index=PICKS, delay=DELAYS)
    def report(self, index, delay):
        worker = self.pick(index, lambda p: p.last)
        if worker:
            self.progress(worker, delay=delay)

    @rule(index=PICKS, outcome=LAST_WORDS, delay=DELAYS)
    def end(self, index, outcome, delay):
        worker = self.pick(index, lambda p: p.last)
        if worker:
            self.end_task(worker, outcome, delay=delay)

    @rule(index=PICKS, delay=DELAYS, fits=VICTIMS)
    def die(self, index, delay, fits):
        worker = self.pick(index, lambda p: not p.undead and fits(p))
        if worker:
            self.exit(worker, delay=delay)

    @rule(index=PICKS, sure=RARELY)
    def fault(self, index, sure):
        worker = self.pick(index, lambda p: True)
        if worker is None or not sure:
            return
        process = self.alive[worker]
        if process.kills:
            assert self.feed(on.WorkerFaulted(worker, "more garbage")) == []
            return
        self.send_garbage(worker, process)

    def send_garbage(self, worker, process):
        process.kill_at = process.force_at = self.now
        process.force_outcome = Outcome.LOST
        process.limit_at = math.inf
        self.feed(on.WorkerFaulted(worker, "garbage"))

    @rule(index=PICKS, sure=RARELY)
    def become_undead(self, index, sure):
        worker = self.pick(index, lambda p: not p.undead)
        if worker and sure:
            self.alive[worker].undead = True

    @rule(index=PICKS, memory=one_of(5.0, 6.0, 10.0, 11.0), idle=MAYBE, end=MAYBE)
    def grow(self, index, memory, idle, end):
        if self.config.max_memory == math.inf:
            return
        if not idle:
            self.submit(timeout=math.inf, number=1, plan=None, kind=None)
        worker = self.pick(index, lambda p: not p.given_up and bool(p.held) != idle)
        if worker:
            self.measure(worker, memory)
            process = self.alive[worker]
            if end and process.held and process.held == process.last:
                self.end_task(worker, Outcome.COMPLETED)

    @rule(index=PICKS, idle=MAYBE, sure=RARELY)
    def be_worn_by_what_tasks_leave(self, index, idle, sure):
        worker = self.pick(index, lambda p: not p.given_up and p.is_idle() == idle)
        if worker and (sure or self.alive[worker].runs):
            self.wear_out(worker)

    @rule(index=PICKS, sure=MAYBE)
    def be_worn_and_go_at_once(self, index, sure):
        worker = self.pick(index, lambda p: p.last and p.held == p.last and not p.undead)
        if worker and sure:
            self.end_task(worker, Outcome.COMPLETED)
            self.wear_out(worker)
            self.exit(worker)

    @rule(index=PICKS, idle=MAYBE)
    def keep_a_value(self, index, idle):
        worker = self.pick(index, lambda p: not p.given_up and p.is_idle() == idle)
        if worker:
            self.pin(worker, pinned=True)

    @rule(index=PICKS, idle=MAYBE)
    def drop_the_last_value(self, index, idle):
        worker = self.pick(index, lambda p: p.pinned and not p.given_up and p.is_idle() == idle)
        if worker:
            self.pin(worker, pinned=False)

    # -- what must be ignored ---------------------------------------------------------------------

    def utterances(self, worker, task, attempt):
        yield on.TaskProgressed(worker, task, attempt)
        yield on.TaskAdvanced(worker, task, attempt)
        for outcome in (Outcome.COMPLETED, Outcome.CANCELED):
            yield on.TaskEnded(worker, task, attempt, outcome, None, 0.25)
        yield on.TaskReturned(worker, task, attempt)

    @rule(index=PICKS, back=PICKS, attempt=whole(1, 3))
    def mutter_about_what_it_does_not_run(self, index, back, attempt):
        if not self.timeouts:
            return
        worker = self.pick(index, lambda p: True)
        task = len(self.timeouts) - 1 - back % len(self.timeouts)
        process = worker and self.alive[worker]
        if process and (task, attempt) not in [process.held, *process.ahead]:
            for event in self.utterances(worker, task, attempt):
                assert self.feed(event) == [], "stale, and yet it had an effect"

    @rule(index=PICKS, back=PICKS, attempt=whole(1, 2))
    def speak_from_the_grave(self, index, back, attempt):
        if not self.timeouts:
            return
        graves = self.dead + [w for w, p in self.alive.items() if p.given_up]
        if not graves:
            return
        worker = graves[-1 - index % len(graves)]
        task = len(self.timeouts) - 1 - back % len(self.timeouts)
        assert self.feed(on.WorkerReady(worker)) == []
        assert self.feed(on.WorkerFaulted(worker, "garbage")) == []
        assert self.feed(on.WorkerMeasured(worker, 1e9)) == []
        for _ in range(self.config.frozen_looks + 1):
            assert self.feed(on.WorkerSeen(worker, 1)) == []
        assert self.feed(on.WorkerWorn(worker)) == []
        assert self.feed(on.WorkerPinned(worker, pinned=True)) == []
        assert self.feed(on.WorkerExited(worker, (task, attempt))) == []
        for slot in range(len(self.places)):
            held = (process := self.current(slot)) and process.held
            for event in self.utterances(worker, *(held or (task, attempt))):
                assert self.feed(event) == [], "the dead can't speak"

    @rule(index=PICKS)
    def speak_of_what_it_is_not_at(self, index):
        worker = self.pick(index, lambda p: p.ahead)
        if worker:
            self.speak_out_of_turn(worker)

    def speak_out_of_turn(self, worker):
        task, attempt = self.alive[worker].ahead[-1]
        assert self.feed(on.TaskProgressed(worker, task, attempt)) == []
        if not self.alive[worker].kills:
            assert self.feed(on.TaskEnded(worker, task, attempt, Outcome.COMPLETED)) == []
        for event in self.utterances(worker, task, attempt - 1):
            assert self.feed(event) == [], "stale, and yet it had an effect"
