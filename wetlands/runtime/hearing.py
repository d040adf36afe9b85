"""What the workers of one pool say, and what that means for its tasks.

What a worker says is believed only after it has proved its token, and only about the task that it
is busy with.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from wetlands.core.events import (
    Outcome,
    TaskEnded,
    TaskProgressed,
    TaskReturned,
    WorkerFaulted,
    WorkerWorn,
)
from wetlands.core.policy import PoolConfig
from wetlands.result_proxy import Keeper, ResultProxy
from wetlands.runtime.ending import Endings, Loader
from wetlands.runtime.entry import Entry
from wetlands.runtime.host import Host
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.records import Records
from wetlands.runtime.segments import HostCarrier
from wetlands.runtime.staff import Staff
from wetlands.runtime.transport import PeerUnreachableError
from wetlands.runtime.upkeep import Upkeep
from wetlands.task import Task
from worker_entry import protocol
from worker_entry.notes import Noted

if TYPE_CHECKING:
    from wetlands.runtime.driver import Driver
    from worker_entry.carrier import Carrier

#: Kept values that one message tells a worker to drop: its header has a limit.
MAX_DROPPED = 10_000
#: The part of a patience by which it may be too short: not each of thousands of updates is told.
PRECISION = 0.001
#: Of so many tasks of a kind that is known to be short, one is looked at.
SAMPLE = 16
_ENDINGS = frozenset(
    (protocol.Result, protocol.Kept, protocol.Failure, protocol.Canceled, protocol.Skipped)
)
#: What a worker may note, in place of sending it.
_NOTES = _ENDINGS | {protocol.Update, protocol.Output, protocol.Log}
#: What an initializer is called on the wire, in place of a task and an attempt.
INITIALIZER = (0, 1)


class Hearing:
    """Makes events of messages. For the holder of the loop's role."""

    def __init__(
        self,
        driver: Driver,
        host: Host,
        staff: Staff,
        endings: Endings,
        records: Records,
        upkeep: Upkeep,
        config: PoolConfig,
        carrier: Carrier,
        keeper: Keeper,
    ) -> None:
        self._driver = driver
        self._transport = host.transport
        self._staff = staff
        self._endings = endings
        self._records = records
        self._upkeep = upkeep
        self._carrier = carrier
        self._keeper = keeper
        # Patience is counted from the last news that the core has heard of; it need not be exact.
        self._often = min(config.worker_timeout, config.look_after) * PRECISION

    def receive(self, identity: bytes, frames: list[bytes]) -> None:
        """Handle a message; see `LoopClient`."""
        worker = self._staff.by_identity[identity]
        if identity == worker.control_identity:
            self._hear(worker, frames)
            return
        if worker.notes is not None and worker.notes.has_more():
            self.take_notes(worker)
        self._hear(worker, frames)
        if worker.advanced is not None:
            self._driver.batches.advance(worker)
        worker.received += 1  # only now: what was noted after it must not be heard of before
        if worker.notes is not None and worker.notes.waits:
            self.take_notes(worker)

    def answer(self, mark: bytes) -> None:
        """Handle that a worker has rung; see `LoopClient`."""
        worker = self._staff.by_mark.get(mark)
        if worker is not None:  # it may have died meanwhile
            self.take_notes(worker)

    def answer_all(self) -> None:
        """Handle that any of them may have; see `LoopClient`."""
        for worker in list(self._staff.links.values()):
            self.take_notes(worker)

    def _hear(self, worker: WorkerLink, frames: list[bytes]) -> None:
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

    def take_notes(self, worker: WorkerLink, received: float | None = None) -> None:
        """Handle the endings that a worker has noted, up to its next message.

        Args:
            worker: Who.
            received: How many messages have come from it, if not those that have been handled.
        """
        if worker.notes is None or worker.notes.closed() or worker.taking:
            return  # an ending makes somebody look at those behind it, which are about to follow
        upto, worker.taking = worker.received if received is None else received, True
        try:
            endings = worker.notes.take(upto)
            spoke = bool(endings and worker.batches) and self._has_printed(worker)
            batches, at = self._driver.batches, 0
            while at < len(endings):
                if worker.batches:
                    ended = batches.take_results(worker, endings, at, spoke=spoke)
                    if ended > at:
                        at = ended
                        continue
                self._hear_noted(worker, endings[at], spoke=spoke)
                at += 1
        except (ValueError, protocol.RemoteProtocolError) as error:
            self._fault(worker, str(error))
        finally:
            worker.taking = False
        if worker.advanced is not None:
            self._driver.batches.advance(worker)

    def _hear_noted(self, worker: WorkerLink, noted: Noted, *, spoke: bool) -> None:
        if noted.task:
            worker.seconds = math.inf if spoke else noted.seconds
            value = (noted.ending,)
            self._end(worker, noted.task, noted.attempt, Outcome.COMPLETED, value)
            return
        message = protocol.decode([noted.ending])
        if type(message) not in _NOTES:
            raise ValueError(f"{type(message).__name__} is not to be noted")
        if type(message) in _ENDINGS:
            worker.seconds = math.inf if spoke else noted.seconds
        elif worker.advanced is not None:  # it is about the call after those that have ended
            self._driver.batches.advance(worker)
        self._RECEIVERS[type(message)](self, worker, message)

    def send_dropped(self, link: WorkerLink) -> None:
        """Tell an idle worker what it need not keep any more."""
        if link.busy_with is not None or not link.dropped:
            return
        dropped, link.dropped = link.dropped, []
        with contextlib.suppress(PeerUnreachableError):  # it takes them along
            for begin in range(0, len(dropped), MAX_DROPPED):
                message = protocol.Drop(dropped[begin : begin + MAX_DROPPED])
                link.send(self._transport, message)

    def _fault(self, worker: WorkerLink, error: str) -> None:
        reason = f"it sent what is no message of ours: {error}"
        self._driver.handle(WorkerFaulted(worker.id, reason))

    def _greet(self, worker: WorkerLink, hello: protocol.Hello) -> None:
        answer = worker.judge(hello)
        self._staff.guard()
        with contextlib.suppress(PeerUnreachableError):
            self._transport.send(worker.control_identity, answer)
        if isinstance(answer, protocol.Reject):
            self._driver.handle(WorkerFaulted(worker.id, f"it was rejected: {answer.reason}"))

    def _on_ready(self, worker: WorkerLink, message: protocol.Ready) -> None:
        if self._staff.plan.initializer and not worker.initializing:
            worker.initializing = True
            run = protocol.Run(*INITIALIZER, self._staff.plan.initializer)
            worker.assign()
            with contextlib.suppress(PeerUnreachableError):  # its exit will tell why
                worker.send(self._transport, run)
        elif not worker.initializing:
            self._driver.take_on(worker)

    def _on_initialized(self, worker: WorkerLink, outcome: Outcome, detail: object) -> None:
        worker.initializing = False
        if outcome is Outcome.COMPLETED:
            self._driver.take_on(worker)
        else:
            self._driver.handle(WorkerFaulted(worker.id, self._endings.initializer_text(detail)))

    def _on_update(self, worker: WorkerLink, message: protocol.Update) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None:
            task._update(message.message, message.current, message.maximum)

    def _on_output(self, worker: WorkerLink, message: protocol.Output) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None and message.payload:
            load = Loader(self._endings, self._redeem(worker, message.payload), worker.id)
            task._set_output(message.key, load)

    def _on_log(self, worker: WorkerLink, message: protocol.Log) -> None:
        task = self._task_of(worker, message.task, message.attempt)
        if task is not None:
            self._records.log_task(worker, task, message)

    def _on_result(self, worker: WorkerLink, message: protocol.Result) -> None:
        own = worker.busy_with == (message.task, message.attempt)
        detail = self._redeem(worker, message.payload, worker.payload if own else ())
        self._end(worker, message.task, message.attempt, Outcome.COMPLETED, detail)

    def _on_kept(self, worker: WorkerLink, message: protocol.Kept) -> None:
        if worker.number_of((message.task, message.attempt)) is None:
            return  # heard before, and counted
        proxy = ResultProxy(self._keeper, worker.id, message.task, message.type)
        self._upkeep.keep(worker)
        self._end(worker, message.task, message.attempt, Outcome.COMPLETED, proxy)

    def _on_failure(self, worker: WorkerLink, message: protocol.Failure) -> None:
        self._end(worker, message.task, message.attempt, Outcome.FAILED, message.description)

    def _on_canceled(self, worker: WorkerLink, message: protocol.Canceled) -> None:
        self._end(worker, message.task, message.attempt, Outcome.CANCELED, None)

    def _on_skipped(self, worker: WorkerLink, message: protocol.Skipped) -> None:
        run = (message.task, message.attempt)
        number = worker.number_of(run)
        if number is None or worker.notes is None:
            return  # as was certain before
        if not worker.notes.is_marked(number):
            self._fault(worker, "it skipped a task that was not reclaimed")
            return
        worker.forget(run)
        if worker.busy_with == run:  # it was the next one, and taken for begun
            worker.busy_with = None
            self._driver.requeue(run[0])
        entry = self._driver.entries.get(run[0])
        if entry is not None and entry.batch is not None:
            self._driver.batches.give_back(worker, entry.batch, [entry])
        else:
            self._driver.handle(TaskReturned(worker.id, *run))

    def _on_worn(self, worker: WorkerLink, message: protocol.Worn) -> None:
        self._records.log_worn(worker, message.reason)
        self._driver.handle(WorkerWorn(worker.id))

    def _end(
        self, worker: WorkerLink, task: int, attempt: int, outcome: Outcome, detail: object
    ) -> None:
        if worker.initializing and (task, attempt) == INITIALIZER:
            self._on_initialized(worker, outcome, detail)
            return
        entry = self._driver.entries.get(task)
        if entry is not None and entry.batch is not None:
            if not entry.is_with(worker, attempt):
                return  # heard before
            if not worker.is_at(entry.batch):
                self._fault(worker, "it ended what it had not begun")
                return
        seconds = self._seconds(worker, entry, (task, attempt))
        worker.forget((task, attempt))
        if worker.busy_with == (task, attempt):
            worker.busy_with = None
            worker.payload = ()
            if self._upkeep.limited:
                self._upkeep.measure(worker)
            if worker.dropped:  # now: soon it may be busy again, for as long as tasks wait
                self.send_dropped(worker)
        if entry is not None and entry.batch is not None:
            self._driver.batches.end(worker, entry, outcome, detail, seconds)
        else:
            self._driver.handle(TaskEnded(worker.id, task, attempt, outcome, detail, seconds))

    def _seconds(
        self, worker: WorkerLink, entry: Entry | None, run: tuple[int, int]
    ) -> float | None:
        """Return how long a task took, if that is noted with its ending, or worth a look.

        Of one that has printed, infinity: see `_has_printed`.
        """
        noted, worker.seconds = worker.seconds, None
        if entry is None or entry.kind is None or worker.notes is None:
            return noted
        if noted is not None and entry.batch is not None:
            return noted  # whether it has printed was asked for all that came together
        brief = self._driver.core.is_brief(entry.kind)
        if brief and (worker.number_of(run) or 0) % SAMPLE:
            return noted
        if self._has_printed(worker):
            return math.inf
        return worker.notes.lasted() if noted is None else noted

    def _has_printed(self, worker: WorkerLink) -> bool:
        """Whether a worker has printed anything since its task began.

        What does is not sent ahead: nobody could tell which of several tasks a line belongs to.
        """
        return worker.process is not None and worker.process.output.printed() != worker.printed

    def _redeem(
        self, worker: WorkerLink, payload: Sequence[Any], lent: Sequence[Any] = ()
    ) -> Sequence[Any]:
        """Have the value hold its segments from now on, whether it is ever looked at or not.

        Args:
            worker: Who sent it.
            payload: The value.
            lent: The payload of the task whose result it is.
        """
        if len(payload) > 1 and isinstance(self._carrier, HostCarrier):
            sender = (worker.id.slot, worker.id.incarnation)
            return self._carrier.redeem_from(*sender, payload, lent)
        return payload

    def _task_of(self, worker: WorkerLink, task: int, attempt: int) -> Task[Any] | None:
        """Return the task if the worker is busy with it, and note that it is not silent."""
        if worker.busy_with != (task, attempt) and not self._have_begun(worker, (task, attempt)):
            return None
        worker.heard = time.monotonic()
        if worker.heard - worker.progressed >= self._often:
            worker.progressed = worker.heard
            known_as = self._driver.known_as((task, attempt))
            self._driver.handle(TaskProgressed(worker.id, *known_as))
        entry = self._driver.entries.get(task)
        return None if entry is None else entry.task

    def _have_begun(self, worker: WorkerLink, run: tuple[int, int]) -> bool:
        """Take note that a worker is at a Run; say whether that can be.

        The core may be about to say so: it does one thing after the other.
        """
        entry = self._driver.entries.get(run[0])
        if worker.kill_reason or worker.busy_with is not None:
            return False
        if entry is None or not worker.is_first(run):
            return False
        worker.begin(run, entry.task)
        return True

    _RECEIVERS: ClassVar[dict[type, Callable[[Hearing, WorkerLink, Any], None]]] = {
        protocol.Hello: _greet,
        protocol.Ready: _on_ready,
        protocol.Update: _on_update,
        protocol.Output: _on_output,
        protocol.Log: _on_log,
        protocol.Result: _on_result,
        protocol.Kept: _on_kept,
        protocol.Failure: _on_failure,
        protocol.Canceled: _on_canceled,
        protocol.Skipped: _on_skipped,
        protocol.Worn: _on_worn,
        protocol.Void: lambda hearing, worker, message: None,
    }
