"""The worker's main thread: take a task, run it, say how it ended.

What to call, and with what, is the business of `calling`.

User code runs here, on the main thread, because signal handlers, GUI toolkits and some C
libraries work nowhere else. Whatever it raises, SystemExit and KeyboardInterrupt too, ends its
task alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn, Sequence

from worker_entry import failure, kept, protocol, zeromq
from worker_entry.bell import Bell
from worker_entry.calling import Caller, Plain, UnusableError, describe
from worker_entry.codec import Codec, type_name
from worker_entry.connection import TaskSocket, connect, give_up, receive, undisturbed
from worker_entry.control import Control, go_first, tie_to_host
from worker_entry.failure import clean
from worker_entry.handle import RemoteTaskHandle
from worker_entry.notes import MAX_ENDING, Notes
from worker_entry.portable import registry
from worker_entry.streams import Streams
from worker_entry.worker_carrier import WorkerCarrier

if TYPE_CHECKING:
    from worker_entry.batch import Call

#: Messages that make us run what users wrote.
_CALLS = (protocol.Run, protocol.Runs)
#: Characters of the name of a type that are sent.
MAX_NAME = 1000


class Worker:
    """Runs tasks, one at a time, until it is told to stop."""

    def __init__(
        self,
        socket: TaskSocket,
        codec: Codec,
        notes: Notes,
        started_file: str,
        *,
        alert: bool = True,
    ) -> None:
        self._socket = socket
        self._codec = codec
        self._streams = Streams()
        self._pid = os.getpid()
        self._caller = Caller(codec, started_file)
        self._notes = notes
        self._alert = alert  #: looks for another task when it has none
        self._line: deque[protocol.Message] = deque()  #: what came in a pack, and is still to do
        self._packed = False  #: whether the message in hand came in one
        self._half = 0  #: of its length: when the host hears of those that ended
        self._seconds = 0.0  #: what the last task took
        self._told: protocol.Message | None = None  #: the last ending, if it went as a message
        self._worn = False  #: the host was told to replace us
        self._function: Plain | None = None  #: the same for all calls of the batch in hand
        # The control thread may learn of a cancellation before the main thread has read the Run.
        self._lock = threading.Lock()
        self._handle: RemoteTaskHandle | None = None
        self._current = (0, 0)
        self._canceled_early = (0, 0)

    def serve(self) -> None:
        """Take tasks until Stop arrives."""
        self._socket.send(protocol.Ready())
        message: protocol.Message | None = None
        while True:
            try:
                message = self._take()
                if not self._do(message):
                    return
                message = None  # an idle worker need not hold arguments
            except KeyboardInterrupt:
                if type(message) in _CALLS or self._line or self._socket.taking:
                    raise  # the host sees from our death that its task was lost

    def _do(self, message: protocol.Message) -> bool:
        """Do what a message asks for; say whether to go on."""
        if isinstance(message, protocol.Run):
            ending = self._run(message)
            # Sent twice it is dropped by the host, not sent at all it would be missed for ever.
            undisturbed(partial(self._hand_in, ending, len(self._line) in (0, self._half)))
        elif isinstance(message, protocol.Runs):
            self._run_batch(message)
        elif isinstance(message, protocol.Stop):
            return False
        elif isinstance(message, protocol.Drop):
            undisturbed(partial(kept.drop, message.tasks))
        else:
            give_up(f"{type(message).__name__} where tasks are taken")
        if self._streams.worn:
            undisturbed(self._ask_for_another)
        return not self._streams.exhausted  # then another one takes our place, and the next task

    def _take(self) -> protocol.Message:
        """Return what is to be done next."""
        if not self._line:
            self._packed, messages = self._socket.receive()
            self._line.extend(messages)
            self._half = len(messages) // 2
            self._socket.taking = False
            told, self._told = self._told, None
            if self._packed and told is not None:
                # It may still be on its way, and would be lost with us. Heard twice it is dropped.
                undisturbed(partial(self._note, told))
        return self._line.popleft()

    def interrupt(self, task: int, attempt: int) -> None:
        """Tell the running task that it should stop; called on the control thread."""
        with self._lock:
            if self._handle is not None and self._current == (task, attempt):
                self._handle._request_cancel()
            else:
                self._canceled_early = (task, attempt)

    # -- one task ---------------------------------------------------------------------------------

    def _run(self, run: protocol.Run) -> protocol.Message:
        """Run a task; return how it ended, or Void if that has been noted."""
        # The notes before anything of the user's runs, and unpickling arguments already may.
        if not self._notes.begin():
            return protocol.Skipped(run.task, run.attempt)
        if run.task and len(run.payload) == 2:  # an initializer has no number to be noted by
            try:
                call = (run.task, run.attempt, run.payload[1])
                return self._call_plain(run.payload[0], call) or protocol.Void()
            finally:
                self._function = None
        return self._run_begun(run)

    def _run_begun(self, run: protocol.Run) -> protocol.Message:
        began = perf_counter()
        handle = self._make_handle(run.task, run.attempt)
        error: BaseException | None = None
        try:
            self._begin(handle)
            ending = self._attempt(run, handle)
        except BaseException as raised:
            error = raised
            ending = protocol.Failure(run.task, run.attempt, describe(error))
        if os.getpid() != self._pid:
            _leave_child(error)
        del error  # its traceback holds this frame
        undisturbed(partial(self._end, handle))
        self._seconds = perf_counter() - began
        return self._acknowledge(handle) or ending

    def _run_batch(self, runs: protocol.Runs) -> None:
        """Make calls that came together, as if each had come by itself."""
        target, calls = _split(runs)
        left = len(calls)
        self._function = None
        for call in calls:
            left -= 1
            ending: protocol.Message | None = None
            if self._notes.begin():
                ending = self._call_plain(target, call)
                if ending is None and left:
                    continue
            else:
                ending = protocol.Skipped(call.task, call.attempt)
            ending = ending or protocol.Void()
            undisturbed(partial(self._hand_in, ending, left == 0, restore=left == 0))
        self._function = None

    def _call_plain(self, target: bytes, call: tuple[int, int, bytes]) -> protocol.Message | None:
        """Do what `_run_begun` does, in less time if a call of the function is all there is to it.

        Return the ending, or None if that has been noted.
        """
        task, attempt, arguments = call
        began = perf_counter()
        error: BaseException | None = None
        handle: RemoteTaskHandle | None = None
        frames: Sequence[Any] = ()
        try:
            plain = self._function
            if plain is None:
                plain = self._function = self._caller.plain_function(target)
            if plain is not None:
                args, kwargs = self._caller.loads_arguments((arguments,))
                if plain.takes_handle and self._caller.wants_handle(plain.function, args, kwargs):
                    handle = kwargs["task"] = self._make_handle(task, attempt)
                    self._begin(handle)
                frames = self._caller.dumps(plain.function(*args, **kwargs))
        except BaseException as raised:
            error = raised
        if os.getpid() != self._pid:
            _leave_child(error)
        if error is None and not frames:
            return self._run_begun(protocol.Run(task, attempt, (target, arguments)))
        ending: protocol.Message | None = None
        if error is not None:
            ending = protocol.Failure(task, attempt, describe(error))
            del error  # its traceback holds this frame
        if handle is not None:
            undisturbed(partial(self._let_go, handle))
            ending = self._acknowledge(handle) or ending
        return self._end_plain(task, attempt, frames, ending, began)

    def _end_plain(
        self,
        task: int,
        attempt: int,
        frames: Sequence[Any],
        ending: protocol.Message | None,
        began: float,
    ) -> protocol.Message | None:
        try:
            self._tidy_up()
            if not self._streams.are_open():
                self._streams.restore()
            self._seconds = perf_counter() - began
            sent = self._socket.sent
            if ending is None and len(frames) == 1 and sent is not None:
                may_note = self._packed or self._socket.are_notes_seen()
                if may_note and self._notes.add(frames[0], sent, self._seconds, task, attempt):
                    return None
        except BaseException:  # of a signal handler; an end that is noted twice is heard of once
            undisturbed(self._tidy_up)
        return ending or protocol.Result(task, attempt, tuple(frames))

    def _hand_in(self, ending: protocol.Message, bell: bool, *, restore: bool = True) -> None:
        """Tell the host of an end.

        Args:
            ending: The end.
            bell: Whether to have the host look, if it is noted.
            restore: Whether to put streams back that the task may have taken.
        """
        self._notes.end(self._seconds)
        if not self._packed:
            # Is it watched, the host is about to have another task for us.
            watched = self._notes.is_watched()
            self._socket.expects = watched or self._alert
            self._told = None
            if type(ending) is not protocol.Void:
                sent = self._socket.sent
                self._socket.tell_ending(ending, self._seconds)
                if sent != self._socket.sent and _is_small(ending):
                    self._told = ending
            elif not watched:
                self._socket.call_host()
        elif type(ending) is not protocol.Void and not self._note(ending):
            self._socket.send_ending(ending)
        elif bell:
            self._socket.expects = self._alert
            self._socket.call_host()
        if restore:
            self._streams.restore()  # while the host is reading

    def _ask_for_another(self) -> None:
        if not self._worn:
            self._worn = True
            self._socket.send_ending(protocol.Worn("its tasks have left too many files open"))

    def _note(self, ending: protocol.Message) -> bool:
        """Leave an ending where the host finds it, if it is small and knows what came before."""
        sent = self._socket.sent
        if sent is None or not _is_small(ending):
            return False
        frames = protocol.encode(ending)
        return len(frames) == 1 and self._notes.add(frames[0], sent, self._seconds)

    def _make_handle(self, task: int, attempt: int) -> RemoteTaskHandle:
        return RemoteTaskHandle(task, attempt, self._socket.tell, self._codec, self._pid)

    def _acknowledge(self, handle: RemoteTaskHandle) -> protocol.Message | None:
        """Return the ending of a task that has agreed to be canceled."""
        if not handle._acknowledged:
            return None
        undisturbed(partial(kept.drop, [handle._task]))
        return protocol.Canceled(handle._task, handle._attempt)

    def _end(self, handle: RemoteTaskHandle) -> None:
        self._tidy_up()
        self._let_go(handle)

    def _let_go(self, handle: RemoteTaskHandle) -> None:
        handle._close()
        with self._lock:
            self._handle = None

    def _tidy_up(self) -> None:
        if not self._streams.flush():
            self._streams.restore()
        rebuild = sys.modules.get("worker_entry.rebuild")  # imported when something needs it
        if rebuild is not None:
            rebuild.hide_spaces()

    def _begin(self, handle: RemoteTaskHandle) -> None:
        with self._lock:
            self._handle = handle
            self._current = (handle._task, handle._attempt)
            if self._canceled_early == self._current:
                handle._request_cancel()

    def _attempt(self, run: protocol.Run, handle: RemoteTaskHandle) -> protocol.Message:
        call = self._caller.read(run.payload[0])
        value = self._caller.call(call, run.payload, handle)
        if call.get("keep"):
            name = clean(type_name(value), MAX_NAME)
            kept.keep(run.task, value)
            return protocol.Kept(run.task, run.attempt, name)
        frames = getattr(value, "frames", ()) if call.get("each") else ()
        if frames:
            return protocol.Result(run.task, run.attempt, tuple(frames))
        try:
            frames = self._caller.dumps(value)
        except UnusableError as error:
            return protocol.Failure(run.task, run.attempt, describe(error))
        del value  # only now can it be seen whether anything else refers to it
        return protocol.Result(run.task, run.attempt, tuple(self._codec.settle(frames)))


def _split(runs: protocol.Runs) -> tuple[bytes, list[Call]]:
    from worker_entry import batch  # a worker starts faster without it

    try:
        return batch.decode(runs.payload)
    except ValueError as error:
        give_up(error)


def _is_small(ending: protocol.Message) -> bool:
    """Whether an ending may be noted: one that names memory which it lends may not."""
    payload = getattr(ending, "payload", ())
    return len(payload) < 2 and sum(map(len, payload)) <= MAX_ENDING


def _leave_child(error: BaseException | None) -> NoReturn:
    """End a child that a task forked and that came back from the task's function.

    All it has here are copies of what its parent is using: the socket above all.
    """
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        status = 1
        failure.show(error)
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status & 0xFF)


def serve(config: dict[str, Any]) -> None:
    """Connect to the host, prove who we are, and work until told to stop."""
    tie_to_host(config["lifeline"])
    go_first()
    context = zeromq.Context()
    control = connect(context, config, config["control_identity"])
    (hello,) = protocol.encode(protocol.Hello(protocol.VERSION, config["token"], os.getpid()))
    control.send(hello)
    # While that is on its way, and the host's answer, everything is made ready.
    notes = Notes(config["started_file"])
    bell = Bell(config["bell"], bytes.fromhex(config["mark"]))
    socket = connect(context, config, config["task_identity"])
    tasks = TaskSocket(socket, notes, bell, config["woken_by"])
    codec = _make_codec(config)
    if isinstance(codec.carrier, WorkerCarrier):
        tasks.carried = codec.carrier.carried
    worker = Worker(tasks, codec, notes, config["started_file"], alert=config["alert"])
    failure.reserve()
    answer = receive(control, config["lifeline"])
    if isinstance(answer, protocol.Reject):
        sys.exit(f"wetlands: the host rejected this worker: {answer.reason}")
    if not isinstance(answer, protocol.Welcome):
        give_up(f"{type(answer).__name__} in place of a welcome")
    thread = Control(control, config["lifeline"], worker.interrupt)
    thread.start()
    worker.serve()
    tasks.close()
    thread.end(context)


def _make_codec(config: dict[str, Any]) -> Codec:
    segments = config.get("segments")
    carrier = WorkerCarrier(segments) if segments else None
    for names in config.get("portable", ()):
        registry.add(registry.Registration(*names))
    codec = Codec(config["pickle_protocol"], config["by_value"], carrier)
    version = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    codec.place = f"environment {config.get('environment', '')!r} ({version})"
    return codec
