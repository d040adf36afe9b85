"""The driver of one pool: feeds its core with what happens and executes what the core decides.

All of it is for the holder of the loop's role, hence nothing here is locked; to other threads,
`Pool` is its face. What a worker says is believed only after it has proved its token, and only
about the task that it is busy with.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from wetlands.core.commands import (
    AnnounceBroken,
    AnnounceClosed,
    Command,
    DispatchTask,
    InterruptTask,
    JudgeFailure,
    KillWorker,
    ResolveTask,
    RetryTask,
    SpawnWorker,
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
    TaskEnded,
    TaskProgressed,
    TaskSubmitted,
    WorkerExited,
    WorkerFaulted,
    WorkerId,
    WorkerReady,
)
from wetlands.core.policy import PoolConfig
from wetlands.core.pool import PoolCore, SlotState
from wetlands.errors import InternalError, PoolBrokenError, TaskAbandonedError, WorkerStartError
from wetlands.latch import Latch
from wetlands.result_proxy import Keeper, ResultProxy
from wetlands.retry import RetryPolicy
from wetlands.runtime.ending import Endings
from wetlands.runtime.gate import Gate
from wetlands.runtime.host import Host
from wetlands.runtime.launcher import WorkerPlan, start_worker
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.memory import MemoryKills
from wetlands.runtime.output import Emit
from wetlands.runtime.process import Death, WorkerProcess
from wetlands.runtime.retries import Retries
from wetlands.runtime.segments import HostCarrier
from wetlands.runtime.transport import PeerUnreachableError
from wetlands.runtime.upkeep import Upkeep
from wetlands.task import Task
from wetlands.task_event import TaskStatus, TaskWorker
from wetlands.task_state import TaskName
from worker_entry import protocol
from worker_entry.codec import Codec

logger = logging.getLogger("wetlands.pool")
task_logger = logging.getLogger("wetlands.task")
worker_logger = logging.getLogger("wetlands.worker")

#: How long the news of a busy worker's death is held back, in seconds: its last words may still
#: be on their way through the socket, and a result that was sent must win.
LAST_WORDS = 0.02
#: Kept values that one message tells a worker to drop: its header has a limit.
MAX_DROPPED = 10_000
#: What an initializer is called on the wire, in place of a task and an attempt.
INITIALIZER = (0, 1)


@dataclass(slots=True)
class Entry:
    """A submitted task: what to send, and how long it may run."""

    task: Task[Any]
    payload: tuple[bytes, ...]
    timeout: float
    worker: WorkerId | None = None  #: the only one that can run it
    proxies: Sequence[ResultProxy] = ()  #: kept from being released
    retry: RetryPolicy | None = None  #: None for a task that runs once
    block: bool = True  #: whether to wait for room in the queue
    out_of_gate: bool = False  #: it counts as queued no more

    def submission(self) -> TaskSubmitted:
        """Return the event that queues it."""
        if self.retry is None:
            return TaskSubmitted(self.task.number, self.timeout, self.worker)
        plan, dice = self.retry.plan, random.random()
        return TaskSubmitted(self.task.number, self.timeout, self.worker, plan, dice)


class Driver:
    """Drives one pool; a `LoopClient`.

    Attributes:
        core: The pool's state.
        plan: What its workers are started with.
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
        self.plan = plan
        self._carrier = codec.carrier
        self._keeper = keeper
        self._endings = Endings(plan.environment, config.worker_timeout, codec)
        self._retries = Retries(host.delivery, self._endings)
        self._upkeep = Upkeep(config, self.handle, self._call_later)
        self._memory_kills = MemoryKills()
        self._workers: dict[WorkerId, WorkerLink] = {}
        self._by_identity: dict[bytes, WorkerLink] = {}
        self._backlog: deque[Event] = deque()
        self._handling = False
        self.gate: Gate | None = None  #: counts queued tasks where their number is limited
        self.saturated = False  #: whether tasks that come now wait for others, which will end

    # -- called by the pool and the loop ----------------------------------------------------------

    def next_deadline(self) -> float | None:
        """See `LoopClient`."""
        return self.core.next_deadline()

    def advance(self) -> None:
        """See `LoopClient`."""
        self.handle(ClockAdvanced())

    def unended(self) -> int:
        """See `LoopClient`."""
        return len(self.entries)

    def receive(self, identity: bytes, frames: list[bytes]) -> None:
        """See `LoopClient`."""
        worker = self._by_identity[identity]
        try:
            message = protocol.decode(frames)
        except protocol.RemoteProtocolError as error:
            self._fault(worker, str(error))
            return
        kind = type(message)
        if kind not in self._RECEIVERS:
            self._fault(worker, f"{kind.__name__} is not for a host")
        elif worker.welcome or kind is protocol.Hello:
            self._RECEIVERS[kind](self, worker, message)

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
        for worker in self._workers.values():
            if worker.process is not None:
                self._host.health.kill(worker.process)
        self.saturated = False  # nothing ends any more
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

    def open(self) -> None:
        """Start the workers."""
        self._host.loop.add(self)
        self._execute(self.core.open(time.monotonic()))

    def submit(self, task: Task[Any]) -> None:
        """Queue a task, once, however often this is asked for."""
        entry, task._order = task._order, None
        if entry is not None:
            self.entries[task.number] = entry
            self.handle(entry.submission())

    def resize(self, size: int, environ: tuple[Mapping[str, str], ...]) -> None:
        """Have ``size`` workers; ``environ`` are the variables of those, and maybe of more."""
        self.plan = replace(self.plan, environ=environ)
        self.handle(ResizeRequested(size))

    def restart(self) -> None:
        """Replace all workers; a pool that was broken begins again."""
        if not self.core.closing:
            self.refusal = None
            self._endings.failures.clear()
        self.handle(RestartRequested())

    def cancel(self, task: Task[Any], force_after: float) -> None:
        """Cancel a task that is not running, ask a running one to stop."""
        if task.number in self.entries:
            self.handle(CancelRequested(task.number, force_after))
        else:
            task._order = None  # a start that is under way comes to nothing
            self._host.loop.at_end_of_pass(lambda: task._finish(TaskStatus.CANCELED))

    def has(self, worker: WorkerId) -> bool:
        """Whether a worker is there and may be asked for what it keeps; for any thread."""
        link = self._workers.get(worker)
        return link is not None and not link.kill_reason and not self.closed.is_set()

    def drop(self, worker: WorkerId, number: int) -> None:
        """Have a worker forget what a task returned, as soon as it is idle."""
        link = self._workers.get(worker)
        if link is not None:
            self._upkeep.drop(link)
            link.dropped.append(number)
            if len(link.dropped) == 1:  # those of the same pass go in one message
                self._host.loop.at_end_of_pass(lambda: self._send_dropped(link))

    def _send_dropped(self, link: WorkerLink) -> None:
        if link.busy_with is not None or not link.dropped:
            return
        dropped, link.dropped = link.dropped, []
        with contextlib.suppress(PeerUnreachableError):  # it takes them along
            for begin in range(0, len(dropped), MAX_DROPPED):
                message = protocol.Drop(dropped[begin : begin + MAX_DROPPED])
                self._host.transport.send(link.task_identity, message)

    def handle(self, event: Event) -> None:
        """Feed the core; what executing its commands brings up waits its turn."""
        if self._handling:
            self._backlog.append(event)
            return
        self._handling = True
        try:
            while True:
                for command in self.core.handle(event, time.monotonic()):
                    self._EXECUTORS[type(command)](self, command)
                if not self._backlog:
                    break
                event = self._backlog.popleft()
        finally:
            self._handling = False
            self.saturated = self.core.saturated()

    def _execute(self, commands: list[Command]) -> None:
        for command in commands:
            self._EXECUTORS[type(command)](self, command)

    # -- commands ---------------------------------------------------------------------------------

    def _spawn(self, command: SpawnWorker) -> None:
        slot, incarnation = command.worker
        started_file = self._host.folder.path / f"{id(self):x}-{slot}-{incarnation}.started"
        worker = WorkerLink(command.worker, started_file)
        self._workers[worker.id] = worker
        for identity in worker.identities:
            self._by_identity[identity] = worker
        self._host.loop.connect(self, *worker.identities)
        self._host.launcher.post(lambda: self._start_process(worker))

    def _start_process(self, worker: WorkerLink) -> None:
        """Runs on the launcher's thread."""
        post = self._host.loop.post
        try:
            connection = worker.prepare(self._host.transport)
            if isinstance(self._carrier, HostCarrier):
                connection["segments"] = self._carrier.worker_config(*worker.id)
            emit = self._emitter(worker.id.slot)
            # The dot at its end keeps the tag of incarnation 1 apart from that of 10.
            pool, (slot, incarnation) = f"{self._host.reaper.tag}/{id(self):x}", worker.id
            tag = f"{pool}.{slot}.{incarnation}."
            self._host.reaper.start(self.plan.executable)
            process = start_worker(self.plan, worker.id.slot, tag, connection, emit)
            self._host.reaper.add(process.pid)
        except Exception as error:
            death = Death(None, str(error))
            post(self, lambda: self._on_exit(worker, death))
            return
        post(self, lambda: self._on_spawned(worker, process))

    def _on_spawned(self, worker: WorkerLink, process: WorkerProcess) -> None:
        worker.process = process
        worker.public = TaskWorker(worker.id.slot, process.pid)
        self._host.processes.add(process)

        def on_exit(returncode: int, tail: str) -> None:
            self._host.loop.post(self, lambda: self._on_process_gone(worker, returncode, tail))

        self._host.health.watch(process, on_exit)
        if worker.kill_reason:
            self._host.health.kill(process)

    def _dispatch(self, command: DispatchTask) -> None:
        worker = self._workers[command.worker]
        entry = self.entries[command.task]
        assert worker.process is not None
        worker.process.output.mark(entry.task._name)
        worker.busy_with = (command.task, command.attempt)
        if self._upkeep.limited:
            self._upkeep.watch(self._workers.values)
        worker.payload = entry.payload
        run = protocol.Run(command.task, command.attempt, entry.payload)
        try:
            self._host.transport.send(worker.task_identity, run)
        except PeerUnreachableError:
            # Most likely it is dead, which its exit will tell in words.
            self._host.loop.call_later(self, 1.0, lambda: self._unreachable(worker, command))
        if self.gate is not None and not entry.out_of_gate:
            self._leave_gate(entry)
        # While the worker gets to work; its answer can't overtake this, being read here, too.
        entry.task._start(worker.public)

    def _unreachable(self, worker: WorkerLink, command: DispatchTask) -> None:
        if worker.busy_with == (command.task, command.attempt):
            self.handle(WorkerFaulted(worker.id, "it can't be reached"))

    def _interrupt(self, command: InterruptTask) -> None:
        worker = self._workers[command.worker]
        message = protocol.Interrupt(command.task, command.attempt)
        with contextlib.suppress(PeerUnreachableError):  # it is dying: nothing is left to stop
            self._host.transport.send(worker.control_identity, message)

    def _stop(self, command: StopWorker) -> None:
        self._workers[command.worker].asked = True
        with contextlib.suppress(PeerUnreachableError):  # it is dying already
            self._host.transport.send(self._workers[command.worker].task_identity, protocol.Stop())

    def _kill(self, command: KillWorker) -> None:
        worker = self._workers[command.worker]
        worker.kill_reason = worker.kill_reason or command.reason
        worker.busy_with = None
        if worker.process is not None:
            self._host.health.kill(worker.process)

    def _resolve(self, command: ResolveTask) -> None:
        entry = self.entries.pop(command.task, None)
        if entry is not None:
            if self.gate is not None and not entry.out_of_gate:
                self._leave_gate(entry)
            entry.payload = ()  # before anybody hears of the end, and submits what needs its space
            self._host.loop.at_end_of_pass(
                lambda: entry.task._finish(*self._endings.of(command, entry.task, entry.timeout))
            )

    def _retry(self, command: RetryTask) -> None:
        entry = self.entries[command.task]
        self._retries.note(command, entry.task, entry.timeout)

    def _judge(self, command: JudgeFailure) -> None:
        entry = self.entries[command.task]
        assert entry.retry is not None

        def answer(again: bool) -> None:
            judged = RetryJudged(command.task, command.attempt, again)
            self._host.loop.post(self, lambda: self.handle(judged))

        self._retries.ask(command, entry.task, entry.timeout, entry.retry, answer)

    def _announce_broken(self, command: AnnounceBroken) -> None:
        failures = list(self._endings.failures.values())
        text = self._endings.broken_text()
        self._log(logging.ERROR, None, "%s", text)
        self.refusal = self.refusal or (lambda: PoolBrokenError(text, failures=failures))
        self.opened.set()

    def _announce_closed(self, command: AnnounceClosed) -> None:
        self.abandon(self.all_tasks())  # those submitted with start=False, and never started
        self._host.loop.remove(self)
        # After the endings of this pass: who sees the pool closed finds every task ended.
        self._host.loop.at_end_of_pass(self.opened.set)
        self._host.loop.at_end_of_pass(self.closed.set)

    # -- what workers say -------------------------------------------------------------------------

    def _fault(self, worker: WorkerLink, error: str) -> None:
        reason = f"it sent what is no message of ours: {error}"
        self.handle(WorkerFaulted(worker.id, reason))

    def _greet(self, worker: WorkerLink, hello: protocol.Hello) -> None:
        answer = worker.judge(hello)
        with contextlib.suppress(PeerUnreachableError):
            self._host.transport.send(worker.control_identity, answer)
        if isinstance(answer, protocol.Reject):
            self.handle(WorkerFaulted(worker.id, f"it was rejected: {answer.reason}"))

    def _on_ready(self, worker: WorkerLink, message: protocol.Ready) -> None:
        if self.plan.initializer and not worker.initializing:
            worker.initializing = True
            run = protocol.Run(*INITIALIZER, self.plan.initializer)
            with contextlib.suppress(PeerUnreachableError):  # its exit will tell why
                self._host.transport.send(worker.task_identity, run)
        elif not worker.initializing:
            self._take_on(worker)

    def _on_initialized(self, worker: WorkerLink, outcome: Outcome, detail: object) -> None:
        worker.initializing = False
        if outcome is Outcome.COMPLETED:
            self._take_on(worker)
        else:
            self.handle(WorkerFaulted(worker.id, self._endings.initializer_text(detail)))

    def _take_on(self, worker: WorkerLink) -> None:
        worker.ready = True
        self.handle(WorkerReady(worker.id))
        if self.core.count(SlotState.STARTING, SlotState.VACANT) == 0:
            self.opened.set()

    def _on_update(self, worker: WorkerLink, message: protocol.Update) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None:
            task._update(message.message, message.current, message.maximum)

    def _on_output(self, worker: WorkerLink, message: protocol.Output) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None and message.payload:
            load = self._endings.loader(self._redeem(worker, message.payload), task, worker.id)
            task._set_output(message.key, load)

    def _on_log(self, worker: WorkerLink, message: protocol.Log) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is None or not task_logger.isEnabledFor(message.level):
            return
        if not worker.records.admit():
            return
        text, extra = message.text, self._extra(worker.id.slot, task.id)
        left_out = worker.records.take_left_out()
        if left_out:
            text = f"{text} (after {left_out} records that were left out)"
        self._host.delivery.call(lambda: task_logger.log(message.level, "%s", text, extra=extra))

    def _on_result(self, worker: WorkerLink, message: protocol.Result) -> None:
        detail = self._redeem(worker, message.payload)
        self._end(worker, message.task, message.attempt, Outcome.COMPLETED, detail)

    def _on_kept(self, worker: WorkerLink, message: protocol.Kept) -> None:
        proxy = ResultProxy(self._keeper, worker.id, message.task, message.type)
        self._upkeep.keep(worker)
        self._end(worker, message.task, message.attempt, Outcome.COMPLETED, proxy)

    def _on_failure(self, worker: WorkerLink, message: protocol.Failure) -> None:
        self._end(worker, message.task, message.attempt, Outcome.FAILED, message.description)

    def _on_canceled(self, worker: WorkerLink, message: protocol.Canceled) -> None:
        self._end(worker, message.task, message.attempt, Outcome.CANCELED, None)

    def _end(
        self, worker: WorkerLink, task: int, attempt: int, outcome: Outcome, detail: object
    ) -> None:
        if worker.initializing and (task, attempt) == INITIALIZER:
            self._on_initialized(worker, outcome, detail)
            return
        if worker.busy_with == (task, attempt):
            worker.busy_with = None
            worker.payload = ()
            if self._upkeep.limited:
                self._upkeep.measure(worker)
            if worker.dropped:  # now: soon it may be busy again, for as long as tasks wait
                self._send_dropped(worker)
        self.handle(TaskEnded(worker.id, task, attempt, outcome, detail))

    def _redeem(self, worker: WorkerLink, payload: Sequence[Any]) -> Sequence[Any]:
        """Have the value hold its segments from now on, whether it is ever looked at or not."""
        if len(payload) > 1 and isinstance(self._carrier, HostCarrier):
            return self._carrier.redeem_from(worker.id.slot, worker.id.incarnation, payload)
        return payload

    def _task_of(self, worker: WorkerLink, task: int, attempt: int) -> Task[Any] | None:
        """Return the task if the worker is busy with it, and note that it is not silent."""
        if worker.busy_with != (task, attempt):
            return None
        self.handle(TaskProgressed(worker.id, task, attempt))
        entry = self.entries.get(task)
        return None if entry is None else entry.task

    # -- deaths -----------------------------------------------------------------------------------

    def _on_process_gone(self, worker: WorkerLink, returncode: int, tail: str) -> None:
        if worker.process is not None:
            self._host.processes.discard(worker.process)
            pid = worker.process.pid
            self._host.launcher.post(lambda: self._host.reaper.discard(pid))
        lack = returncode == -9 and self._memory_kills.happened()
        death = Death(returncode, worker.kill_reason, tail, lack and not worker.kill_reason)
        delay = LAST_WORDS if worker.busy_with else 0.0
        self._host.loop.call_later(self, delay, lambda: self._on_exit(worker, death))

    def _on_exit(self, worker: WorkerLink, death: Death) -> None:
        slot = worker.id.slot
        started = worker.last_started()
        self._host.loop.disconnect(*worker.identities)
        for identity in worker.identities:
            self._by_identity.pop(identity, None)
        self._workers.pop(worker.id, None)
        if isinstance(self._carrier, HostCarrier):
            self._host.launcher.post(self._carrier.forget_worker(*worker.id))
        if not self.core.closing and not (worker.asked and not death.reason):
            self._endings.failures[slot] = (
                f"worker {slot} {death.describe()}\n{death.log_tail}".rstrip()
            )
            text = "Worker %d of environment %r %s"
            self._log(logging.WARNING, slot, text, slot, self.plan.environment, death.describe())
        if not worker.ready and not self.opened.is_set():
            self._fail_start(slot, death)
        if worker.busy_with and started != worker.busy_with:
            entry = self.entries.get(worker.busy_with[0])
            if entry is not None:
                entry.task._requeue()
        self.handle(WorkerExited(worker.id, started, death))

    def _fail_start(self, slot: int, death: Death) -> None:
        tail = f" The end of its stderr:\n{death.log_tail}" if death.log_tail else ""
        self.start_error = WorkerStartError(
            f"Worker {slot} of environment {self.plan.environment!r} ended before it was ready "
            f"(interpreter: {self.plan.executable}): it {death.describe()}.{tail}",
            log_tail=death.log_tail,
        )
        self.opened.set()

    # -- helpers ----------------------------------------------------------------------------------

    def _leave_gate(self, entry: Entry) -> None:
        assert self.gate is not None
        entry.out_of_gate = True
        self.gate.leave()

    def _call_later(self, delay: float, call: Callable[[], None]) -> None:
        self._host.loop.call_later(self, delay, call)

    def _emitter(self, slot: int) -> Emit:
        def emit(level: int, line: str, stream: str, task: TaskName | None) -> None:
            extra = {**self._extra(slot, str(task) if task else None), "stream": stream}
            self._host.delivery.call(lambda: worker_logger.log(level, "%s", line, extra=extra))

        return emit

    def _log(self, level: int, slot: int | None, text: str, *args: object) -> None:
        # Handlers are code of the user, which has no place in a pass.
        extra = self._extra(slot, None)
        self._host.delivery.call(lambda: logger.log(level, text, *args, extra=extra))

    def _extra(self, slot: int | None, task_id: str | None) -> dict[str, Any]:
        return {"environment": self.plan.environment, "worker": slot, "task": task_id}

    _EXECUTORS: ClassVar[dict[type, Callable[[Driver, Any], None]]] = {
        SpawnWorker: _spawn,
        DispatchTask: _dispatch,
        InterruptTask: _interrupt,
        StopWorker: _stop,
        KillWorker: _kill,
        ResolveTask: _resolve,
        RetryTask: _retry,
        JudgeFailure: _judge,
        AnnounceBroken: _announce_broken,
        AnnounceClosed: _announce_closed,
    }
    _RECEIVERS: ClassVar[dict[type, Callable[[Driver, WorkerLink, Any], None]]] = {
        protocol.Hello: _greet,
        protocol.Ready: _on_ready,
        protocol.Update: _on_update,
        protocol.Output: _on_output,
        protocol.Log: _on_log,
        protocol.Result: _on_result,
        protocol.Kept: _on_kept,
        protocol.Failure: _on_failure,
        protocol.Canceled: _on_canceled,
        protocol.Void: lambda driver, worker, message: None,
    }
