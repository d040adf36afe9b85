"""What must be true of a pool, kept apart from the pool: the books of `PoolWorld`.

They say of fake processes which task is queued or held, what each wait ends with and when, and
what each death counts for; `PoolDriver` holds every command of the core against that.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any, ClassVar

from pool_driver import PoolDriver
from pool_records import Expected, Place, Process, Tries

from wetlands.core import events as on
from wetlands.core.events import Outcome, WorkerId
from wetlands.core.policy import PoolConfig, RetryPlan
from wetlands.core.pool import PoolCore

LOSSES = (Outcome.LOST, Outcome.SILENT, Outcome.OUT_OF_MEMORY)
ERRORS = (Outcome.FAILED, Outcome.TIMED_OUT)


class PoolBooks(PoolDriver):
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
                    self.lose(task, worker)
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
                self.lose(task, worker, detail)
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

    def lose(self, task, worker, detail=...):
        """It was sent ahead, or is the task of a worker that was frozen, and is lost with it."""
        self.unwanted.pop(task, None)
        if task not in self.resolved:
            self.expect_end(task, Outcome.LOST, worker, detail)

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
            self.unwanted.pop(task, None)
            if task not in self.resolved:
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
        self.hear(process, self.now + delay)
        process.stuck = False
        if self.calls[task] > 1:
            process.stall_at = self.now + delay + self.config.stall_timeout
            process.looks = 0
        self.feed(on.TaskAdvanced(worker, task, attempt), delay=delay)

    def hear(self, process, at):
        """It has just been sent something, or has said something."""
        process.silence_at = at + self.config.worker_timeout
        process.look_at = at + self.config.look_after

    def see(self, worker):
        """Somebody looks at the process."""
        process = self.alive[worker]
        found = process.standstill
        if process.held and not process.kills:
            same = found is not None and found == process.seen
            process.still = process.still + 1 if same else 0
            process.seen = found
            process.frozen = process.still >= self.config.frozen_looks
        self.feed(on.WorkerSeen(worker, found))

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
        self.let_nothing_follow(process, process.worn and process.held)
        self.feed(on.WorkerWorn(worker))

    def pin(self, worker, pinned):
        process = self.alive[worker]
        process.pinned = pinned
        self.let_nothing_follow(process, process.held and self.makes_way(worker, process))
        if process.is_idle():
            self.becomes_idle(process, self.now)
        self.feed(on.WorkerPinned(worker, pinned))

    def let_nothing_follow(self, process, why):
        """It gets no more, and what waits behind something long comes back."""
        if why:
            process.full = True
            process.overstayed |= process.stuck and self.has_more(process)

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
                self.let_nothing_follow(process, process.held)
            place.wanted = slot < size
        self.feed(on.ResizeRequested(size))

    def restart(self):
        self.broken = False
        for slot, place in enumerate(self.places):
            place.failures = 0
            process = self.current(slot)
            if process is not None:
                process.leaving |= not (process.asked or process.kills)
                self.let_nothing_follow(process, process.held)
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
            self.hear(process, self.now + delay)
        self.feed(on.TaskProgressed(worker, task, attempt), delay=delay)
