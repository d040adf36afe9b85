"""A world against the pool core: Hypothesis plays the user, the operating system and the clock.

After every step the core must agree with the books (`PoolBooks`); at the end the pool must drain,
and must be closable, in a world that behaves well and in worlds that do not.
"""

from __future__ import annotations

import math

from chances import always, first, made, one_of, or_none, rule, some_of, whole
from hypothesis.stateful import RuleBasedStateMachine
from pool_books import Expected, PoolBooks

from wetlands.core import events as on
from wetlands.core.events import Outcome, WorkerId

# Halves and whole seconds: sums are exact, so that the books and the core agree to the bit.
GRACES = one_of(0.0, 1.0, 3.0, 20.0)
PATIENCES = one_of(math.inf, math.inf, 0.0, 2.0, 5.0, 30.0)
DELAYS = one_of(0.0, 0.0, 0.0, 0.0, 7.0)  #: a message that was late in being read
#: How processes behave at the end: well; listening to nothing but a kill; not even to that;
#: dying of themselves.
WORLDS = ["fair", "hostile", "undead", "mortal"]
MAYBE = one_of(False, True)
RARELY = one_of(False, False, False, True)
PICKS = whole(0, 11)
KINDS = one_of(None, "quick", "quick", "quick", "slow", "uneven")
LAST_WORDS = one_of(Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELED)
CONFIGS = made(
    dict,
    size=whole(1, 3),
    startup_timeout=one_of(8.0),
    worker_timeout=one_of(math.inf, 6.0),
    interrupt_grace=one_of(1.0, 25.0),
    stop_grace=one_of(0.5, 2.0),
    kill_retry=one_of(1.0, 12.0),
    kill_limit=whole(1, 3),
    delivery_limit=whole(1, 3),
    poison_limit=whole(1, 3),
    max_tasks=one_of(*[math.inf] * 7, 1, 3),
    max_memory=one_of(math.inf, math.inf, math.inf, 10.0),
    memory_share=one_of(0.5),
    idle_timeout=one_of(math.inf, 4.0),
    credit=one_of(0.5, 1.0),
    credit_limit=one_of(1, 2, 4, 4, 9, 9, 9),
    stall_timeout=one_of(2.0, 13.0),
    wake=one_of(0.0, 0.5),
    restart_limit=one_of(0, 1, 2, 6),
    backoff_base=one_of(0.0, 1.0, 1.0),
    backoff_cap=one_of(3.0),
    stable_after=one_of(10.0),
)
#: Mostly none; with numbers of which every sum and product is exact.
PLANS = or_none(
    made(
        dict,
        on_error=one_of(0, 1, 2),
        on_lost=one_of(0, 1, 2, 5),
        delay=one_of(0.0, 1.0, 4.0),
        backoff=one_of(1.0, 2.0),
        max_delay=one_of(1.5, 8.0, math.inf),
        judged=MAYBE,
    )
)
#: How runs end: with an error, with the worker, with the worker before it began, and with an error
#: though something else was wanted.
FATES = ["fail", "fail", "fail", "die", "die", "miss", "miss", "cancel"]
VICTIMS = one_of(
    lambda process: True,
    lambda process: process.kills,
    lambda process: process.held,
    lambda process: process.held and process.began != process.held,
)


class PoolWorld(PoolBooks):
    @first(
        config=CONFIGS,
        world=one_of(*WORLDS),
        warm=one_of(True, True, False),
        known=MAYBE,
        withholds=MAYBE,
    )
    def open_pool(self, config, world, warm, known, withholds):
        self.world = world
        self.open_books(config)
        self.withholds = withholds
        if warm:
            self.run_smoothly()
        if warm and known:
            self.learn_what_is_quick()

    def pick(self, index, keep):
        fits = sorted(worker for worker, process in self.alive.items() if keep(process))
        return fits[index % len(fits)] if fits else None

    # -- the user ---------------------------------------------------------------------------------

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
                process.full |= process.held is not None
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

    # -- the processes ----------------------------------------------------------------------------

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

    # -- what takes several steps, and would rarely happen by chance ------------------------------

    def learn_what_is_quick(self):
        """Have short tasks run until they are known to be short; say whether they can be lent."""
        for _ in range(3):
            if self.is_limited() or self.closing or self.broken:
                return False
            if self.means.get("quick", (0.0, 0))[1] >= 3:
                break
            self.submit(timeout=math.inf, number=1, plan=None, kind="quick")
            worker = self.bring_to_work(len(self.timeouts) - 1)
            if worker is None:
                return False
            self.end_task(worker, Outcome.COMPLETED)
        return self.config.credit_limit > 1

    def work_ahead(self, fits):
        """Have a worker at short tasks that ``fits``; return who, or None if there can't be one."""
        if not self.learn_what_is_quick():
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
            return
        if end != "exit":
            process.undead = end == "hang"
            self.send_garbage(worker, process)
        if process.kills and process.ahead:  # those of which nobody knows whether they began
            self.speak_out_of_turn(worker)
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
        if why == "worn":
            self.wear_out(worker)
        elif why == "smaller":
            self.resize(max(1, worker.slot))
        else:
            self.restart()
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

    @rule()
    def keep_others_waiting(self):
        """A task that was taken for a short one takes long, and others are behind it."""
        worker = self.work_ahead(lambda p: p.ahead)
        if worker and self.get_stuck(worker):
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
        if not self.learn_what_is_quick():
            return
        self.submit_short_ones(number=number)
        if cancel:
            worker = self.pick(0, lambda p: p.ahead and not p.kills)
            if worker:
                self.cancel_task(self.alive[worker].ahead[0][0], math.inf)
        self.submit(timeout=timeout, number=1, plan=None, kind=kind)

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

    # -- what must be ignored ---------------------------------------------------------------------

    def utterances(self, worker, task, attempt):
        yield on.TaskProgressed(worker, task, attempt)
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

    # -- time -------------------------------------------------------------------------------------

    @rule(dt=one_of(0.0, 0.5, 1.0, 3.0, 11.0, 40.0))
    def wait(self, dt):
        self.feed(on.ClockAdvanced(), delay=dt)

    @rule()
    def wait_for_the_next_deadline(self):
        due = self.core.next_deadline()
        if due is not None:
            self.feed(on.ClockAdvanced(), delay=max(0.0, due - self.now))

    # -- safety: after every step -----------------------------------------------------------------

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
            if process.held and process.reclaimed and self.has_more(process):
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
    def nothing_waits_behind_a_long_task_beside_an_idle_worker(self):
        if any(slot.state.name == "IDLE" for slot in self.core.slots):
            assert not any(p.stuck and not p.kills for p in self.alive.values())

    @always
    def every_task_is_queued_held_or_resolved(self):
        assert list(self.core.ready) == list(self.queue)
        for slot in self.core.slots:
            assert list(slot.bound) == [t for t, w in self.bound.items() if w == slot.worker]
        held = {p.held[0] for p in self.alive.values() if p.held and not p.timed_out}
        held |= {task for process in self.alive.values() for task, _ in process.ahead}
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

    # -- liveness: from every state that can be reached the pool drains, and can be closed ---------

    def teardown(self):
        if not getattr(self, "sound", False):
            return  # it failed already, or had not even begun
        if self.world == "fair":
            self.drain()
        self.close_for_good(grace=4.0)

    def drain(self):
        """Where processes boot, work and die when killed, every task ends."""
        for process in self.alive.values():
            process.undead = process.undead and process.kills > 0
        for _ in range(2000):
            if len(self.resolved) == len(self.timeouts):
                return
            self.step_or_wait()
        raise AssertionError("the pool stalls")

    def close_for_good(self, grace):
        """However processes behave, close ends in bounded time, and nothing is left behind."""
        start = self.now
        self.request_close(grace)
        for _ in range(2000):
            if "closed" in self.announced:
                break
            self.step_or_wait()
        config = self.config
        bound = grace + config.stop_grace + config.kill_retry * config.kill_limit
        assert self.now - start <= bound, "too late"
        assert self.announced.count("closed") == 1, list(self.core.story)[-6:]
        lost = set(self.timeouts) - set(self.resolved)
        assert not lost, "task lost"
        assert all(p.kills == config.kill_limit for p in self.alive.values()), "process leaked"
        assert self.core.next_deadline() is None

    def step_or_wait(self):
        if self.judged and self.world == "fair":
            self.decide(next(iter(self.judged)), again=True)
        elif not any(self.step(worker, process) for worker, process in list(self.alive.items())):
            due = self.core.next_deadline()
            assert due is not None, "nothing to wait for, and yet not at the end"
            self.feed(on.ClockAdvanced(), delay=max(0.0, due - self.now))
        self.check_everything()

    def step(self, worker, process) -> bool:
        """Let the process do what it does in this world; return whether it did anything."""
        if process.given_up:
            return False
        if self.world == "fair":
            return self.step_fairly(worker, process)
        if not process.undead and (
            self.world == "mortal" or (self.world == "hostile" and process.kills)
        ):
            self.exit(worker)
            return True
        if process.last:
            self.progress(worker)  # it is not silent at least
        return False

    def step_fairly(self, worker, process) -> bool:
        if process.kills or process.asked:
            if not process.undead:
                self.exit(worker)
            return not process.undead
        if not process.booted:
            self.boot_process(worker)
        elif process.held and not process.undead:
            self.end_task(worker, Outcome.COMPLETED)
        else:
            return False
        return True


class PoolMachine(PoolWorld, RuleBasedStateMachine):
    """The same, for Hypothesis."""
