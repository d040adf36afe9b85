"""Workers at tasks that take a while, who know their next one."""

from __future__ import annotations

import math

from chances import one_of, rule
from pool_books import PoolBooks
from pool_chances import MAYBE

from wetlands.core.events import Outcome


class Relays(PoolBooks):
    def submit_slow_ones(self, number, kind="slow"):
        self.submit(timeout=math.inf, number=number, plan=None, kind=kind)

    def fill_up(self, more):
        """Have every worker at a slow task, and some more queued; say whether that can be."""
        if not self.learn("slow"):
            return False
        for _ in range(len(self.places)):
            if any(p.is_idle() for p in self.alive.values()):
                self.submit_slow_ones(1)
        self.submit_slow_ones(more)
        return True

    def pick_with_a_relay(self):
        return self.pick(0, lambda p: p.has_relay(self.config.credit) and not p.kills)

    @rule(ends=MAYBE, more=one_of(1, 2, 3))
    def run_out_of_work(self, ends, more):
        """Somebody becomes idle while others have relays, which he gets; then there is more."""
        if not self.fill_up(more) or self.pick_with_a_relay() is None:
            return
        for _ in range(4):
            free = self.pick(0, lambda p: p.held and p.held == p.last and not p.ahead)
            if free is None:
                break
            self.end_task(free, Outcome.COMPLETED)
        while ends and (busy := self.pick(0, lambda p: p.full and p.held and p.held == p.last)):
            self.end_task(busy, Outcome.COMPLETED)
        self.submit_slow_ones(len(self.places) + 1)

    @rule(more=one_of(1, 2), ends=MAYBE)
    def take_longer_than_others_do(self, more, ends):
        if not self.fill_up(more):
            return
        worker = self.pick_with_a_relay()
        if worker and self.get_stuck(worker) and ends:
            self.have_somebody_idle()

    @rule(why=one_of("anew", "worn", "smaller"))
    def be_asked_to_go_at_a_slow_task(self, why):
        if not self.fill_up(0):
            return
        worker = self.pick(0, lambda p: p.held and not p.ahead and not p.kills)
        if worker is None:
            return
        self.ask_to_go(worker, why)
        self.submit_slow_ones(2)

    @rule(why=one_of("anew", "worn", "smaller", "bound"), kind=one_of("slow", "odd"), pinned=MAYBE)
    def have_something_else_come_first(self, why, kind, pinned):
        """What a worker has besides may take for ever."""
        if not self.fill_up(0):
            return
        self.submit_slow_ones(1, kind)
        worker = self.pick_with_a_relay()
        if worker is None:
            return
        if why == "bound":
            self.bind(worker, 1, math.inf, None, None)
        else:
            self.ask_to_go(worker, why)
        if pinned:
            self.pin(worker, pinned=True)
            self.pin(worker, pinned=False)

    @rule(kind=one_of("slow", None, "quick"))
    def have_others_asleep(self, kind):
        """Only one worker has anything to do when there is more."""
        if self.config.idle_timeout == math.inf or not self.learn("slow"):
            return
        self.submit_slow_ones(1)
        if self.pick(0, self.can_have_a_relay):
            self.have_a_lull()
            self.submit_slow_ones(1, kind)

    @rule(kind=one_of(None, "quick", "uneven"), timeout=one_of(math.inf, 30.0))
    def mix_slow_tasks_with_another_one(self, kind, timeout):
        if self.fill_up(0):
            self.submit(timeout=timeout, number=1, plan=None, kind=kind)
            self.submit_slow_ones(1)

    @rule(calls=one_of(2, 3))
    def mix_slow_tasks_with_calls(self, calls):
        if self.fill_up(0):
            self.submit_several_calls(number=1, calls=calls, kind="quick", more=0)
            self.submit_slow_ones(1)
