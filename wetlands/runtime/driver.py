"""The driver of one pool: feeds its core with what happens and executes what the core decides.

All of it is for the holder of the loop's role, hence nothing here is locked; to other threads,
`Pool` is its face. Its parts: the workers' processes (`staff`), what these are at when somebody
asks (`roster`), what workers say (`hearing`), what goes to them before its turn (`ahead`) and
together (`batches`), and what becomes of tasks in the eyes of users (`ending`, `finishing`,
`retries`, `records`).
"""

from __future__ import annotations

import contextlib
import logging
import math
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from wetlands.core.commands import (
    AnnounceBroken,
    AnnounceClosed,
    CheckWorker,
    Command,
    DispatchTask,
    InterruptTask,
    JudgeFailure,
    KillWorker,
    LookAtWorker,
    ReclaimTasks,
    ResolveTask,
    RetryTask,
    SpawnWorker,
    StartTask,
    StopWorker,
)
from wetlands.core.events import (
    CancelRequested,
    ClockAdvanced,
    Event,
    Outcome,
    ResizeRequested,
    RestartRequested,
    RetryJudged,
    WorkerExited,
    WorkerFaulted,
    WorkerId,
    WorkerReady,
    WorkerSeen,
)
from wetlands.core.policy import PoolConfig
from wetlands.core.pool import PoolCore, SlotState
from wetlands.errors import InternalError, PoolBrokenError, TaskAbandonedError, WorkerStartError
from wetlands.latch import Latch
from wetlands.result_proxy import Keeper
from wetlands.runtime.ahead import Ahead
from wetlands.runtime.batches import Batches
from wetlands.runtime.ending import Endings
from wetlands.runtime.entry import Entry
from wetlands.runtime.finishing import Finishing
from wetlands.runtime.gate import Gate
from wetlands.runtime.hearing import Hearing
from wetlands.runtime.host import Host
from wetlands.runtime.launcher import WorkerPlan
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.looking import look_at
from wetlands.runtime.process import Death
from wetlands.runtime.records import Records
from wetlands.runtime.retries import Retries
from wetlands.runtime.roster import Roster
from wetlands.runtime.staff import Staff
from wetlands.runtime.transport import PeerUnreachableError
from wetlands.runtime.upkeep import Upkeep
from wetlands.runtime.watch import Watch
from wetlands.task import Task
from wetlands.task_event import TaskStatus
from worker_entry import protocol
from worker_entry.codec import Codec


class Driver:
    """Drives one pool; a `LoopClient`.

    Attributes:
        core: The pool's state.
        entries: The tasks that were started and have not ended, by number.
        unstarted: Those submitted with ``start=False``, for as long as somebody has them.
        opened: Set when every worker is ready, or one could not start.
        closed: Set when no worker and no task is left.
        start_error: Why a worker could not start.
        refusal: Makes the error for submissions that came too late; None while all is well.
    """

    def __init__(
        self, host: Host, plan: WorkerPlan, config: PoolConfig, codec: Codec, keeper: Keeper
    ) -> None:
        self.core = PoolCore(config)
        self.entries: dict[int, Entry] = {}
        self.unstarted: weakref.WeakSet[Task[Any]] = weakref.WeakSet()
        self.opened = Latch()
        self.closed = Latch()
        self.start_error: WorkerStartError | None = None
        self.refusal: Callable[[], Exception] | None = None
        self._host = host
        self._clock = host.loop.clock
        self._endings = Endings(plan.environment, config.worker_timeout, codec)
        self._retries = Retries(host.delivery, self._endings)
        self._upkeep = Upkeep(config, self.handle, self.call_later)
        self._records = Records(plan.environment, host.delivery)
        self._staff = Staff(host, plan, codec.carrier, self, self._records.emitter, self._on_exit)
        self._workers = self._staff.links
        self._hearing = Hearing(
            self,
            host,
            self._staff,
            self._endings,
            self._records,
            self._upkeep,
            config,
            codec.carrier,
            keeper,
        )
        # See `LoopClient`.
        self.receive, self.answer = self._hearing.receive, self._hearing.answer
        self.answer_all = self._hearing.answer_all
        self._ahead = Ahead(self, host, self._hearing)
        self.watch = Watch(host, self._hearing)
        self.roster = Roster(self, self._staff, self._hearing)
        self.finishing = Finishing(self, host, self._endings)
        self.batches = Batches(self, self._ahead, self._hearing)
        self._backlog: deque[Event] = deque()
        self._handling = False
        self.gate: Gate | None = None  #: counts queued tasks where their number is limited
        self.saturated = False  #: whether tasks that come now wait for others, which will end
        self.flowing = False  #: whether short ones do

    @property
    def plan(self) -> WorkerPlan:
        """What its workers are started with."""
        return self._staff.plan

    # -- called by the pool and the loop ----------------------------------------------------------

    def next_deadline(self) -> float | None:
        """See `LoopClient`."""
        due = self.core.next_deadline()
        return None if due is None else self._clock.real(due)

    def advance(self) -> None:
        """See `LoopClient`."""
        self.handle(ClockAdvanced())

    def unended(self) -> int:
        """See `LoopClient`."""
        return len(self.entries)

    def left(self) -> int:
        """Return about how much is still to be done until all tasks have ended; for any thread."""
        return len(self.entries) + self._host.loop.backlog(self)

    def break_down(self, error: BaseException) -> None:
        """See `LoopClient`."""
        story = [str(transition) for transition in self.core.story]
        self.refusal = lambda: InternalError(
            f"The pool of environment {self.plan.environment!r} broke down: {error!r}. "
            "This is a bug in wetlands, please report it.",
            story=story,
        )
        for task in self.all_tasks():
            ending = TaskAbandonedError(f"The pool broke down, which is a bug: {error!r}")
            task._finish(TaskStatus.FAILED, None, ending)
        self._staff.kill_all()
        self._staff.leave_behind()
        self.saturated = self.flowing = False  # nothing ends any more
        self.opened.set()
        self._host.loop.remove(self)
        self.closed.set()

    def abandon(self, tasks: Iterable[Task[Any]]) -> None:
        """Fail what nobody will run any more; for any thread once the pool has closed."""
        for task in tasks:
            ending = self._endings.abandoned(Outcome.CLOSED, task.id, None)
            task._finish(TaskStatus.FAILED, None, ending)

    def all_tasks(self) -> list[Task[Any]]:
        """Return the tasks that have not ended."""
        while True:
            try:
                return [entry.task for entry in self.all_entries()] + list(self.unstarted)
            except RuntimeError:
                continue  # another thread submitted at this very moment

    def all_entries(self) -> list[Entry]:
        """Return the tasks that were started and have not ended; for any thread."""
        while True:
            try:
                return list(self.entries.values())
            except RuntimeError:
                continue  # another thread submitted at this very moment

    def initialize_with(self, call: tuple[Any, ...]) -> None:
        """Have every worker run a call before its first task; before `open`."""
        self._staff.plan = replace(self.plan, initializer=call)

    def open(self) -> None:
        """Start the workers."""
        self._host.loop.add(self)
        self._execute(self.core.open(self._clock.now()))

    def submit(self, entry: Entry) -> None:
        """Queue a task, once, however often this is asked for."""
        task = entry.task
        if task._order is entry:
            task._order = None
            self.entries[task.number] = entry
            self.batches.add(entry)

    def expects(self) -> bool:
        """See `LoopClient`."""
        return len(self.entries) == 1 and self.watch.expects()

    def look(self) -> None:
        """See `LoopClient`."""
        self.watch.look()

    def settle(self) -> None:
        """See `LoopClient`."""
        if self.batches.untold:
            self.batches.settle()

    def resize(self, size: int, environ: tuple[Mapping[str, str], ...]) -> None:
        """Have ``size`` workers; ``environ`` are the variables of those, and maybe of more."""
        self._staff.plan = replace(self.plan, environ=environ)
        self.handle(ResizeRequested(size))

    def restart(self) -> None:
        """Replace all workers; a pool that was broken begins again."""
        if not self.core.closing:
            self.refusal = None
            self._endings.failures.clear()
        self.handle(RestartRequested())

    def cancel(self, task: Task[Any], force_after: float) -> None:
        """Cancel a task that is not running, ask a running one to stop."""
        entry = self.entries.get(task.number)
        if entry is not None and entry.batch is not None:
            self.batches.cancel(entry, force_after)
        elif entry is not None:
            self.handle(CancelRequested(task.number, force_after))
        else:
            task._order = None  # a start that is under way comes to nothing
            self._host.loop.at_end_of_pass(self, lambda: task._finish(TaskStatus.CANCELED))

    def has(self, worker: WorkerId) -> bool:
        """Whether a worker is there and may be asked for what it keeps; for any thread."""
        link = self._staff.find(worker)
        return link is not None and not link.kill_reason and not self.closed.is_set()

    def drop(self, worker: WorkerId, number: int) -> None:
        """Have a worker forget what a task returned, as soon as it is idle."""
        link = self._workers.get(worker)
        if link is not None:
            self._upkeep.drop(link)
            link.dropped.append(number)
            if len(link.dropped) == 1:  # those of the same pass go in one message
                self._host.loop.at_end_of_pass(self, lambda: self._hearing.send_dropped(link))

    def handle(self, event: Event) -> None:
        """Feed the core; what executing its commands brings up waits its turn."""
        if self._handling:
            self._backlog.append(event)
            return
        if self.batches.untold:
            self.batches.settle()
        self._handling = True
        try:
            while True:
                for command in self.core.handle(event, self._clock.now()):
                    self._EXECUTORS[type(command)](self, command)
                if not self._backlog:
                    break
                event = self._backlog.popleft()
        finally:
            self._handling = False
            self.saturated = self.core.saturated()
            self.flowing = self.core.flowing()

    def _execute(self, commands: list[Command]) -> None:
        for command in commands:
            self._EXECUTORS[type(command)](self, command)

    # -- commands ---------------------------------------------------------------------------------

    def _spawn(self, command: SpawnWorker) -> None:
        self._staff.spawn(command.worker)

    def _dispatch(self, command: DispatchTask) -> None:
        worker = self._workers[command.worker]
        batch = self.batches.find(command.task)
        if batch is not None:
            self.batches.send(worker, batch, command)
            return
        entry = self.entries[command.task]
        if command.ahead:
            self._ahead.send(worker, command, entry.payload)
            self.leave_gate(entry)
            return
        assert worker.process is not None
        worker.printed = worker.process.output.mark(entry.task._name)
        worker.busy_with = (command.task, command.attempt)
        if worker.pack:
            self._ahead.flush(worker)
        worker.assign(worker.busy_with)
        if self._upkeep.limited:
            self._upkeep.watch(self._workers.values)
        worker.payload = entry.payload
        run = protocol.Run(command.task, command.attempt, entry.payload)
        try:
            worker.send_run(self._host.transport, run)
        except PeerUnreachableError:
            # Most likely it is dead, which its exit will tell in words.
            self._host.loop.call_later(self, 1.0, lambda: self._unreachable(worker, command))
        if self.gate is not None:
            self.leave_gate(entry)
        # While the worker gets to work; its answer can't overtake this, being read here, too.
        entry.task._start(worker.public)
        if len(self.entries) == 1:
            self._watch(worker, entry)

    def _watch(self, worker: WorkerLink, entry: Entry) -> None:
        """Have the end looked for of a task that is alone, if it is short or of no kind."""
        short = self.core.is_brief(entry.kind)
        if short or entry.kind is None:
            self.watch.begin(worker, short=short)

    def _start(self, command: StartTask) -> None:
        batch, worker = self.batches.find(command.task), self._workers[command.worker]
        if batch is None:
            self._ahead.start(worker, command)
        else:
            self.batches.start(worker, batch, silent=None)

    def _reclaim(self, command: ReclaimTasks) -> None:
        self._ahead.reclaim(self._workers[command.worker])

    def _check(self, command: CheckWorker) -> None:
        self._ahead.check(self._workers[command.worker])

    def _look(self, command: LookAtWorker) -> None:
        worker, standstill = self._workers[command.worker], None
        self._hearing.take_notes(worker)  # should it have rung, and somebody else have heard that
        if worker.process is not None and (seen := look_at(worker.process.pid)).stopped:
            # And nothing has come from it, nor has this process been suspended meanwhile.
            standstill = (seen, worker.received, worker.busy_with, self._clock.lost)
        self.handle(WorkerSeen(command.worker, standstill))

    def _unreachable(self, worker: WorkerLink, command: DispatchTask) -> None:
        if worker.busy_with == (command.task, command.attempt):
            self.handle(WorkerFaulted(worker.id, "it can't be reached"))

    def _interrupt(self, command: InterruptTask) -> None:
        worker = self._workers[command.worker]
        run = self.batches.run_of(command)
        if run is None:
            return
        message = protocol.Interrupt(*run)
        with contextlib.suppress(PeerUnreachableError):  # it is dying: nothing is left to stop
            self._host.transport.send(worker.control_identity, message)

    def _stop(self, command: StopWorker) -> None:
        self._workers[command.worker].asked = True
        with contextlib.suppress(PeerUnreachableError):  # it is dying already
            self._workers[command.worker].send(self._host.transport, protocol.Stop())

    def _kill(self, command: KillWorker) -> None:
        self._staff.kill(command.worker, command.reason, undecided=command.undecided)

    def _resolve(self, command: ResolveTask) -> None:
        if self.batches.find(command.task) is not None:
            self.batches.resolve(command)
            return
        entry = self.entries.get(command.task)
        if entry is not None:
            self.finishing.finish(entry, command)

    def _retry(self, command: RetryTask) -> None:
        entry = self.entries[command.task]
        self._retries.note(command, entry.task, entry.terms.timeout)

    def _judge(self, command: JudgeFailure) -> None:
        entry = self.entries[command.task]
        timeout, retry = entry.terms.timeout, entry.terms.retry
        assert retry is not None

        def answer(again: bool) -> None:
            judged = RetryJudged(command.task, command.attempt, again)
            self._host.loop.post(self, lambda: self.handle(judged))

        self._retries.ask(command, entry.task, timeout, retry, answer)

    def _announce_broken(self, command: AnnounceBroken) -> None:
        failures = list(self._endings.failures.values())
        text = self._endings.broken_text()
        self._records.log(logging.ERROR, None, "%s", text)
        self.refusal = self.refusal or (lambda: PoolBrokenError(text, failures=failures))
        self.opened.set()

    def _announce_closed(self, command: AnnounceClosed) -> None:
        self.abandon(self.all_tasks())  # those submitted with start=False, and never started
        self._host.loop.remove(self)
        self._staff.leave_behind()
        # After the endings of this pass: who sees the pool closed finds every task ended.
        self._host.loop.at_end_of_pass(self, self.opened.set)
        self._host.loop.at_end_of_pass(self, self.closed.set)

    def take_on(self, worker: WorkerLink) -> None:
        """Have a worker work that is ready."""
        worker.ready = True
        self.handle(WorkerReady(worker.id))
        if self.core.count(SlotState.STARTING, SlotState.VACANT) == 0 and not self.opened.is_set():
            # After all that was posted there: who launches finds what guards his tasks' children.
            self._host.launcher.post(self.opened.set)

    # -- deaths -----------------------------------------------------------------------------------

    def _on_exit(self, worker: WorkerLink, death: Death) -> None:
        slot = worker.id.slot
        self._hearing.take_notes(worker, math.inf)
        begun = worker.notes.begun() if worker.notes is not None else 0
        self.batches.see_off(worker, begun)
        started = self._staff.see_off(worker)
        done = (worker.asked and not death.reason) or (worker.worn and death.returncode == 0)
        if not self.core.closing and not done:
            self._endings.failures[slot] = (
                f"worker {slot} {death.describe()}\n{death.log_tail}".rstrip()
            )
            text = "Worker %d of environment %r %s"
            self._records.log(
                logging.WARNING, slot, text, slot, self.plan.environment, death.describe()
            )
        if not worker.ready and not self.opened.is_set():
            self._fail_start(slot, death)
        if worker.busy_with and started is None:
            self.requeue(worker.busy_with[0])
        self.handle(WorkerExited(worker.id, started and self.known_as(started), death))

    def _fail_start(self, slot: int, death: Death) -> None:
        tail = f" The end of its stderr:\n{death.log_tail}" if death.log_tail else ""
        self.start_error = WorkerStartError(
            f"Worker {slot} of environment {self.plan.environment!r} ended before it was ready "
            f"(interpreter: {self.plan.executable}): it {death.describe()}.{tail}",
            log_tail=death.log_tail,
        )
        self.opened.set()

    def requeue(self, number: int) -> None:
        """Tell a task that has not begun after all that it waits again."""
        entry = self.entries.get(number)
        if entry is not None:
            entry.task._requeue()

    # -- helpers ----------------------------------------------------------------------------------

    def known_as(self, run: tuple[int, int]) -> tuple[int, int]:
        """Return what the core calls a Run: the task and attempt of its batch, if it has one."""
        entry = self.entries.get(run[0])
        if entry is None or entry.batch is None:
            return run
        return (entry.batch.number, entry.batch.attempt)

    def leave_gate(self, entry: Entry) -> None:
        """Take note that a task is queued no more."""
        if self.gate is not None and not entry.out_of_gate:
            entry.out_of_gate = True
            self.gate.leave()

    def call_later(self, delay: float, call: Callable[[], None]) -> None:
        self._host.loop.call_later(self, delay, call)

    _EXECUTORS: ClassVar[dict[type, Callable[[Driver, Any], None]]] = {
        SpawnWorker: _spawn,
        DispatchTask: _dispatch,
        StartTask: _start,
        CheckWorker: _check,
        LookAtWorker: _look,
        ReclaimTasks: _reclaim,
        InterruptTask: _interrupt,
        StopWorker: _stop,
        KillWorker: _kill,
        ResolveTask: _resolve,
        RetryTask: _retry,
        JudgeFailure: _judge,
        AnnounceBroken: _announce_broken,
        AnnounceClosed: _announce_closed,
    }
