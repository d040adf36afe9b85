"""What must be true of a pool, kept apart from the pool: the books of `PoolMachine`.

`PoolBooks` drives a core as the loop thread does, minus the I/O, on fake processes. It notes
which task is queued or held, what each wait ends with and when, and what each death counts for,
and holds every command against that.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, ClassVar

from wetlands.core import events as on
from wetlands.core.events import Outcome, WorkerId
from wetlands.core.policy import PoolConfig, RetryPlan
from wetlands.core.pool import PoolCore


@dataclass
class Process:
    """A fake process, and what the books say about it."""

    spawned_at: float
    kill_at: float  #: when the core must have killed it (again), or must have given it up
    ready_at: float = math.inf
    died_at: float = math.inf  #: of the first kill, or of the exit without one
    booted: bool = False
    asked: bool = False
    kills: int = 0
    blameless: bool = False
    undead: bool = False  #: no signal ends it
    given_up: bool = False  #: the core must have lost hope
    held: tuple[int, int] | None = None  #: the task and attempt that it is at, for the core
    ahead: list[tuple[int, int]] = field(default_factory=list)  #: those that it has besides
    line: list[tuple[int, int]] = field(default_factory=list)  #: those it may still talk about
    began: tuple[int, int] | None = None  #: the last one
    loads: dict[int, float] = field(default_factory=dict)  #: what tasks were expected to take
    full: bool = False  #: nothing more is sent ahead before it is idle
    reclaimed: bool = False  #: somebody wants back what it has not begun
    returns: bool = False  #: and the driver was told so, after it was sent the last of it
    stall_at: float = math.inf
    looks: int = 0  #: how often somebody has looked whether something came back
    stuck: bool = False  #: it is at a long task, and others wait behind it
    timed_out: bool = False  #: and resolved, while its worker may still be at it
    overdue: bool = False  #: out of its own time, and to be tried again once this run has ended
    stop_wanted: Outcome | None = None
    interrupted: bool = False
    silence_at: float = math.inf
    limit_at: float = math.inf
    force_at: float = math.inf
    force_outcome: Outcome = Outcome.CANCELED
    runs: int = 0
    memory: float = 0.0
    pinned: bool = False
    worn: bool = False  #: to make way unless it is pinned
    leaving: bool = False  #: to make way
    idle_at: float = math.inf  #: when it has been idle for too long
    resting: bool = False  #: asked to exit for that

    @property
    def last(self) -> tuple[int, int] | None:
        """What it speaks about next."""
        return self.line[0] if self.line else None

    def position(self) -> int:
        """How many of those in line it has begun."""
        return self.line.index(self.began) + 1 if self.began in self.line else 0

    def has_begun(self, run: tuple[int, int]) -> bool:
        return run in self.line[: self.position()]

    def load(self) -> float:
        return sum(self.loads[task] for task, _ in [self.held, *self.ahead])

    def tasks(self) -> list[int]:
        return [task for task, _ in [self.held, *self.ahead]]

    def is_idle(self) -> bool:
        return self.booted and not (self.held or self.asked or self.kills)

    def want_stop(self, at: float, outcome: Outcome) -> None:
        self.stop_wanted = self.stop_wanted or outcome
        if at < self.force_at:
            self.force_at, self.force_outcome = at, outcome

    def due(self) -> float:
        """When the core must do something about it."""
        if self.given_up:
            return math.inf
        if self.is_idle():
            return min(self.kill_at, self.idle_at)
        if self.held is None:
            return self.kill_at
        return min(self.silence_at, self.limit_at, self.force_at, self.stall_at)

    def has_stalled(self, now: float) -> bool:
        first = min(self.silence_at, self.limit_at, self.force_at, now)
        return self.stall_at <= first

    def verdict(self) -> Outcome:
        """How its task ends if a deadline decides."""
        if self.silence_at <= min(self.limit_at, self.force_at):
            return Outcome.SILENT
        return Outcome.TIMED_OUT if self.limit_at <= self.force_at else self.force_outcome


@dataclass
class Place:
    """What the books say about a slot."""

    incarnation: int = 0
    failures: int = 0
    spawn_at: float = 0.0  #: when the next process is due, while there is none
    retired: bool = False
    wanted: bool = True  #: False once the pool was made smaller
    dormant: bool = False


@dataclass
class Expected:
    """A resolution that the event at hand must cause."""

    outcome: Outcome
    worker: WorkerId | None = None
    detail: Any = field(default=...)  #: an ellipsis is anything
    again: bool = False  #: not the end: the task is to be tried again


@dataclass
class Tries:
    """What the books say about a task that may be tried again."""

    plan: RetryPlan
    errors: int = 0
    losses: int = 0
    home: WorkerId | None = None
    verdict: Expected | None = None  #: how its last run ended, while it is judged

    def pause(self) -> float:
        grown = self.plan.delay * self.plan.backoff ** (self.errors + self.losses - 1)
        return min(grown, self.plan.max_delay)


LOSSES = (Outcome.LOST, Outcome.SILENT, Outcome.OUT_OF_MEMORY)
ERRORS = (Outcome.FAILED, Outcome.TIMED_OUT)


class PoolBooks:
    core_type: ClassVar[Any] = PoolCore
    config_type: ClassVar[Any] = PoolConfig
    plan_type: ClassVar[Any] = RetryPlan

    def open_books(self, config):
        self.config = self.config_type(**config)
        self.core = self.core_type(self.config)
        self.now = 0.0
        self.alive: dict[WorkerId, Process] = {}
        self.dead: list[WorkerId] = []
        self.places = [Place() for _ in range(self.config.size)]
        self.timeouts: dict[int, float] = {}  #: every task ever submitted
        self.kinds: dict[int, str | None] = {}
        self.calls: dict[int, int] = {}  #: for how many calls a task stands, as far as is known
        self.means: dict[str, tuple[float, int]] = {}  #: seconds, and of how many runs
        #: How tasks that were sent ahead are to end if they have not begun; else when, and as what.
        self.unwanted: dict[int, tuple[Outcome, float, Outcome]] = {}
        self.promoted: list[tuple[int, int]] = []  #: runs that are about to be told to have begun
        self.answers: list[Any] = []  #: of the driver, when it has executed all commands
        self.withholds = False  #: whether it can't always tell what has begun
        self.resolved: dict[int, Outcome] = {}
        self.attempts: dict[int, int] = {}
        self.misses: dict[int, int] = {}  #: deliveries in a row that came to nothing
        self.tries: dict[int, Tries] = {}  #: of tasks that may be tried again
        self.pausing: OrderedDict[int, float] = OrderedDict()
        self.just_paused: set[int] = set()  #: tasks whose pause ended with this very event
        self.judged: dict[int, int] = {}  #: tasks that are being judged, with the attempt
        self.begun: set[tuple[int, int]] = set()  #: tasks and attempts
        self.forgiven: set[tuple[int, int]] = set()  #: those that failed and were not the last
        self.queue: OrderedDict[int, None] = OrderedDict()
        self.bound: OrderedDict[int, WorkerId] = OrderedDict()  #: queued for one worker
        self.choosy: dict[int, WorkerId] = {}  #: every task that ever was bound
        self.expected: dict[int, Expected] = {}
        self.closing = self.broken = False
        self.announced: list[str] = []
        self.execute_all(self.core.open(self.now))
        self.asked_back = False  #: somebody wants calls back, whether there are any or not
        self.sound = True  #: the last step ended well

    def enter(self, timeout, plan, kind=None, calls=1):
        """Note a new task."""
        task = len(self.timeouts)
        self.timeouts[task] = timeout
        self.kinds[task] = kind
        self.calls[task] = calls
        if plan is not None:
            self.tries[task] = Tries(self.plan_type(**plan))
        return task

    def plan_of(self, task):
        return self.tries[task].plan if task in self.tries else None

    # -- the driver: what the loop thread does, minus the I/O -------------------------------------

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
        process.silence_at = self.now + self.config.worker_timeout
        process.limit_at = self.now + self.timeouts[task]
        process.force_at = math.inf
        process.timed_out = process.overdue = process.interrupted = False
        process.stop_wanted = None

    def send_ahead(self, worker, process, run):
        assert not process.full, "something is to happen when it is idle"
        assert worker not in self.bound.values(), "it would keep the bound ones waiting"
        assert process.load() < self.config.credit, "enough to do"
        assert process.loads[run[0]] < self.config.credit, "not short"
        assert self.timeouts[run[0]] == math.inf, "nobody could tell when it begins"
        assert not self.is_limited(), "there would be no moment for looking at the limits"
        assert self.calls_of(process) < self.config.credit_limit, "enough to hold"
        if any(p.is_idle() for p in self.alive.values()):
            soon = process.load() + process.loads[run[0]] <= self.config.wake
            assert soon, "an idle one would have it sooner"
        if not self.has_more(process):
            process.stall_at = self.now + self.config.stall_timeout
            process.looks = 0
        process.ahead.append(run)

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
        wanted = process.reclaimed or (process.stuck and free)
        killed = process.due() <= self.now
        assert wanted or killed, "no reason"
        if process.stuck and not (process.reclaimed or killed):
            self.means.pop(self.kinds[process.held[0]], None)
        process.full, process.stuck, process.returns = True, False, True
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

    def note_who_is_stuck(self):
        for process in self.alive.values():
            if process.held and process.looks and process.has_stalled(self.now):
                process.full = process.stuck = True

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
            self.expect_end(task, self.unwanted.pop(task)[0], None, detail)
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
        process.looks, process.stuck = 0, False
        if not process.ahead:
            self.becomes_idle(process, at)
            return
        process.held = process.ahead.pop(0)
        self.promoted.append(process.held)
        process.silence_at = at + self.config.worker_timeout
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
        seconds = {"quick": 0.25, "slow": 4.0, "uneven": 0.25 if task % 5 else 4.0}
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
        assert process.due() <= self.now, "killed too early, or without a reason"
        assert process.kills < self.config.kill_limit
        taken_back = process.kills or process.returns or not self.has_more(process)
        assert taken_back, "it takes with it what it has not begun"
        if process.held:
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

    # -- the books --------------------------------------------------------------------------------

    def current(self, slot: int) -> Process | None:
        """Return the process that the core has in the slot."""
        process = self.alive.get(WorkerId(slot, self.places[slot].incarnation))
        return None if process is None or process.given_up else process

    def starting(self):
        processes = (self.current(slot) for slot in range(len(self.places)))
        return sum(1 for p in processes if p and not p.booted and not p.kills)

    def makes_way(self, worker, process):
        """Whether an idle worker is to be replaced, or is one too many."""
        unwanted = not self.places[worker.slot].wanted
        return unwanted or process.leaving or (process.worn and not process.pinned)

    def must_exit(self, worker, process):
        return self.makes_way(worker, process) or process.idle_at <= self.now

    def becomes_idle(self, process, at):
        process.idle_at = math.inf if process.pinned else at + self.config.idle_timeout

    def expect_queue_to_end(self, outcome):
        places = (self.queue, self.bound, self.pausing, self.judged)
        for place in places:
            self.expected.update((task, Expected(outcome)) for task in place)
            place.clear()

    def forgives_an_error(self, task):
        tries = self.tries.get(task)
        return bool(tries and not self.closing and tries.errors < tries.plan.on_error)

    def expect_end(self, task, outcome, worker=None, detail=...):
        """A run of the task ends: say whether the task does, too."""
        tries, again = self.tries.get(task), False
        if tries and not self.closing:
            if outcome in LOSSES:
                tries.losses += 1
                again = tries.losses <= tries.plan.on_lost
                if tries.losses >= self.config.poison_limit:
                    outcome, again = Outcome.POISONED, False
            elif outcome in ERRORS:
                tries.errors += 1
                again = tries.errors <= tries.plan.on_error
        self.expected[task] = Expected(outcome, worker, detail, again)
        if again:
            self.forgiven.add((task, self.attempts[task]))
            self.misses[task] = 0
            tries.home = self.choosy.get(task)

    def end_pauses(self):
        over = [task for task, due in self.pausing.items() if due <= self.now]
        self.just_paused.update(over)
        for task in sorted(over, key=lambda task: self.pausing[task]):
            del self.pausing[task]
            home = self.tries[task].home
            process = self.alive.get(home)
            if home is None:
                self.queue[task] = None
            elif process is None or process.kills or process.asked:
                self.expected[task] = Expected(Outcome.GONE)
            else:
                self.bound[task] = home

    def lose_bound(self, worker, detail=...):
        for task in [task for task, place in self.bound.items() if place == worker]:
            del self.bound[task]
            self.expected[task] = Expected(Outcome.GONE, None, detail)

    def give_up_on_the_undead(self):
        for worker, process in self.alive.items():
            hopeless = process.kills == self.config.kill_limit and process.kill_at <= self.now
            if hopeless and not process.given_up:
                process.given_up = True
                for task, _ in process.ahead:
                    self.expect_end(task, Outcome.LOST, worker)
                process.ahead.clear()
                self.account_for_end(worker, process)

    def account_for_end(self, worker, process):
        """Say what the end of the process means for its slot."""
        place = self.places[worker.slot]
        if min(process.died_at, self.now) - process.ready_at >= self.config.stable_after:
            place.failures = 0
        place.failures += not process.blameless
        place.dormant = not self.closing and (not place.wanted or process.resting)
        too_often = place.failures > self.config.restart_limit
        place.retired = self.closing or (too_often and not place.dormant)
        pause = 0.0
        if not process.blameless:
            doubled = self.config.backoff_base * 2.0 ** (place.failures - 1)
            pause = min(doubled, self.config.backoff_cap)
        place.spawn_at = self.now + pause

    def account_for_tasks(self, worker, process, detail):
        """Say what the exit of the process means for its tasks."""
        for task, attempt in reversed(process.ahead):
            if process.has_begun((task, attempt)):
                self.expect_end(task, Outcome.LOST, worker, detail)
            else:
                self.put_back(task, detail)
        process.blameless |= process.worn
        if process.held is None:
            return
        task = process.held[0]
        began = process.has_begun(process.held)
        self.misses[task] = self.misses.get(task, 0) + (not began and not process.worn)
        if process.timed_out:
            process.blameless = process.blameless or began
        elif began:
            process.blameless = True
            self.expect_end(task, Outcome.LOST, worker, detail)
        elif process.stop_wanted:
            self.expect_end(task, process.stop_wanted, None, detail)
        elif task in self.choosy:
            self.expected[task] = Expected(Outcome.GONE, None, detail)
        elif self.misses[task] >= self.config.delivery_limit:
            self.expected[task] = Expected(Outcome.LOST, worker, detail)
        else:
            self.queue[task] = None
            self.queue.move_to_end(task, last=False)

    def exit(self, worker, *, delay=0.0):
        self.now += delay
        self.give_up_on_the_undead()
        process = self.alive.pop(worker)
        self.dead.append(worker)
        detail = object()
        if not process.given_up:
            self.account_for_tasks(worker, process, detail)
            self.lose_bound(worker, detail)
            self.account_for_end(worker, process)
        self.feed(on.WorkerExited(worker, process.began, detail))

    def end_task(self, worker, outcome, *, delay=0.0):
        """The process says that its task ended: the truth, or what nobody believes any more."""
        process, detail = self.alive[worker], object()
        task, attempt = process.last
        if not process.position():
            process.began = (task, attempt)
        process.line.pop(0)
        self.begun.add((task, attempt))
        seconds = self.seconds_of(task)
        if process.kills and (task, attempt) in process.ahead:
            process.ahead.remove((task, attempt))
            self.expect_end(task, outcome, worker, detail)
        elif process.held == (task, attempt):
            late = process.overdue and task in self.tries and outcome is not Outcome.COMPLETED
            timed_out = process.timed_out
            self.note(self.kinds[task], seconds)
            self.advance(process, self.now + delay)
            self.places[worker.slot].failures = 0
            process.runs += 1
            heavy = process.memory > self.config.max_memory * self.config.memory_share
            process.worn |= heavy or process.runs >= self.config.max_tasks
            if late:
                self.expect_end(task, Outcome.TIMED_OUT, worker, None)
            elif not timed_out:
                self.expect_end(task, outcome, worker, detail)
        ended = on.TaskEnded(worker, task, attempt, outcome, detail, seconds)
        self.feed(ended, delay=delay)

    def decide(self, task, again, *, delay=0.0):
        """Somebody says whether a task that failed is worth another try."""
        attempt = self.judged[task]
        if not again:
            del self.judged[task]
            verdict = self.tries[task].verdict
            self.expected[task] = Expected(verdict.outcome, verdict.worker, verdict.detail)
        self.feed(on.RetryJudged(task, attempt, again), delay=delay)

    def take_back(self, task):
        """A call is canceled, of a task that a worker has."""
        for process in self.alive.values():
            if process.held and task in process.tasks() and task not in self.resolved:
                process.reclaimed = self.asked_back = True
        self.feed(on.ReclaimRequested(task))
        self.asked_back = False

    def advance_calls(self, worker, *, delay=0.0):
        """Calls of the task that a process is at have ended, and it is at the next one."""
        process = self.alive[worker]
        task, attempt = process.held
        process.silence_at = self.now + delay + self.config.worker_timeout
        process.stuck = False
        if self.calls[task] > 1:
            process.stall_at = self.now + delay + self.config.stall_timeout
            process.looks = 0
        self.feed(on.TaskAdvanced(worker, task, attempt), delay=delay)

    def measure(self, worker, memory):
        process = self.alive[worker]
        process.memory = memory
        if process.held and memory > self.config.max_memory:
            process.kill_at = process.force_at = self.now
            process.force_outcome, process.limit_at = Outcome.OUT_OF_MEMORY, math.inf
        elif process.is_idle() and memory > self.config.max_memory * self.config.memory_share:
            process.worn = True
        self.feed(on.WorkerMeasured(worker, memory))

    def wear_out(self, worker):
        process = self.alive[worker]
        process.worn |= process.runs > 0
        process.full |= process.worn and process.held is not None
        self.feed(on.WorkerWorn(worker))

    def pin(self, worker, pinned):
        process = self.alive[worker]
        process.pinned = pinned
        process.full |= process.held is not None and self.makes_way(worker, process)
        if process.is_idle():
            self.becomes_idle(process, self.now)
        self.feed(on.WorkerPinned(worker, pinned))

    def resize(self, size):
        missing = range(len(self.places), size)
        self.places += [Place(wanted=False, dormant=True) for _ in missing]
        for slot, place in enumerate(self.places):
            if slot < size and not place.wanted:
                if place.dormant or place.retired:
                    place.dormant = place.retired = False
                    place.spawn_at = self.now
            elif slot >= size and self.current(slot) is None and not place.retired:
                place.dormant = True
            process = self.current(slot)
            if process is not None and place.wanted != (slot < size):
                process.full |= process.held is not None
            place.wanted = slot < size
        self.feed(on.ResizeRequested(size))

    def restart(self):
        self.broken = False
        for slot, place in enumerate(self.places):
            place.failures = 0
            process = self.current(slot)
            if process is not None:
                process.leaving |= not (process.asked or process.kills)
                process.full |= process.held is not None
            elif place.wanted and not place.dormant:
                place.retired, place.spawn_at = False, self.now
        self.feed(on.RestartRequested())

    def boot_process(self, worker, *, delay=0.0):
        process = self.alive[worker]
        process.booted = True
        if not process.kills:
            process.ready_at = self.now + delay
            process.kill_at = math.inf
            self.becomes_idle(process, self.now + delay)
        self.feed(on.WorkerReady(worker), delay=delay)

    def progress(self, worker, *, delay=0.0):
        process = self.alive[worker]
        task, attempt = process.last
        if not process.position():
            process.began = process.last
        self.begun.add((task, attempt))
        if process.held:
            process.silence_at = self.now + delay + self.config.worker_timeout
        self.feed(on.TaskProgressed(worker, task, attempt), delay=delay)
