"""What the user of a pool does, in the world of `PoolWorld`."""

from __future__ import annotations

import math

from chances import one_of, rule, whole
from pool_books import PoolBooks
from pool_chances import DELAYS, GRACES, KINDS, MAYBE, PATIENCES, PICKS, PLANS, RARELY
from pool_records import Expected

from wetlands.core import events as on
from wetlands.core.events import Outcome


class User(PoolBooks):
    @rule(timeout=PATIENCES, number=one_of(1, 1, 3, 6), plan=PLANS, kind=KINDS)
    def submit(self, timeout, number, plan, kind):
        for _ in range(number):
            task = self.enter(timeout, plan, kind)
            if self.closing or self.broken:
                outcome = Outcome.CLOSED if self.closing else Outcome.BROKEN
                self.expected[task] = Expected(outcome)
            else:
                self.queue[task] = None
            self.feed(on.TaskSubmitted(task, timeout, retry=self.plan_of(task), kind=kind))

    @rule(number=one_of(2, 5))
    def submit_short_ones(self, number):
        self.submit(timeout=math.inf, number=number, plan=None, kind="quick")

    @rule(number=one_of(1, 1, 3), calls=whole(2, 4), kind=KINDS, more=PICKS)
    def submit_several_calls(self, number, calls, kind, more):
        for _ in range(number):
            task = self.enter(math.inf, None, kind, calls)
            if self.closing or self.broken:
                self.expected[task] = Expected(Outcome.CLOSED if self.closing else Outcome.BROKEN)
            else:
                self.queue[task] = None
            self.feed(on.TaskSubmitted(task, kind=kind, calls=calls))
        self.submit_short_ones(number=more // 4)

    @rule(index=PICKS)
    def add_a_call(self, index):
        if not self.timeouts:
            return
        task = sorted(self.timeouts)[-1 - index % len(self.timeouts)]
        if task in self.queue:
            self.calls[task] += 1
        assert self.feed(on.TaskResized(task, self.calls[task])) == []

    @rule(index=PICKS)
    def take_calls_back(self, index):
        if not self.timeouts:
            return
        self.take_back(sorted(self.timeouts)[-1 - index % len(self.timeouts)])

    @rule(index=PICKS, delay=DELAYS)
    def end_some_calls(self, index, delay):
        worker = self.pick(index, lambda p: p.held and p.has_begun(p.held))
        if worker:
            self.advance_calls(worker, delay=delay)

    @rule(
        timeout=PATIENCES,
        number=one_of(1, 2),
        index=PICKS,
        dead=RARELY,
        plan=PLANS,
        kind=KINDS,
    )
    def submit_bound(self, timeout, number, index, dead, plan, kind):
        worker = self.pick(index, lambda process: True)
        if dead and self.dead:
            worker = self.dead[-1 - index % len(self.dead)]
        if worker:
            self.bind(worker, number, timeout, plan, kind)

    def bind(self, worker, number, timeout, plan, kind):
        for _ in range(number):
            task = self.enter(timeout, plan, kind)
            self.choosy[task] = worker
            process = self.alive.get(worker)
            if self.closing or self.broken:
                outcome = Outcome.CLOSED if self.closing else Outcome.BROKEN
                self.expected[task] = Expected(outcome)
            elif process is None or process.kills or process.asked:
                self.expected[task] = Expected(Outcome.GONE)
            else:
                self.bound[task] = worker
                self.let_nothing_follow(process, process.held)
            self.feed(on.TaskSubmitted(task, timeout, worker, self.plan_of(task), kind=kind))

    @rule(index=PICKS, force_after=PATIENCES)
    def cancel(self, index, force_after):
        if len(self.resolved) == len(self.timeouts):
            return
        waiting = [task for task in self.timeouts if task not in self.resolved]
        self.cancel_task(waiting[index % len(waiting)], force_after)

    def cancel_task(self, task, force_after):
        self.tries.pop(task, None)
        for place in (self.queue, self.bound, self.pausing, self.judged):
            if task in place:
                del place[task]
                self.expected[task] = Expected(Outcome.CANCELED)
        for process in self.alive.values():
            if process.held and process.held[0] == task:
                process.want_stop(self.now + force_after, Outcome.CANCELED)
            runs = [run for run in process.ahead if run[0] == task]
            self.want_back(process, force_after, Outcome.CANCELED, runs)
        self.feed(on.CancelRequested(task, force_after))

    @rule(index=PICKS, again=MAYBE, delay=DELAYS)
    def judge(self, index, again, delay):
        if not self.judged:
            return
        self.decide(list(self.judged)[index % len(self.judged)], again, delay=delay)

    @rule(index=PICKS, attempt=whole(0, 3))
    def judge_what_nobody_asked_about(self, index, attempt):
        if not self.timeouts:
            return
        task = len(self.timeouts) - 1 - index % len(self.timeouts)
        if self.judged.get(task) != attempt:
            assert self.feed(on.RetryJudged(task, attempt, again=True)) == []

    @rule(index=PICKS)
    def cancel_what_has_ended(self, index):
        if not self.resolved:
            return
        task = sorted(self.resolved)[-1 - index % len(self.resolved)]
        assert self.feed(on.CancelRequested(task, 0.0)) == []

    @rule(grace=GRACES, cancel=MAYBE, sure=RARELY)
    def close(self, grace, cancel, sure):
        if len(self.timeouts) < 3 or not sure:
            return  # not too often: a pool that is closed has little left to get wrong
        worker = self.pick(0, lambda p: p.held and not p.has_begun(p.held) and not p.undead)
        if worker and cancel and self.alive[worker].held[0] not in self.resolved:
            self.cancel_task(self.alive[worker].held[0], math.inf)
        self.request_close(grace)
        if worker in self.alive and cancel:
            self.exit(worker)

    def request_close(self, grace):
        self.closing = True
        self.expect_queue_to_end(Outcome.CLOSED)
        for slot, place in enumerate(self.places):
            process = self.current(slot)
            if process is None:
                place.retired, place.dormant = True, False
            elif process.held:
                process.want_stop(self.now + grace, Outcome.CLOSED)
                process.reclaimed |= self.calls[process.held[0]] > 1
            elif not process.booted and not process.kills:
                process.kill_at = self.now
            if process is not None:
                self.want_back(process, grace, Outcome.CLOSED, process.ahead)
        self.feed(on.CloseRequested(grace))

    # -- more and fewer ---------------------------------------------------------------------------

    @rule(size=whole(1, 4), sure=RARELY)
    def change_size(self, size, sure):
        if sure and not (self.closing or self.broken):
            self.resize(size)
        elif sure:
            assert self.feed(on.ResizeRequested(size)) == []

    @rule(size=whole(1, 2), sure=RARELY)
    def become_smaller_for_a_while(self, size, sure):
        if sure and not (self.closing or self.broken):
            before = sum(place.wanted for place in self.places)
            self.resize(size)
            if not self.broken:  # none may be left but those that were given up
                self.resize(max(before, size))

    @rule(sure=RARELY)
    def start_anew(self, sure):
        if sure and not self.closing:
            self.restart()
        elif sure:
            assert self.feed(on.RestartRequested()) == []
