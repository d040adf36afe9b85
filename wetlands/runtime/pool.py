"""The driver of one pool: feeds its core with what happens and executes what the core decides.

Everything that begins with an underscore runs on the loop thread, hence nothing here is locked; the
public methods post to it. What a worker says is believed only after it has proved its token, and
only about the task that it is busy with.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from wetlands.core.commands import (
    AnnounceBroken,
    AnnounceClosed,
    Command,
    DispatchTask,
    InterruptTask,
    KillWorker,
    ResolveTask,
    SpawnWorker,
    StopWorker,
)
from wetlands.core.events import (
    CancelRequested,
    ClockAdvanced,
    CloseRequested,
    Event,
    Outcome,
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
from wetlands.errors import (
    InternalError,
    PoolBrokenError,
    PoolClosedError,
    TaskAbandonedError,
    WorkerStartError,
)
from wetlands.runtime import host as host_module
from wetlands.runtime.ending import Endings, broken_text
from wetlands.runtime.launcher import WorkerPlan, start_worker
from wetlands.runtime.output import Emit
from wetlands.runtime.process import Death, WorkerProcess
from wetlands.runtime.transport import PeerUnreachableError
from wetlands.task import Task
from wetlands.task_event import TaskStatus, TaskWorker
from worker_entry import protocol
from worker_entry.codec import Codec, CodecError

logger = logging.getLogger("wetlands.pool")
task_logger = logging.getLogger("wetlands.task")

#: How long the news of a busy worker's death is held back, in seconds: its last words may still
#: be on their way through the socket, and a result that was sent must win.
LAST_WORDS = 0.02


@dataclass(slots=True)
class _Entry:
    """A submitted task: what to send, and how long it may run."""

    task: Task[Any]
    payload: tuple[bytes, ...]
    timeout: float


@dataclass(eq=False)
class _Worker:
    """One incarnation, as the driver knows it."""

    id: WorkerId
    started_file: str
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    task_identity: bytes = field(default_factory=lambda: b"t" + secrets.token_bytes(16))
    control_identity: bytes = field(default_factory=lambda: b"c" + secrets.token_bytes(16))
    process: WorkerProcess | None = None
    welcome: bool = False  #: it has proved the token
    ready: bool = False
    kill_reason: str = ""
    busy_with: tuple[int, int] | None = None  #: task and attempt


class Pool:
    """The workers of one environment. The public methods are safe to use from any thread."""

    def __init__(self, plan: WorkerPlan, config: PoolConfig) -> None:
        self._plan = plan
        self._core = PoolCore(config)
        self._codec = Codec(plan.pickle_protocol, plan.by_value)
        self._endings = Endings(plan.environment, config.worker_timeout)
        self._entries: dict[int, _Entry] = {}
        self._workers: dict[WorkerId, _Worker] = {}
        self._by_identity: dict[bytes, _Worker] = {}
        self._failures: dict[int, str] = {}  # slot -> what its last worker died of, unasked
        self._backlog: deque[Event] = deque()
        self._handling = False
        self._opened = threading.Event()
        self._closed = threading.Event()
        self._start_error: WorkerStartError | None = None
        self._refusal: Callable[[], Exception] | None = None
        self._numbers = 0
        self._number_lock = threading.Lock()
        self._host = host_module.acquire(self)

    # -- for any thread ---------------------------------------------------------------------------

    @property
    def codec(self) -> Codec:
        """What encodes arguments for these workers."""
        return self._codec

    def open(self) -> None:
        """Start the workers, in parallel, and wait until each has said hello.

        Raises:
            WorkerStartError: One of them could not start; then none is left.
        """
        self._host.loop.post(self, self._open)
        try:
            self._opened.wait()
        except BaseException:  # KeyboardInterrupt while waiting
            self.close(0.0)
            raise
        if self._start_error is not None:
            self.close(0.0)
            raise self._start_error

    def new_task(self, payload: tuple[bytes, ...], timeout: float, description: str) -> Task[Any]:
        """Return a task that is not queued yet.

        Raises:
            PoolClosedError, PoolBrokenError, ForkedError: It would never run.
        """
        self.check_open()
        with self._number_lock:
            self._numbers += 1
            number = self._numbers
        task: Task[Any] = Task(self, number, description)
        self._entries[number] = _Entry(task, payload, timeout)
        return task

    def check_open(self) -> None:
        """Raise what a submission now would run into.

        Raises:
            PoolClosedError, PoolBrokenError, ForkedError: Tasks can't run.
        """
        self._host.check_process()
        if self._refusal is not None:
            raise self._refusal()

    def start_task(self, task: Task[Any]) -> None:
        """Queue a task; called by the task."""
        self.check_open()
        self._host.loop.post(self, lambda: self._submit(task.number))

    def cancel_task(self, task: Task[Any], force_after: float) -> None:
        """Cancel a queued task before returning, ask a running one to stop; called by the task."""
        self._host.check_process()
        done = threading.Event()

        def cancel() -> None:
            try:
                self._handle(CancelRequested(task.number, force_after))
            finally:
                done.set()

        self._host.loop.post(self, cancel)
        # Bounded, should the loop end right now; then the task has been resolved anyway.
        while not done.wait(0.5) and not self._closed.is_set():
            pass

    def discard_task(self, task: Task[Any]) -> None:
        """Forget a task that ended before it was queued; called by the task."""
        self._entries.pop(task.number, None)

    def deliver(self, call: Callable[[], None]) -> None:
        """Run code of the user on the delivery thread."""
        self._host.delivery.call(call)

    def on_delivery_thread(self) -> bool:
        """Whether the caller is such code."""
        return self._host.delivery.is_current()

    def alive(self) -> int:
        """Return how many workers are up: they have said hello and were not told to go."""
        return self._core.count(SlotState.IDLE, SlotState.BUSY)

    def close(self, grace: float) -> None:
        """End all workers and tasks; return when nothing is left, in bounded time.

        Queued tasks fail at once. Running ones are asked to stop, and after ``grace`` seconds their
        workers are killed. Calling it again, from another thread too, may shorten the grace.
        """
        if os.getpid() != self._host.pid or self._closed.is_set():
            return
        self._refusal = lambda: PoolClosedError(
            f"Environment {self._plan.environment!r} was exited: launch() it again first."
        )
        config = self._core.config
        limit = grace + config.stop_grace + config.kill_retry * (config.kill_limit + 1) + 1.0
        self._host.loop.post(self, lambda: self._handle(CloseRequested(grace)))
        if not self._closed.wait(limit):
            logger.error("Environment %r did not close in time", self._plan.environment)
            self._closed.set()
        host_module.release(self)
        if self._plan.lease is not None:
            self._plan.lease.close()

    # -- for the loop thread ----------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """See `LoopClient`."""
        return self._core.next_deadline()

    def advance(self) -> None:
        """See `LoopClient`."""
        self._handle(ClockAdvanced())

    def receive(self, identity: bytes, frames: list[bytes]) -> None:
        """See `LoopClient`."""
        worker = self._by_identity[identity]
        try:
            message = protocol.decode(frames)
            if isinstance(message, protocol.Hello):
                self._greet(worker, message)
            elif worker.welcome:
                self._RECEIVERS[type(message)](self, worker, message)
        except (protocol.RemoteProtocolError, KeyError) as error:
            reason = f"it sent what is no message of ours: {error}"
            self._handle(WorkerFaulted(worker.id, reason))

    def break_down(self, error: BaseException) -> None:
        """See `LoopClient`."""
        story = [str(transition) for transition in self._core.story]
        self._refusal = lambda: InternalError(
            f"The pool of environment {self._plan.environment!r} broke down: {error!r}. "
            "This is a bug in wetlands, please report it.",
            story=story,
        )
        entries, self._entries = self._entries, {}
        for entry in entries.values():
            ending = TaskAbandonedError(f"The pool broke down, which is a bug: {error!r}")
            entry.task._finish(TaskStatus.FAILED, error=ending)
        for worker in self._workers.values():
            if worker.process is not None:
                self._host.health.kill(worker.process)
        self._opened.set()
        self._host.loop.remove(self)
        self._closed.set()

    def _open(self) -> None:
        self._host.loop.add(self)
        self._execute(self._core.open(time.monotonic()))

    def _submit(self, number: int) -> None:
        entry = self._entries.get(number)
        if entry is not None:
            self._handle(TaskSubmitted(number, entry.timeout))

    def _handle(self, event: Event) -> None:
        """Feed the core; what executing its commands brings up waits its turn."""
        self._backlog.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._backlog:
                self._execute(self._core.handle(self._backlog.popleft(), time.monotonic()))
        finally:
            self._handling = False

    def _execute(self, commands: list[Command]) -> None:
        for command in commands:
            self._EXECUTORS[type(command)](self, command)

    # -- commands ---------------------------------------------------------------------------------

    def _spawn(self, command: SpawnWorker) -> None:
        slot, incarnation = command.worker
        started_file = self._host.folder.path / f"{id(self):x}-{slot}-{incarnation}.started"
        worker = _Worker(command.worker, str(started_file))
        self._workers[worker.id] = worker
        for identity in (worker.task_identity, worker.control_identity):
            self._by_identity[identity] = worker
            self._host.loop.connect(self, identity)
        self._host.launcher.post(lambda: self._start_process(worker))

    def _start_process(self, worker: _Worker) -> None:
        """Runs on the launcher's thread."""
        post = self._host.loop.post
        connection = {
            "endpoint": self._host.transport.endpoint,
            "curve": self._host.transport.curve_key,
            "token": worker.token,
            "task_identity": worker.task_identity.hex(),
            "control_identity": worker.control_identity.hex(),
            "started_file": worker.started_file,
        }
        try:
            with open(worker.started_file, "wb") as file:
                file.write(bytes(16))
            emit = self._emitter(worker.id.slot)
            process = start_worker(self._plan, worker.id.slot, connection, emit)
        except Exception as error:
            death = Death(None, str(error))
            post(self, lambda: self._on_exit(worker, death))
            return
        post(self, lambda: self._on_spawned(worker, process))

    def _on_spawned(self, worker: _Worker, process: WorkerProcess) -> None:
        worker.process = process
        self._host.processes.add(process)

        def on_exit(returncode: int, tail: str) -> None:
            self._host.loop.post(self, lambda: self._on_process_gone(worker, returncode, tail))

        self._host.health.watch(process, on_exit)
        if worker.kill_reason:
            self._host.health.kill(process)

    def _dispatch(self, command: DispatchTask) -> None:
        worker = self._workers[command.worker]
        entry = self._entries[command.task]
        assert worker.process is not None
        worker.process.output.mark(entry.task)
        worker.busy_with = (command.task, command.attempt)
        entry.task._start(TaskWorker(worker.id.slot, worker.process.pid))
        run = protocol.Run(command.task, command.attempt, entry.payload)
        try:
            self._host.transport.send(worker.task_identity, run)
        except PeerUnreachableError as error:
            # Most likely it is dead, which its exit will tell with more words.
            logger.debug("Worker %d can't be reached: %s", worker.id.slot, error)
            self._host.loop.call_later(self, 1.0, lambda: self._unreachable(worker, command))

    def _unreachable(self, worker: _Worker, command: DispatchTask) -> None:
        if worker.busy_with == (command.task, command.attempt):
            self._handle(WorkerFaulted(worker.id, "it can't be reached"))

    def _interrupt(self, command: InterruptTask) -> None:
        worker = self._workers[command.worker]
        message = protocol.Interrupt(command.task, command.attempt)
        with contextlib.suppress(PeerUnreachableError):  # it is dying: nothing is left to stop
            self._host.transport.send(worker.control_identity, message)

    def _stop(self, command: StopWorker) -> None:
        with contextlib.suppress(PeerUnreachableError):  # it is dying already
            self._host.transport.send(self._workers[command.worker].task_identity, protocol.Stop())

    def _kill(self, command: KillWorker) -> None:
        worker = self._workers[command.worker]
        worker.kill_reason = worker.kill_reason or command.reason
        worker.busy_with = None
        if worker.process is not None:
            self._host.health.kill(worker.process)

    def _resolve(self, command: ResolveTask) -> None:
        entry = self._entries.pop(command.task, None)
        if entry is None:
            return
        if command.outcome is Outcome.COMPLETED:
            self._complete(entry, command)
        elif command.outcome is Outcome.CANCELED:
            entry.task._finish(TaskStatus.CANCELED)
        else:
            entry.task._finish(TaskStatus.FAILED, error=self._error(entry, command))

    def _complete(self, entry: _Entry, command: ResolveTask) -> None:
        payload: Any = command.detail
        load = self._loader(entry.task.id, payload[0] if payload else b"", command.worker)
        entry.task._finish(TaskStatus.COMPLETED, load=load)

    def _error(self, entry: _Entry, command: ResolveTask) -> Any:
        task_id, worker, detail = entry.task.id, command.worker, command.detail
        make = self._endings
        if command.outcome is Outcome.FAILED and isinstance(detail, dict):
            return make.failed(detail, task_id, worker)
        if command.outcome is Outcome.TIMED_OUT:
            return make.timed_out(entry.timeout, task_id, worker)
        if command.outcome is Outcome.SILENT:
            return make.silent(task_id, worker)
        if command.outcome is Outcome.LOST:
            death = detail if isinstance(detail, Death) else Death(-9, str(detail))
            return make.lost(death, task_id, worker)
        return make.abandoned(command.outcome, list(self._failures.values()), task_id, worker)

    def _announce_broken(self, command: AnnounceBroken) -> None:
        failures = [self._failures[slot] for slot in sorted(self._failures)]
        text = broken_text(self._plan.environment, failures)
        logger.error("%s", text)
        self._refusal = self._refusal or (lambda: PoolBrokenError(text, failures=failures))
        self._opened.set()

    def _announce_closed(self, command: AnnounceClosed) -> None:
        entries, self._entries = self._entries, {}
        for entry in entries.values():  # submitted with start=False, and never started
            ending = self._endings.abandoned(Outcome.CLOSED, (), entry.task.id, None)
            entry.task._finish(TaskStatus.FAILED, error=ending)
        self._host.loop.remove(self)
        self._opened.set()
        self._closed.set()

    # -- what workers say -------------------------------------------------------------------------

    def _greet(self, worker: _Worker, hello: protocol.Hello) -> None:
        answer: protocol.Message = protocol.Welcome()
        if hello.version != protocol.VERSION:
            answer = protocol.Reject(f"protocol {hello.version}, not {protocol.VERSION}")
        elif not secrets.compare_digest(hello.token.encode(), worker.token.encode()):
            answer = protocol.Reject("wrong token")
        else:
            worker.welcome = True
        with contextlib.suppress(PeerUnreachableError):
            self._host.transport.send(worker.control_identity, answer)
        if not worker.welcome:
            self._handle(WorkerFaulted(worker.id, f"it was rejected: {answer}"))

    def _on_ready(self, worker: _Worker, message: protocol.Ready) -> None:
        worker.ready = True
        self._handle(WorkerReady(worker.id))
        if self._core.count(SlotState.STARTING, SlotState.VACANT) == 0:
            self._opened.set()

    def _on_update(self, worker: _Worker, message: protocol.Update) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None:
            task._update(message.message, message.current, message.maximum)

    def _on_output(self, worker: _Worker, message: protocol.Output) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None and message.payload:
            task._set_output(message.key, self._loader(task.id, message.payload[0], worker.id))

    def _on_log(self, worker: _Worker, message: protocol.Log) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None and task_logger.isEnabledFor(message.level):
            extra = self._extra(worker.id.slot, task.id)
            self.deliver(lambda: task_logger.log(message.level, "%s", message.text, extra=extra))

    def _on_result(self, worker: _Worker, message: protocol.Result) -> None:
        self._end(worker, message.task, message.attempt, Outcome.COMPLETED, message.payload)

    def _on_failure(self, worker: _Worker, message: protocol.Failure) -> None:
        self._end(worker, message.task, message.attempt, Outcome.FAILED, message.description)

    def _on_canceled(self, worker: _Worker, message: protocol.Canceled) -> None:
        self._end(worker, message.task, message.attempt, Outcome.CANCELED, None)

    def _end(
        self, worker: _Worker, task: int, attempt: int, outcome: Outcome, detail: object
    ) -> None:
        if worker.busy_with == (task, attempt):
            worker.busy_with = None
        self._handle(TaskEnded(worker.id, task, attempt, outcome, detail))

    def _task_of(self, worker: _Worker, task: int, attempt: int) -> Task[Any] | None:
        """Return the task if the worker is busy with it, and note that it is not silent."""
        if worker.busy_with != (task, attempt):
            return None
        self._handle(TaskProgressed(worker.id, task, attempt))
        entry = self._entries.get(task)
        return None if entry is None else entry.task

    # -- deaths -----------------------------------------------------------------------------------

    def _on_process_gone(self, worker: _Worker, returncode: int, tail: str) -> None:
        if worker.process is not None:
            self._host.processes.discard(worker.process)
        death = Death(returncode, worker.kill_reason, tail)
        delay = LAST_WORDS if worker.busy_with else 0.0
        self._host.loop.call_later(self, delay, lambda: self._on_exit(worker, death))

    def _on_exit(self, worker: _Worker, death: Death) -> None:
        slot = worker.id.slot
        started = _read_started(worker.started_file)
        self._host.loop.disconnect(worker.task_identity, worker.control_identity)
        for identity in (worker.task_identity, worker.control_identity):
            self._by_identity.pop(identity, None)
        self._workers.pop(worker.id, None)
        if not self._core.closing:
            self._failures[slot] = f"worker {slot} {death.describe()}\n{death.log_tail}".rstrip()
            logger.warning(
                "Worker %d of environment %r %s",
                slot,
                self._plan.environment,
                death.describe(),
                extra=self._extra(slot, None),
            )
        if not worker.ready and not self._opened.is_set():
            self._fail_start(slot, death)
        if worker.busy_with and started != worker.busy_with:
            entry = self._entries.get(worker.busy_with[0])
            if entry is not None:
                entry.task._requeue()
        self._handle(WorkerExited(worker.id, started, death))

    def _fail_start(self, slot: int, death: Death) -> None:
        tail = f" The end of its stderr:\n{death.log_tail}" if death.log_tail else ""
        self._start_error = WorkerStartError(
            f"Worker {slot} of environment {self._plan.environment!r} {death.describe()} before "
            f"it was ready (interpreter: {self._plan.executable}).{tail}",
            log_tail=death.log_tail,
        )
        self._opened.set()

    # -- helpers ----------------------------------------------------------------------------------

    def _loader(self, task_id: str, frame: bytes, worker: WorkerId | None) -> Callable[[], Any]:
        def load() -> Any:
            try:
                return self._codec.loads(frame)
            except CodecError as error:
                raise self._endings.unreadable(error, task_id, worker) from error

        return load

    def _emitter(self, slot: int) -> Emit:
        worker_logger = logging.getLogger("wetlands.worker")

        def emit(level: int, line: str, stream: str, task: Task[Any] | None) -> None:
            extra = {**self._extra(slot, task.id if task else None), "stream": stream}
            self.deliver(lambda: worker_logger.log(level, "%s", line, extra=extra))

        return emit

    def _extra(self, slot: int, task_id: str | None) -> dict[str, Any]:
        return {"environment": self._plan.environment, "worker": slot, "task": task_id}

    _EXECUTORS: ClassVar[dict[type, Callable[[Pool, Any], None]]] = {
        SpawnWorker: _spawn,
        DispatchTask: _dispatch,
        InterruptTask: _interrupt,
        StopWorker: _stop,
        KillWorker: _kill,
        ResolveTask: _resolve,
        AnnounceBroken: _announce_broken,
        AnnounceClosed: _announce_closed,
    }
    _RECEIVERS: ClassVar[dict[type, Callable[[Pool, _Worker, Any], None]]] = {
        protocol.Ready: _on_ready,
        protocol.Update: _on_update,
        protocol.Output: _on_output,
        protocol.Log: _on_log,
        protocol.Result: _on_result,
        protocol.Failure: _on_failure,
        protocol.Canceled: _on_canceled,
    }


def _read_started(path: str) -> tuple[int, int] | None:
    """Return the last task and attempt that the worker began, and remove its note."""
    try:
        with open(path, "rb") as file:
            content = file.read(12)
        os.unlink(path)
    except OSError:
        return None
    found = (int.from_bytes(content[:8], "big"), int.from_bytes(content[8:12], "big"))
    return found if found != (0, 0) else None
