"""The one socket of a host process, to which all workers of all its pools connect.

A ROUTER, with three rules that measurements taught:

-   `ROUTER_MANDATORY`: without it a message to a peer that is gone, or full, vanishes.
-   No high-water mark: little is under way to a worker, and what is small, as `Drop`, must not make
    it look unreachable while it is slow to take it.
-   Every worker has random 128-bit identities that only it and the host know, and no handover:
    nobody can take its place.

On POSIX the socket is a file in a folder that only the user can enter. Elsewhere, or if the
variable WETLANDS_TRANSPORT says "tcp", it is a port of the loopback interface, encrypted (CurveZMQ,
RFC 26), which lets nobody in but workers whose key it was told: see `wetlands.runtime.keys`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
import zmq.backend

from wetlands.runtime.bell import HostBell
from worker_entry import protocol

if TYPE_CHECKING:
    from wetlands.runtime.keys import WorkerKeys

# Plain numbers, and below the methods of the C level: those of Python convert to enums, which
# takes as long as sending does.
_MORE = int(zmq.SNDMORE | zmq.NOBLOCK)
_LAST = int(zmq.NOBLOCK)
_READABLE = int(zmq.POLLIN)
_EVENTS = int(zmq.EVENTS)
#: The environment variable that asks for a port where a file would do.
VARIABLE = "WETLANDS_TRANSPORT"


class PeerUnreachableError(Exception):
    """The worker is not connected, or does not take what is sent to it."""


class Transport:
    """The host's end of the wire. For the holder of the loop's role.

    Attributes:
        keys: Those of workers, if the socket is a port.
        curve_key: The public key of the socket, if it is a port; else empty.
        descriptor: Becomes readable when the socket has news; once, not for as long as it has
            (`ZMQ_FD`). Sending and receiving may take the news as well.
        bell: Rung by workers that have noted something, in place of sending it.
        asked: Whether nothing was there when that was last asked, and nothing was sent or received
            since.
    """

    def __init__(self, folder: Path) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.curve_key = ""
        self.keys: WorkerKeys | None = None
        self.asked = False
        self.bell = HostBell()
        if sys.platform == "win32" or os.environ.get(VARIABLE) == "tcp":
            from wetlands.runtime.keys import WorkerKeys

            self.keys = WorkerKeys(self._context)
            self.curve_key = self.keys.guard(self.socket)
            self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        else:
            self.endpoint = f"ipc://{folder}/socket"
            self.socket.bind(self.endpoint)
        self.descriptor = int(self.socket.getsockopt(zmq.FD))
        self._send = partial(zmq.backend.Socket.send, self.socket)
        self._receive: Callable[..., Any] = partial(zmq.backend.Socket.recv, self.socket)
        self._get: Callable[[int], Any] = partial(zmq.backend.Socket.get, self.socket)

    def send(self, identity: bytes, message: protocol.Message) -> None:
        """Send a message.

        Raises:
            PeerUnreachableError: It can't be delivered now.
        """
        self.send_frames(identity, protocol.encode(message))

    def send_frames(self, identity: bytes, frames: list[bytes]) -> None:
        """Send a message that is written already.

        Raises:
            PeerUnreachableError: It can't be delivered now.
        """
        last = frames.pop()
        self.asked = False
        try:
            self._send(identity, _MORE)
            for frame in frames:
                self._send(frame, _MORE)
            self._send(last, _LAST)
        except zmq.ZMQError as error:
            raise PeerUnreachableError(str(error)) from error

    def readable(self) -> bool:
        """Whether a message is there. Cheaper than a receive that finds none.

        It keeps the interpreter, which to poll would let go of: beside a thread that computes, it
        takes 5 ms to have it back.
        """
        found = bool(self._get(_EVENTS) & _READABLE)
        self.asked = not found
        return found

    def receive(self) -> tuple[bytes, list[bytes]] | None:
        """Return the message that is there: who sent it, and its frames.

        None if none is there, which takes longer to find out than with `readable`.
        """
        try:
            identity = self._receive(_LAST)
        except zmq.Again:
            self.asked = True
            return None
        self.asked = False
        # An object for each frame, since it knows whether another follows: to ask the socket takes
        # longer than to receive.
        frame = self._receive(_LAST, False)
        frames = [frame.bytes]
        while frame.more:
            frame = self._receive(_LAST, False)
            frames.append(frame.bytes)
        return identity, frames

    def close(self) -> None:
        """Close the socket; nothing that was not sent yet is waited for."""
        with contextlib.suppress(zmq.ZMQError):
            self.socket.close(0)
            if self.keys is not None:
                self.keys.close()
            self._context.term()
        self.bell.close()
