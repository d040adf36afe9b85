"""The worker's ends of its two sockets, and what it does when nobody proper is at the other."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from functools import partial
from time import monotonic
from typing import Any, Callable, NoReturn

from worker_entry import failure, protocol, zeromq
from worker_entry.bell import Bell
from worker_entry.notes import AWAKE, DEEPLY, LIGHTLY, Notes
from worker_entry.segment_carrier import Table
from worker_entry.signal_bell import MESSAGE, NOTHING, SignalBell
from worker_entry.spinning import Spinning, moment

#: Milliseconds without anything to do, after which to load what may be needed some time.
LEISURE = 200
#: Exit status of a worker whose host sends garbage.
EXIT_PROTOCOL = 76  # EX_PROTOCOL of sysexits.h


def undisturbed(function: Callable[[], object]) -> None:
    """Call a function again when what a signal handler raised may have kept it from its end.

    The handlers are those that a task left behind, or the one of SIGINT. There is a limit, because
    something that is broken for good must end the process.
    """
    for _ in range(1000):
        try:
            function()
            return
        except (zeromq.ZMQError, SystemExit):
            raise
        except KeyboardInterrupt:
            pass  # the task that it was meant for is over
        except BaseException as error:  # from an alarm, say
            failure.show(error)
    function()


def connect(context: Any, config: dict[str, Any], identity: str) -> Any:
    """Return a socket that is connected to the host."""
    options: dict[int, Any] = {zeromq.IDENTITY: bytes.fromhex(identity), zeromq.LINGER: 0}
    if config["curve"]:
        options[zeromq.CURVE_SERVERKEY] = config["curve"].encode()
        options[zeromq.CURVE_PUBLICKEY] = config["curve_public"].encode()
        options[zeromq.CURVE_SECRETKEY] = config["curve_secret"].encode()
    socket = zeromq.make_dealer(context, options)
    socket.connect(config["endpoint"])
    return socket


class TaskSocket:
    """The socket on which tasks arrive.

    What a task reports is sent from its own code, in which a signal handler may run at any moment:
    it may raise (alarms as time limits do), and it may report something itself. No message then
    gets between the frames of another, and what follows one that was cut off says so.
    """

    def __init__(self, socket: Any, notes: Notes, bell: Bell, woken_by: int = -1) -> None:
        self._socket = socket
        self._notes = notes
        self._bell = bell
        self._received = 0
        self._readable = [(socket, zeromq.POLLIN)]
        self._sleeper = SignalBell(socket, woken_by)
        self._send_frame: Callable[..., Any] = socket.send
        self._receive_frame: Callable[..., Any] = socket.recv
        #: What is to be said; with the seconds to note with it, if it may be noted.
        self._waiting: deque[tuple[list[bytes], float | None]] = deque()
        self._sending = False
        self._cut = False  # whether the last message may have been left unfinished
        #: Messages sent; None once that is not certain, as when one of them was cut off.
        self.sent: int | None = 0
        self.expects = False  #: another message, in a moment
        self.carried: Callable[[], int] = int  #: how many bytes came in segments with the last one
        self._spinning = Spinning()
        self._has_rested = False  #: whether there was leisure to load what tasks may need
        self.taking = False  #: a message is being taken, and may be lost if something is raised

    def send(self, message: protocol.Message) -> None:
        """Send a message. One thread at a time."""
        self._say(message)

    def tell(self, message: protocol.Message) -> None:
        """Tell the host of something, by a note if it is small. One thread at a time."""
        self._say(message, 0.0)

    def send_ending(self, message: protocol.Message) -> None:
        """Send the last message of a task, when none of its code is running any more."""
        self._sending = False  # should it have been interrupted just before it said so itself
        self._say(message)

    def tell_ending(self, message: protocol.Message, seconds: float) -> None:
        """Tell the host of the end of a task that took so long; see `send_ending` and `tell`."""
        self._sending = False
        self._say(message, seconds)

    def _say(self, message: protocol.Message, seconds: float | None = None) -> None:
        """Send a message; or note it, with so many ``seconds``, if it may be noted."""
        frames = protocol.encode(message)
        payload = getattr(message, "payload", ())
        for frame in payload[1:] if len(payload) > 1 else ():
            if type(frame) is Table:
                frame.lend()
        self._waiting.append((frames, seconds))
        if self._sending:
            return  # we interrupted the sending of another, which goes on with this one
        self._sending = True
        try:
            while self._waiting:
                frames, seconds = self._waiting.popleft()
                if seconds is None or not self._note(frames, seconds):
                    self._send_frames(frames)
        finally:
            self._sending = False

    def _note(self, frames: list[bytes], seconds: float) -> bool:
        """Note something for the host; say whether it will be seen."""
        notes = self._notes
        if len(frames) > 1 or self.sent is None:
            return False
        if not self.are_notes_seen():
            return False
        if not notes.add(frames[0], self.sent, seconds):
            return False
        if not notes.is_watched():
            self.call_host()
        return True

    def are_notes_seen(self) -> bool:
        """Whether the host sees what is noted now, without a message."""
        return self._notes.is_watched() or self._bell.is_whole()

    def call_host(self) -> None:
        """Have the host look at what is noted."""
        if not self._bell.ring():
            self._send_frames(protocol.encode(protocol.Void()))

    def _send_frames(self, frames: list[bytes]) -> None:
        flags = [0] if len(frames) == 1 else [zeromq.SNDMORE] * (len(frames) - 1) + [0]
        # pyzmq runs signal handlers after every frame, so what they raise does not tell whether
        # that frame was sent. An empty one ends the message in any case; see `protocol.Void`.
        if self._cut:
            self._send_frame(b"", 0)
            self.sent = None
        self._cut = True
        deque(map(self._send_frame, frames, flags), 0)
        if self.sent is not None:
            self.sent += 1
        self._cut = False

    def receive(self) -> tuple[bool, list[protocol.Message]]:
        """Return the message that arrives next, or, with True, those that arrive in a pack.

        Whatever a task left behind disturbs us.

        A signal within the microseconds of taking it may cost a frame. What is left makes no sense
        then, this process ends, and the host gives the task to another: none is lost.
        """
        while True:
            undisturbed(self._wait)
            self.taking = True
            if self._notes.has_post(self._received):
                post = self._notes.post()
                self._notes.fetch()
                if protocol.is_pack([post]):
                    return True, _unpack(post)
                return False, [_decode([post])]
            frames = _receive_frames(self._receive_frame)
            self._received += 1
            if protocol.is_pack(frames):
                return True, _unpack(frames[0])
            message = _decode(frames)
            if type(message) is not protocol.Void:
                return False, [message]
            self.taking = False

    def _wait(self) -> None:
        notes = self._notes
        if notes.has_post(self._received) or self._look():
            return
        # Not by receiving: a signal that comes while a message does would cost the frame.
        while self._sleep() != MESSAGE and not notes.has_post(self._received):
            pass

    def _sleep(self) -> str:
        """Sleep until there may be a message; say what ended it."""
        notes, sleeper, ended = self._notes, self._sleeper, ""
        notes.sleep(LIGHTLY if sleeper.hears() else DEEPLY)
        if not notes.has_post(self._received):
            ended = sleeper.sleep(-1 if self._has_rested else LEISURE)
        notes.sleep(AWAKE)
        if ended == NOTHING:
            self._has_rested = True
            with contextlib.suppress(Exception):
                failure.prepare()
        return ended

    def _look(self) -> bool:
        """Look for a message that is about to come; say whether it did."""
        expects, self.expects = self.expects, False
        if not expects or not self._spinning.is_worth_it():
            return False
        return self._spinning.look(
            partial(self._notes.has_post, self._received),
            monotonic() + moment(self.carried()),
            arrives=partial(zeromq.poll, self._readable, 0),
        )

    def close(self) -> None:
        """Close the socket when what was said has been sent."""
        self._socket.close(linger=1000)


def receive(socket: Any, lifeline: int) -> protocol.Message:
    """Return the message that arrives next on the control socket; die should the host be gone."""
    watched: list[tuple[Any, int]] = [(socket, zeromq.POLLIN)]
    if lifeline >= 0:
        watched.append((lifeline, zeromq.POLLIN | zeromq.POLLERR))
    while True:
        ready = [found for found, _ in zeromq.poll(watched, -1)]
        if lifeline in ready:
            die_with_the_host()
        if socket in ready:
            return _decode(_receive_frames(socket.recv))


def _receive_frames(receive: Callable[..., Any]) -> list[bytes]:
    # An object for each frame, since it knows whether another follows: to ask the socket takes
    # longer than to receive.
    frame = receive(0, False)
    frames = [frame.bytes]
    while frame.more:
        frame = receive(0, False)
        frames.append(frame.bytes)
    return frames


def _decode(frames: list[bytes]) -> protocol.Message:
    try:
        return protocol.decode(frames)
    except protocol.RemoteProtocolError as error:
        give_up(error)


def _unpack(frame: bytes) -> list[protocol.Message]:
    try:
        return protocol.unpack(frame)
    except protocol.RemoteProtocolError as error:
        give_up(error)


def give_up(error: object) -> NoReturn:
    """End this process: its host does not speak our language.

    To go on, deaf to a part of what it says, would make a task hang. The host sees a worker that
    died, and why at the end of its stderr.
    """
    with contextlib.suppress(OSError):
        os.write(2, f"wetlands: the host sent what makes no sense here: {error}\n".encode())
    os._exit(EXIT_PROTOCOL)


def die_with_the_host() -> NoReturn:
    """End this process and its group, without any cleaning up: nobody is left to hear of it."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
