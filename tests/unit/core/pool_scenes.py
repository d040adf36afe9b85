"""What takes several steps, and would rarely happen by chance."""

from __future__ import annotations

import math

from chances import one_of, rule, some_of, whole
from pool_books import PoolBooks
from pool_chances import FATES, MAYBE, PICKS, PLANS, RARELY

from wetlands.core import events as on
from wetlands.core.events import Outcome, WorkerId


class Scenes(PoolBooks):
    def learn(self, kind):
        """Have tasks run until it is known how long they take; say whether any can be lent."""
        for _ in range(3):
            if self.is_limited() or self.closing or self.broken:
                return False
            if self.means.get(kind, (0.0, 0))[1] >= 3:
                break
            self.submit(timeout=math.inf, number=1, plan=None, kind=kind)
            worker = self.bring_to_work(len(self.timeouts) - 1)
            if worker is None:
                return False
            self.end_task(worker, Outcome.COMPLETED)
        return self.config.credit_limit > 1

    def ask_to_go(self, worker, why):
        """Have a worker exit when it is idle next."""
        if why == "worn":
            self.wear_out(worker)
        elif why == "smaller":
            self.resize(max(1, worker.slot))
        else:
            self.restart()

    def work_ahead(self, fits):
        """Have a worker at short tasks that ``fits``; return who, or None if there can't be one."""
        if not self.learn("quick"):
            return None
        self.submit_short_ones(number=1)
        worker = self.bring_to_work(len(self.timeouts) - 1)
        for _ in range(6 if worker else 0):
            if fits(self.alive[worker]):
                return worker
            self.submit_short_ones(number=1)
        return None

    @rule(
        number=whole(1, 3),
        begun=whole(0, 2),
        end=one_of("exit", "fault", "fault", "hang", "cancel"),
        close=MAYBE,
        done=MAYBE,
    )
    def come_to_an_end_with_tasks_ahead(self, number, begun, end, close, done):
        """More may have begun, and may be done, than is known."""
        worker = self.work_ahead(
            lambda p: len(p.ahead) >= number or (p.ahead and not self.is_roomy(p))
        )
        if worker is None or self.alive[worker].undead:
            return
        process = self.alive[worker]
        for run in process.line[process.position() : begun]:
            process.began = run
            self.begun.add(run)
        if end == "cancel":
            self.cancel_task(process.ahead[0][0], math.inf)
            if done and self.get_stuck(worker):
                self.skip(index=0)
                self.have_somebody_idle()
            return
        if end != "exit":
            process.undead = end == "hang"
            self.send_garbage(worker, process)
        if process.kills and process.ahead:  # those of which nobody knows whether they began
            self.speak_out_of_turn(worker)
            self.take_back(process.ahead[-1][0])
            if close:
                self.request_close(1.0)
        if process.line and done and end == "fault":
            self.end_task(worker, Outcome.COMPLETED)
        if end != "hang":
            self.exit(worker)

    @rule(why=one_of("worn", "worn", "anew", "smaller"), bound=MAYBE)
    def be_asked_to_go_at_short_tasks(self, why, bound):
        worker = self.work_ahead(self.is_roomy)
        if worker is None:
            return
        self.ask_to_go(worker, why)
        if bound:
            self.bind(worker, 1, math.inf, None, "quick")
            self.bring_to_work(len(self.timeouts) - 1)
        self.submit_short_ones(number=2)

    @rule(index=PICKS, worn=MAYBE, busy=MAYBE, dropped=MAYBE)
    def end_and_keep_the_value(self, index, worn, busy, dropped):
        worker = self.pick(index, lambda p: p.last and p.held == p.last and not p.kills)
        if worker:
            self.pin(worker, pinned=True)
            self.end_task(worker, Outcome.COMPLETED)
            if worn:
                self.wear_out(worker)
            if busy:
                self.submit_short_ones(number=1)
            if dropped:
                self.pin(worker, pinned=False)

    @rule(bound=MAYBE, first=MAYBE)
    def skip_what_was_doubtful(self, bound, first):
        """Of tasks that are taken back, one may have begun; then its turn comes, and it has not."""
        worker = self.work_ahead(lambda p: len(p.ahead) >= 2) if self.withholds else None
        if worker is None:
            return
        process = self.alive[worker]
        for run in process.line[process.position() : 2]:
            process.began = run
            self.begun.add(run)
        if bound:
            self.bind(worker, 1, math.inf, None, None)
        self.cancel_task(process.ahead[-1][0], math.inf)
        if first and process.held and process.has_begun(process.held):
            self.end_task(worker, Outcome.COMPLETED)
        doubtful = process.line[process.position() :]
        if doubtful and doubtful[0] in [process.held, *process.ahead]:
            self.give_back(worker, doubtful[0])

    @rule(pause=one_of(0.5, 1.0))
    def send_more_later(self, pause):
        worker = self.work_ahead(lambda p: p.ahead and self.is_roomy(p))
        if worker:
            self.feed(on.ClockAdvanced(), delay=pause)
            self.submit_short_ones(number=1)

    @rule(index=PICKS)
    def get_going_again(self, index):
        """A call takes long, so that its worker is stuck, and then ends after all."""
        worker = self.pick(index, lambda p: p.held and self.calls[p.held[0]] > 1)
        if worker is None:
            self.submit_several_calls(number=1, calls=3, kind="slow", more=0)
            worker = self.bring_to_work(len(self.timeouts) - 1)
        if worker and self.get_stuck(worker):
            process = self.alive[worker]
            process.began = process.held
            self.begun.add(process.began)
            self.advance_calls(worker)
            self.have_somebody_idle()

    @rule(ends=MAYBE)
    def keep_others_waiting(self, ends):
        """A task that was taken for a short one takes long, and others are behind it."""
        worker = self.work_ahead(lambda p: len(p.ahead) > ends)
        if worker and self.get_stuck(worker):
            if ends:
                self.end_task(worker, Outcome.COMPLETED)
            self.have_somebody_idle()

    def get_stuck(self, worker):
        for _ in range(2):
            stall_at = self.alive[worker].stall_at
            if stall_at < math.inf:
                self.feed(on.ClockAdvanced(), delay=max(0.0, stall_at - self.now))
        return self.alive[worker].stuck

    def have_somebody_idle(self):
        other = self.pick(0, lambda p: p.held and p.held == p.last and not p.stuck)
        if other:
            self.end_task(other, Outcome.COMPLETED)

    @rule()
    def have_a_lull(self):
        if self.config.idle_timeout == math.inf:
            return
        self.feed(on.ClockAdvanced(), delay=self.config.idle_timeout)
        for worker, process in list(self.alive.items()):
            if process.asked and not process.undead:
                self.exit(worker)

    @rule(index=PICKS, sure=RARELY)
    def crash_again_and_again(self, index, sure):
        slot = index % len(self.places)
        for _ in range(self.config.restart_limit + 1 if sure else 0):
            place = self.places[slot]
            if self.current(slot) is None and not (place.retired or place.dormant):
                self.feed(on.ClockAdvanced(), delay=max(0.0, place.spawn_at - self.now))
            process = self.current(slot)
            if process is None or process.undead:
                return
            self.exit(WorkerId(slot, place.incarnation))

    def bring_to_work(self, task):
        """Have everybody else get on until a worker is at the task; return who, or None."""
        for _ in range(20):
            if task in self.resolved or self.closing or self.broken:
                return None
            worker = self.pick(0, lambda p: p.held and p.held == p.last and p.held[0] == task)
            if worker:
                return worker
            if task in self.judged:
                attempt = self.judged[task]
                assert self.feed(on.RetryJudged(task, attempt - 1, again=True)) == []
                self.decide(task, again=True)
            elif task in self.pausing:
                self.feed(on.ClockAdvanced(), delay=max(0.0, self.pausing[task] - self.now))
            else:
                self.run_smoothly()
                other = self.pick(0, lambda p: p.held and p.held == p.last and not p.undead)
                if other and self.alive[other].held[0] != task:
                    self.end_task(other, Outcome.COMPLETED)
        return None

    @rule(plan=PLANS, fates=some_of(*FATES, least=2, most=6), again=MAYBE)
    def fail_again_and_again(self, plan, fates, again):
        if self.closing or self.broken or plan is None:
            return
        self.submit(timeout=math.inf, number=1, plan=plan, kind=None)
        task = len(self.timeouts) - 1
        for fate in fates:
            worker = self.bring_to_work(task)
            if worker is None or self.alive[worker].undead:
                return
            process = self.alive[worker]
            if fate == "cancel":
                self.cancel_task(task, math.inf)
            if fate in ("fail", "cancel"):
                self.end_task(worker, Outcome.FAILED)
                continue
            if fate == "die" and not process.position():
                process.began = process.held
                self.begun.add(process.held)
            self.exit(worker)
        if task in self.judged:
            self.decide(task, again)

    @rule(
        timeout=one_of(2.0, 5.0),
        patiences=some_of(math.inf, 0.0, 2.0, 5.0, 30.0, least=0, most=2),
        waits=whole(1, 3),
        plan=PLANS,
    )
    def run_out_of_time_and_patience(self, timeout, patiences, waits, plan):
        if self.closing or self.broken:
            return
        self.submit(timeout=timeout, number=1, plan=plan, kind=None)
        task = len(self.timeouts) - 1
        worker = self.bring_to_work(task)
        for force_after in patiences:
            if worker and task not in self.resolved:
                self.cancel_task(task, force_after)
        for _ in range(waits if worker else 0):
            self.wait_for_the_next_deadline()
        if worker in self.alive and self.alive[worker].last:
            self.end_task(worker, Outcome.FAILED)

    @rule(sure=RARELY)
    def cancel_many_pauses(self, sure):
        plan = {"on_error": 1, "delay": 4.0}
        for _ in range(12 if sure and not (self.closing or self.broken) else 0):
            self.submit(timeout=math.inf, number=1, plan=plan, kind=None)
            task = len(self.timeouts) - 1
            worker = self.bring_to_work(task)
            if worker is None:
                return
            self.end_task(worker, Outcome.FAILED)
            if task in self.pausing:
                self.cancel_task(task, math.inf)

    @rule(index=PICKS, late=MAYBE, sure=MAYBE)
    def crash_after_a_long_life(self, index, late, sure):
        """That is, after a crash; or have the second one after a short life, and be seen late."""
        worker = self.pick(index, lambda p: p.is_idle() and not p.undead)
        if worker is None or not sure or not self.config.restart_limit:
            return
        self.exit(worker)
        place = self.places[worker.slot]
        if self.current(worker.slot) is None and not (place.retired or place.dormant):
            self.feed(on.ClockAdvanced(), delay=max(0.0, place.spawn_at - self.now))
        worker = WorkerId(worker.slot, place.incarnation)
        if self.current(worker.slot) is None:
            return
        process = self.alive[worker]
        self.boot_process(worker)
        if late:
            self.send_garbage(worker, process)
        self.feed(on.ClockAdvanced(), delay=self.config.stable_after)
        if worker in self.alive:
            self.exit(worker)

    @rule(what=one_of("lull", "crash"), sure=RARELY)
    def have_slots_without_a_process_and_become_smaller(self, what, sure):
        if not sure or self.closing or self.broken or len(self.places) < 2:
            return
        if what == "lull" and self.config.idle_timeout < math.inf:
            self.have_a_lull()
        elif what == "crash":
            self.crash_again_and_again(len(self.places) - 1, sure=True)
        if self.closing or self.broken:
            return
        self.resize(1)
        if not self.broken:
            self.submit_short_ones(number=2)
            self.restart()

    @rule(
        number=one_of(1, 4),
        kind=one_of(None, "slow", "quick", "quick"),
        timeout=one_of(math.inf, 30.0),
        cancel=MAYBE,
    )
    def mix_short_tasks_with_another_one(self, number, kind, timeout, cancel):
        if not self.learn("quick"):
            return
        self.submit_short_ones(number=number)
        if cancel:
            worker = self.pick(0, lambda p: p.ahead and not p.kills)
            if worker:
                self.cancel_task(self.alive[worker].ahead[0][0], math.inf)
        self.submit(timeout=timeout, number=1, plan=None, kind=kind)
