"""What the loop thread does with a core, minus the I/O, holding every command against the books."""

from __future__ import annotations

import math

from pool_records import Expected, Process

from wetlands.core import events as on
from wetlands.core.events import Outcome


class PoolDriver:
    """Executes commands; `PoolBooks` has the books."""

    def feed(self, event, *, delay=0.0):
        self.sound = False
        self.now += delay
        self.just_paused.clear()
        self.give_up_on_the_undead()
        self.end_pauses()
        self.note_who_is_stuck()
        commands = self.core.handle(event, self.now)
        self.execute_all(commands)
        for _ in range(100):
            due = self.core.next_deadline()
            if due is None or due > self.now:
                break
            self.execute_all(self.core.handle(on.ClockAdvanced(), self.now))
        else:
            raise AssertionError("the core keeps asking for the same moment")
        assert not self.expected, f"not resolved: {self.expected}"
        assert not self.promoted, "begun, and nobody was told"
        while self.answers:
            self.answers.pop(0)()
        self.sound = True
        return commands

    def execute_all(self, commands):
        for command in commands:
            name = type(command).__name__
            execute = getattr(self, f"execute_{name}")  # the driver knows nothing else
            execute(command)

    def execute_SpawnWorker(self, command):  # noqa: N802
        place = self.places[command.worker.slot]
        assert command.worker.incarnation == place.incarnation + 1, "ids grow one by one"
        assert self.current(command.worker.slot) is None, "two processes in a slot"
        assert not self.closing, "a closing pool starts nothing"
        assert not place.retired, "no restart beyond the budget"
        assert self.now >= place.spawn_at, "no restart before the backoff is over"
        if place.dormant:
            assert place.wanted, "the pool is smaller"
            assert self.starting() < len(self.queue), "nothing to do for it"
            place.dormant = False
        place.incarnation += 1
        self.alive[command.worker] = Process(self.now, self.now + self.config.startup_timeout)

    def execute_DispatchTask(self, command):  # noqa: N802
        process, task = self.alive[command.worker], command.task
        assert process is self.current(command.worker.slot)
        assert process.booted, "not ready"
        assert not process.asked, "about to exit"
        assert not process.kills, "about to die"
        assert (process.held is None) != command.ahead, "busy, or idle after all"
        assert task not in self.resolved, "dispatched after it was resolved"
        before = {(task, attempt) for attempt in range(1, command.attempt)}
        assert not (before & self.begun) - self.forgiven, "started at most once"
        assert task not in self.pausing, "its pause is not over"
        assert task not in self.judged, "nobody has said yet that it may run again"
        for other in self.alive.values():
            assert all(run is None or run[0] != task for run in [other.held, *other.ahead])
        mine = [other for other, worker in self.bound.items() if worker == command.worker]
        assert (mine or list(self.queue))[0] == task, "out of order"
        del (self.bound if mine else self.queue)[task]
        self.attempts[task] = self.attempts.get(task, 0) + 1
        assert command.attempt == self.attempts[task]
        assert self.misses.get(task, 0) < self.config.delivery_limit
        process.line.append((task, command.attempt))
        process.returns = False
        process.loads[task] = self.seconds_expected(task) * self.calls[task]
        if command.ahead:
            self.send_ahead(command.worker, process, (task, command.attempt))
            return
        roomy = [p for p in self.alive.values() if self.is_roomy(p)]
        if not mine and len(roomy) == 1 and self.timeouts[task] == math.inf:
            late = roomy[0].load() + process.loads[task] > self.config.wake
            assert late, "it was not worth waking somebody"
        process.held = (task, command.attempt)
        process.full, process.reclaimed, process.stall_at = False, False, math.inf
        if self.calls[task] > 1:
            process.stall_at, process.looks = self.now + self.config.stall_timeout, 0
        if command.worker in self.bound.values() or self.makes_way(command.worker, process):
            process.full = True
        process.idle_at = math.inf
        self.hear(process, self.now)
        process.limit_at = self.now + self.timeouts[task]
        process.force_at = math.inf
        process.timed_out = process.overdue = process.interrupted = False
        process.stop_wanted = None

    def send_ahead(self, worker, process, run):
        assert not process.full, "something is to happen when it is idle"
        assert worker not in self.bound.values(), "it would keep the bound ones waiting"
        relay = self.can_have_a_relay(process)
        assert relay or process.load() < self.config.credit, "enough to do"
        assert relay or process.loads[run[0]] < self.config.credit, "not short"
        assert self.timeouts[run[0]] == math.inf, "nobody could tell when it begins"
        assert not self.is_limited(), "there would be no moment for looking at the limits"
        assert self.calls_of(process) < self.config.credit_limit, "enough to hold"
        if any(p.is_idle() for p in self.alive.values()):
            soon = process.load() + process.loads[run[0]] <= self.config.wake
            assert soon, "an idle one would have it sooner"
        if not self.has_more(process):
            process.stall_at = self.now + self.config.stall_timeout
            process.looks = 0
        if relay:
            assert self.kinds[run[0]] is not None, "it can't be sent ahead"
            assert self.calls[run[0]] == 1, "more than one"
            assert not any(place.dormant and place.wanted for place in self.places)
            process.stall_at += 2.0 * process.loads[process.held[0]]
            process.stuck = True
        process.ahead.append(run)

    def can_have_a_relay(self, process):
        """Whether it is at a task of some seconds, and has no other."""
        if process.held is None or process.full or self.is_limited() or self.has_more(process):
            return False
        if self.config.credit_limit < 2 or process.kills:
            return False
        return self.config.credit <= process.loads[process.held[0]] < self.config.relay

    def is_roomy(self, process):
        """Whether it can have more."""
        if process.held is None or process.full or self.is_limited():
            return False
        enough = process.load() >= self.config.credit
        return not enough and self.calls_of(process) < self.config.credit_limit

    def calls_of(self, process):
        return sum(self.calls[task] for task in process.tasks())

    def has_more(self, process):
        """Whether it may have something that it has not begun."""
        return bool(process.ahead) or (process.held and self.calls[process.held[0]] > 1)

    def is_limited(self):
        return min(self.config.max_tasks, self.config.max_memory) < math.inf

    def execute_StartTask(self, command):  # noqa: N802
        assert self.alive[command.worker].held == (command.task, command.attempt)
        self.promoted.remove((command.task, command.attempt))

    def execute_ReclaimTasks(self, command):  # noqa: N802
        process = self.alive[command.worker]
        if not self.asked_back:
            assert self.has_more(process), "there is nothing to take back"
        idle = any(p.is_idle() for p in self.alive.values())
        free = idle or any(place.dormant and place.wanted for place in self.places)
        wanted = process.reclaimed or (process.stuck and free) or process.overstayed
        killed = process.killed_at() <= self.now or process.frozen
        assert wanted or killed, "no reason"
        if process.stuck and process.looks > 1 and not (process.reclaimed or killed):
            self.means.pop(self.kinds[process.held[0]], None)
        process.full, process.stuck, process.returns = True, False, True
        process.overstayed = False
        process.stall_at = math.inf
        self.answers.append(lambda: self.answer_reclaim(command.worker))
        task = process.held[0]
        if self.calls[task] > 1:  # the driver makes a new task of those that have not begun
            rest, self.calls[task] = self.calls[task] - 1, 1
            self.answers.append(lambda: self.submit_rest(rest, self.kinds[task]))

    def execute_CheckWorker(self, command):  # noqa: N802
        process = self.alive[command.worker]
        assert self.has_more(process)
        assert process.has_stalled(self.now), "too early"
        process.stall_at = self.now + self.config.stall_timeout * 2.0 ** min(process.looks, 10)
        process.looks += 1
        self.answers.append(lambda: self.answer_check(command.worker))

    def execute_LookAtWorker(self, command):  # noqa: N802
        process = self.alive[command.worker]
        assert process.held, "it has nothing to do"
        assert process.look_at <= self.now, "it has said something, or was just looked at"
        process.look_at = self.now + self.config.look_after
        self.answers.append(lambda: self.see(command.worker) if command.worker in self.alive else 0)

    def note_who_is_stuck(self):
        for process in self.alive.values():
            if process.held and process.looks and process.has_stalled(self.now):
                process.full = process.stuck = True
                process.overstayed = process.has_relay(self.config.credit)

    def answer_check(self, worker):
        while worker in self.alive and self.alive[worker].position() > 1:
            self.end_task(worker, Outcome.COMPLETED)

    def answer_reclaim(self, worker):
        self.answer_check(worker)
        while worker in self.alive and (run := self.not_begun(self.alive[worker])):
            self.give_back(worker, run)

    def not_begun(self, process):
        """Return the last of those sent ahead of which the driver can tell that it has not."""
        place = process.position() + self.withholds
        later = [run for run in process.line[place:] if run in process.ahead]
        return later[-1] if later else None

    def give_back(self, worker, run):
        """The process has not begun it, and will not."""
        process = self.alive[worker]
        process.line.remove(run)
        if run in process.ahead:
            process.ahead.remove(run)
            process.stall_at = process.stall_at if process.ahead else math.inf
            process.stuck = process.stuck and bool(process.ahead)
            self.put_back(run[0], ...)
        elif process.held == run:
            wanted = process.stop_wanted
            self.advance(process, self.now)
            if wanted:
                self.expect_end(run[0], wanted, None)
            else:
                self.put_back(run[0], ...)
        self.feed(on.TaskReturned(worker, *run))

    def put_back(self, task, detail):
        if task in self.unwanted:
            outcome = self.unwanted.pop(task)[0]
            if task not in self.resolved:
                self.expect_end(task, outcome, None, detail)
        elif task in self.choosy:
            self.expected[task] = Expected(Outcome.GONE, None, detail)
        else:
            self.queue[task] = None
            self.queue.move_to_end(task, last=False)

    def want_back(self, process, grace, outcome, runs):
        """Have tasks that were sent ahead not begin, or stop in time if they have."""
        for task, _ in runs:
            at = self.now + grace
            first, due, late = self.unwanted.get(task, (outcome, math.inf, Outcome.CANCELED))
            self.unwanted[task] = (first, at, outcome) if at < due else (first, due, late)
        process.reclaimed |= bool(runs)

    def advance(self, process, at):
        """The process is done with its task: it goes on with the next one, or is idle."""
        process.held = None
        process.kill_at = math.inf
        process.looks, process.stuck, process.overstayed = 0, False, False
        if not process.ahead:
            self.becomes_idle(process, at)
            return
        process.held = process.ahead.pop(0)
        self.promoted.append(process.held)
        self.hear(process, at)
        process.stall_at = at + self.config.stall_timeout if self.has_more(process) else math.inf
        process.limit_at = process.force_at = math.inf
        process.timed_out = process.overdue = process.interrupted = False
        process.stop_wanted = None
        if process.held[0] in self.unwanted:
            unwanted = self.unwanted.pop(process.held[0])
            process.stop_wanted, process.force_at, process.force_outcome = unwanted

    def submit_rest(self, calls, kind):
        task = self.enter(math.inf, None, kind, calls)
        if self.closing or self.broken:
            self.expected[task] = Expected(Outcome.CLOSED if self.closing else Outcome.BROKEN)
        else:
            self.queue[task] = None
            self.queue.move_to_end(task, last=False)
        self.feed(on.TaskSubmitted(task, kind=kind, calls=calls, first=True))

    def note(self, kind, seconds):
        if kind is not None:
            mean, runs = self.means.get(kind, (seconds, 0))
            self.means[kind] = (mean + (seconds - mean) / 8, runs + 1)

    def seconds_expected(self, task):
        mean, runs = self.means.get(self.kinds[task], (math.inf, 0))
        return mean if runs >= 3 else math.inf

    def seconds_of(self, task):
        """How long a task takes, when it gets to its end."""
        seconds = {"quick": 0.25, "slow": 4.0, "odd": 40.0, "uneven": 0.25 if task % 5 else 4.0}
        return seconds.get(self.kinds[task])

    def execute_InterruptTask(self, command):  # noqa: N802
        process = self.alive[command.worker]
        assert process.held == (command.task, command.attempt), "it does not run that"
        if process.limit_at <= self.now and self.forgives_an_error(command.task):
            assert process.verdict() is Outcome.TIMED_OUT, "something else came first"
            process.limit_at = math.inf
            process.overdue = True
            process.want_stop(self.now + self.config.interrupt_grace, Outcome.TIMED_OUT)
        assert process.stop_wanted, "nobody asked for it"
        assert not process.interrupted, "told twice"
        process.interrupted = True

    def execute_StopWorker(self, command):  # noqa: N802
        process = self.alive[command.worker]
        assert process.is_idle()
        assert self.closing or self.must_exit(command.worker, process)
        process.resting = not self.makes_way(command.worker, process)
        # A pause of no length ends when all else is done, and the worker may have been let go.
        late = {task for task in self.just_paused if self.bound.get(task) == command.worker}
        self.expected.update((task, Expected(Outcome.GONE)) for task in late)
        for task in late:
            del self.bound[task]
        process.asked = process.blameless = True
        process.kill_at = self.now + self.config.stop_grace

    def execute_KillWorker(self, command):  # noqa: N802
        process = self.alive[command.worker]
        assert not process.given_up, "given up, and now killed again"
        due = process.killed_at() <= self.now
        assert due or process.frozen, "killed too early, or without a reason"
        assert command.undecided == process.frozen
        assert process.kills < self.config.kill_limit
        taken_back = process.kills or process.returns or not self.has_more(process)
        assert taken_back, "it takes with it what it has not begun"
        if process.frozen and process.held:
            process.blameless = True
            self.leave_undecided(process)
        elif process.held:
            process.blameless = True
            if not process.timed_out:
                outcome = process.verdict()
                late = outcome is Outcome.TIMED_OUT and not process.overdue
                assert not late, "resolved first, killed later"
                self.expect_end(process.held[0], outcome, command.worker)
            process.held = None
        if not process.kills:
            self.lose_bound(command.worker)
            process.died_at = self.now
        process.kills += 1
        process.kill_at = self.now + self.config.kill_retry

    def leave_undecided(self, process):
        """Only its exit tells what a process that is frozen has begun."""
        task = process.held[0]
        if process.stop_wanted:
            self.unwanted[task] = (process.stop_wanted, process.force_at, process.force_outcome)
        process.ahead.insert(0, process.held)
        process.held = None

    def execute_ResolveTask(self, command):  # noqa: N802
        task = command.task
        assert task in self.timeouts, "never submitted"
        assert task not in self.resolved, "resolved twice"
        self.resolved[task] = command.outcome
        if command.outcome is Outcome.TIMED_OUT and task not in self.expected:
            self.expect_time_out(self.alive[command.worker], task)
        if command.outcome is Outcome.BROKEN and task not in self.expected:
            self.end_what_came_back(task)
        expected = self.expected.pop(task)
        assert not expected.again, "it was to be tried again"
        assert command.outcome is expected.outcome, (command, expected)
        assert command.worker == expected.worker
        assert expected.detail is ... or command.detail is expected.detail

    def end_what_came_back(self, task):
        """A pool that broke, and had been made smaller, may still have had some at work."""
        assert self.broken
        (place,) = [p for p in (self.queue, self.pausing, self.judged) if task in p]
        del place[task]
        self.expected[task] = Expected(Outcome.BROKEN)

    def execute_JudgeFailure(self, command):  # noqa: N802
        task, expected = command.task, self.expected.pop(command.task)
        self.check_failure(command, expected)
        assert self.tries[task].plan.judged
        assert command.attempt == self.attempts[task]
        self.tries[task].verdict = expected
        self.judged[task] = command.attempt

    def execute_RetryTask(self, command):  # noqa: N802
        task, tries = command.task, self.tries[command.task]
        if tries.plan.judged:
            expected = tries.verdict
            assert self.judged.pop(task), "nobody was asked"
        else:
            expected = self.expected.pop(task)
        self.check_failure(command, expected)
        assert command.pause == tries.pause()
        self.pausing[task] = self.now + command.pause
        self.end_pauses()

    def check_failure(self, command, expected):
        assert command.task not in self.resolved
        assert expected.again, "that was its last chance"
        assert command.outcome is expected.outcome
        assert command.worker == expected.worker
        assert expected.detail is ... or command.detail is expected.detail

    def expect_time_out(self, process, task):
        assert process.held is not None
        assert process.held[0] == task
        assert not self.forgives_an_error(task), "it was to be tried again"
        assert process.limit_at <= self.now, "too early"
        assert process.verdict() is Outcome.TIMED_OUT, "something else came first"
        process.limit_at = math.inf
        process.timed_out = True
        process.want_stop(self.now + self.config.interrupt_grace, Outcome.TIMED_OUT)
        worker = next(w for w, p in self.alive.items() if p is process)
        self.expected[task] = Expected(Outcome.TIMED_OUT, worker)

    def execute_AnnounceBroken(self, command):  # noqa: N802
        assert not self.broken
        assert not self.closing
        assert all(place.retired for place in self.places if place.wanted)
        self.broken = True
        self.announced.append("broken")
        self.expect_queue_to_end(Outcome.BROKEN)

    def execute_AnnounceClosed(self, command):  # noqa: N802
        assert "closed" not in self.announced
        assert self.closing
        assert all(p.given_up for p in self.alive.values()), "process leaked"
        self.announced.append("closed")
