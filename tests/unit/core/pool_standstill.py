"""Workers that a signal stops while they have something to do, in the world of `PoolWorld`."""

from __future__ import annotations

import math

from chances import one_of, rule, whole
from pool_chances import MAYBE, PICKS, PLANS, RARELY
from pool_scenes import Scenes

from wetlands.core import events as on
from wetlands.core.events import Outcome


class Standstills(Scenes):
    @rule(index=PICKS, what=one_of(None, 1, 1, 2))
    def be_stopped_or_continued(self, index, what):
        worker = self.pick(index, lambda p: p.booted)
        if worker:
            self.alive[worker].standstill = what

    @rule(index=PICKS)
    def be_seen_without_a_need(self, index):
        worker = self.pick(index, lambda p: p.booted)
        if worker:
            self.see(worker)

    @rule(
        begun=whole(0, 2),
        ahead=MAYBE,
        calls=MAYBE,
        bound=MAYBE,
        wanted=one_of("nothing", "nothing", "cancel", "time", "close"),
        moves=RARELY,
        end=one_of("exit", "exit", "say", "hang"),
        plan=PLANS,
    )
    def freeze(self, begun, ahead, calls, bound, wanted, moves, end, plan):
        """A worker is stopped while it has something to do."""
        if self.config.frozen_timeout == math.inf or self.closing or self.broken:
            return
        worker = self.work_for_a_frozen_one(ahead, calls, wanted, plan)
        if worker is None or self.alive[worker].undead:
            return
        process = self.alive[worker]
        task = process.held[0]
        process.standstill = 7
        for run in process.line[process.position() : begun]:
            process.began = run
            self.begun.add(run)
        if bound:
            self.bind(worker, 1, math.inf, None, None)
        if wanted == "cancel":
            self.cancel_task(task, math.inf)
        self.wait_until_it_is_frozen(worker, moves)
        if worker in self.alive and process.kills:
            if wanted == "close":
                self.request_close(1.0)
            if end == "say" and process.line:
                self.end_task(worker, Outcome.FAILED)
            process.undead = end == "hang"
            if end != "hang" and worker in self.alive:
                self.exit(worker)

    def work_for_a_frozen_one(self, ahead, calls, wanted, plan):
        if ahead:
            return self.work_ahead(lambda p: p.ahead)
        timeout = 2.0 if wanted == "time" else math.inf
        if calls and wanted != "time":
            self.submit_several_calls(number=1, calls=3, kind="slow", more=0)
        else:
            self.submit(timeout=timeout, number=1, plan=plan, kind=None)
        return self.bring_to_work(len(self.timeouts) - 1)

    def wait_until_it_is_frozen(self, worker, moves):
        process = self.alive[worker]
        for look in range(self.config.frozen_looks + 1 + 2 * moves):
            if worker not in self.alive or process.kills or not process.held:
                return
            if moves and look == 2:
                process.standstill = 8  # it moved in between
            if process.look_at < math.inf:
                self.feed(on.ClockAdvanced(), delay=max(0.0, process.look_at - self.now))
