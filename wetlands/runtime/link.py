"""One incarnation of a worker, as the host knows it: who it is on the wire, and its process."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetlands.core.events import WorkerId
from wetlands.runtime.notes import WorkerNotes
from wetlands.runtime.output import Limiter
from wetlands.runtime.process import WorkerProcess
from wetlands.runtime.transport import Transport
from wetlands.task_event import TaskWorker
from worker_entry import journal, protocol
from worker_entry.notes import AWAKE, LIGHTLY

if TYPE_CHECKING:
    from wetlands.runtime.batch import Batch
    from wetlands.task import Task


def _identity() -> bytes:
    # ZeroMQ keeps identities that begin with a zero byte for itself.
    return b"w" + secrets.token_bytes(16)


@dataclass(eq=False)
class WorkerLink:
    """What the driver remembers of a worker. For the holder of the role, but for `prepare`."""

    id: WorkerId
    started_file: Path
    trusted: bool = True  #: not to cut off files that the host maps
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    task_identity: bytes = field(default_factory=_identity, repr=False)
    control_identity: bytes = field(default_factory=_identity, repr=False)
    mark: bytes = b""  #: what it writes when it rings
    public_key: str = ""  #: by which the socket knows it, if that is a port
    process: WorkerProcess | None = None
    public: TaskWorker | None = None  #: what users see of it, once there is a process
    welcome: bool = False  #: it has proved the token
    ready: bool = False  #: it has said that it can take tasks
    kill_reason: str = ""
    busy_with: tuple[int, int] | None = None  #: task and attempt
    notes: WorkerNotes | None = field(default=None, repr=False)  #: once it is being started
    #: What it has that is in no batch, with numbers; and those of them sent ahead.
    runs: dict[tuple[int, int], int] = field(default_factory=dict)
    lent: set[tuple[int, int]] = field(default_factory=set)
    sent: int = 0  #: how many Runs, initializers included
    told: int = 0  #: messages to its task socket
    received: int = 0  #: messages from there
    taking: bool = False  #: what it has noted is being handled
    printed: int = 0  #: how many bytes, before its task began
    seconds: float | None = None  #: noted with the ending that is being handled
    reclaimed: frozenset[tuple[int, int]] = frozenset()  #: those last taken back from it
    batches: dict[int, Batch] = field(default_factory=dict, repr=False)  #: those it has
    advanced: Batch | None = field(default=None, repr=False)  #: of which calls have just ended
    pack: list[bytes] = field(default_factory=list, repr=False)  #: those to be sent together
    pack_from: int = 0  #: the number of the first of them
    posted: int = 0  #: the same of those that were put into the mailbox last
    heard: float = 0.0  #: when a task of it last sent an update, an output or a log record
    progressed: float = 0.0  #: and when the core was told of one
    payload: tuple[Any, ...] = ()  #: of that task, which may name segments, until it has answered
    dropped: list[int] = field(default_factory=list)  #: what it keeps, and need not any more
    kept: int = 0  #: how many values it keeps
    asked: bool = False  #: to exit
    worn: bool = False  #: it has asked to be replaced
    initializing: bool = False  #: it runs the initializer, and is not ready before
    records: Limiter = field(default_factory=Limiter, repr=False)  #: of `task.log()`

    @property
    def identities(self) -> tuple[bytes, bytes]:
        """The names of its two sockets."""
        return (self.task_identity, self.control_identity)

    def prepare(self, transport: Transport) -> dict[str, Any]:
        """Make the file that the worker notes its task in; return what it needs to connect."""
        self.notes = WorkerNotes(self.started_file, mapped=self.trusted)
        secret = ""
        if transport.keys is not None:
            self.public_key, secret = transport.keys.make()
        return {
            "endpoint": transport.endpoint,
            "curve": transport.curve_key,
            "curve_public": self.public_key,
            "curve_secret": secret,
            "token": self.token,
            "task_identity": self.task_identity.hex(),
            "control_identity": self.control_identity.hex(),
            "mark": self.mark.hex(),
            "started_file": str(self.started_file),
        }

    def judge(self, hello: protocol.Hello) -> protocol.Message:
        """Return the answer to a hello, and remember whether it was a welcome."""
        if hello.version != protocol.VERSION:
            return protocol.Reject(f"protocol {hello.version}, not {protocol.VERSION}")
        if not secrets.compare_digest(hello.token.encode(), self.token.encode()):
            return protocol.Reject("wrong token")
        self.welcome = True
        return protocol.Welcome()

    def last_chunk(self) -> tuple[int, bytes]:
        """Return the task that ran its last chunk, and the row of results that it made for that;
        once it is gone. Forgets them.
        """
        return journal.take(f"{self.started_file}{journal.SUFFIX}")

    def assign(self, run: tuple[int, int] | None = None) -> None:
        """Give the next Run its number."""
        self.sent += 1
        if run is not None:
            self.runs[run] = self.sent
        if self.notes is not None:
            self.notes.assign(self.sent)

    def lend(self, run: tuple[int, int]) -> None:
        """Give it a Run that can be taken back."""
        self.assign(run)
        self.lent.add(run)

    def lend_batch(self, made: Batch) -> None:
        """Give it the calls of a batch, each of which can be taken back."""
        first = self.sent + 1
        self.sent += len(made.entries)
        for number, entry in enumerate(made.entries, first):
            entry.order = number
        self.batches[made.number] = made
        if self.notes is not None:
            self.notes.assign(*range(first, self.sent + 1))

    def begin(
        self,
        run: tuple[int, int],
        task: Task[Any],
        *,
        silent: bool | None = None,
        ended: bool = False,
    ) -> None:
        """Take note of what it is at.

        Args:
            run: The Run.
            task: Its task, which is told.
            silent: Whether nothing before it can have printed anything; None: have a look.
            ended: Whether it has ended meanwhile.
        """
        if not ended:
            self.busy_with = run
        if self.process is not None:
            self.printed = self.process.output.mark(task._name, silent=silent)
        task._start(self.public)

    def send(self, transport: Transport, message: protocol.Message) -> None:
        """Send it a message about what it is to do.

        Raises:
            PeerUnreachableError: It can't be delivered now.
        """
        self._send_frames(transport, protocol.encode(message))

    def send_pack(self, transport: Transport) -> None:
        """Send it what is in the pack; see `send`."""
        frames, self.pack = [protocol.pack(self.pack)], []
        self._hand_over(transport, frames, self.pack_from)

    def send_run(self, transport: Transport, run: protocol.Run) -> None:
        """Send it the Run that was given a number last; see `send`."""
        self._hand_over(transport, protocol.encode(run), self.sent)

    def _hand_over(self, transport: Transport, frames: list[bytes], first: int) -> None:
        """Send Runs, of which the ``first`` has that number; what is small by the mailbox."""
        notes = self.notes
        if (
            notes is None
            or notes.closed()
            or len(frames) > 1
            or notes.begun() < self.posted  # it has not been emptied
            or not notes.post(frames[0], self.told)
        ):
            self._send_frames(transport, frames)
            return
        self.posted = first
        sleeps = notes.sleeps()
        if sleeps != AWAKE and not (sleeps == LIGHTLY and self._ring()):
            self._send_frames(transport, protocol.encode(protocol.Void()))

    def _ring(self) -> bool:
        return self.process is not None and self.process.bell.ring()

    def _send_frames(self, transport: Transport, frames: list[bytes]) -> None:
        transport.send_frames(self.task_identity, frames)
        self.told += 1

    def forget(self, run: tuple[int, int]) -> None:
        """It has a Run no more, which is none of a batch."""
        self.runs.pop(run, None)
        self.lent.discard(run)

    def is_at(self, made: Batch) -> bool:
        """Whether all that it got before a batch has ended: else none of that can have ended."""
        first = next(iter(self.batches.values()), None)
        return first is made and all(
            number > made.entries[0].order for number in self.runs.values()
        )

    def is_first(self, run: tuple[int, int]) -> bool:
        """Whether it has a Run, and all that it got before that has ended."""
        has = {**self.runs, **self._in_batches()}
        return run in has and has[run] == min(has.values())

    def number_of(self, run: tuple[int, int]) -> int | None:
        """Return the number of a Run that it has; None if it has none such."""
        number = self.runs.get(run)
        return self._in_batches().get(run) if number is None and self.batches else number

    def runs_ahead(self) -> dict[int, tuple[int, int]]:
        """Return what can be taken back, by number, in order: all but what it is at."""
        lent = {run: number for run, number in self.runs.items() if run in self.lent}
        has = {**lent, **self._in_batches()}
        return dict(sorted((has[run], run) for run in has if run != self.busy_with))

    def last_begun(self) -> tuple[int, int] | None:
        """Return the last one that it began of the tasks, with attempts, that it has."""
        begun = 0 if self.notes is None else self.notes.begun()
        has = {**self.runs, **self._in_batches()}
        return max((run for run in has if has[run] <= begun), key=has.__getitem__, default=None)

    def _in_batches(self) -> dict[tuple[int, int], int]:
        made = self.batches.values()
        return {entry.run: entry.order for batch in made for entry in batch.entries}
