"""The one socket of a host process, to which all workers of all its pools connect.

A ROUTER, with three rules that measurements taught:

-   `ROUTER_MANDATORY`: without it a message to a peer that is gone, or full, vanishes.
-   No high-water mark: at most one task is under way to a worker, and what is small, as `Drop`,
    must not make it look unreachable while it is slow to take it.
-   Every worker has random 128-bit identities that only it and the host know, and no handover:
    nobody can take its place.

On POSIX the socket is a file in a folder that only the user can enter. Elsewhere it is a port of
the loopback interface, encrypted (CurveZMQ, RFC 26) with a server key that nobody but the workers
is told. There is no open port in either case.
"""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path

import zmq
import zmq.backend

from worker_entry import protocol

# Plain numbers, and below the methods of the C level: those of Python convert to enums, which
# takes as long as sending does.
_MORE = int(zmq.SNDMORE | zmq.NOBLOCK)
_LAST = int(zmq.NOBLOCK)
_READABLE = int(zmq.POLLIN)
_EVENTS = int(zmq.EVENTS)
_RCVMORE = int(zmq.RCVMORE)


class PeerUnreachableError(Exception):
    """The worker is not connected, or does not take what is sent to it."""


class Transport:
    """The host's end of the wire. For the holder of the loop's role.

    Attributes:
        descriptor: Becomes readable when the socket has news; once, not for as long as it has
            (`ZMQ_FD`). Sending and receiving may take the news as well.
        asked: Whether `readable` was called since something was last sent or received.
    """

    def __init__(self, folder: Path) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.curve_key = ""
        self.asked = False
        if sys.platform == "win32":
            self._encrypt()
            self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        else:
            self.endpoint = f"ipc://{folder}/socket"
            self.socket.bind(self.endpoint)
        self.descriptor = int(self.socket.getsockopt(zmq.FD))
        self._send = partial(zmq.backend.Socket.send, self.socket)
        self._receive = partial(zmq.backend.Socket.recv, self.socket)
        self._get = partial(zmq.backend.Socket.get, self.socket)

    def send(self, identity: bytes, message: protocol.Message) -> None:
        """Send a message.

        Raises:
            PeerUnreachableError: It can't be delivered now.
        """
        *head, last = protocol.encode(message)
        self.asked = False
        try:
            self._send(identity, _MORE)
            for frame in head:
                self._send(frame, _MORE)
            self._send(last, _LAST)
        except zmq.ZMQError as error:
            raise PeerUnreachableError(str(error)) from error

    def readable(self) -> bool:
        """Whether a message is there. Cheaper than a receive that finds none."""
        self.asked = True
        return bool(int(self._get(_EVENTS)) & _READABLE)

    def receive(self) -> tuple[bytes, list[bytes]]:
        """Return the message that is there: who sent it, and its frames."""
        self.asked = False
        identity, frames = self._receive(_LAST), []
        while self._get(_RCVMORE):
            frames.append(self._receive(_LAST))
        return identity, frames

    def close(self) -> None:
        """Close the socket; nothing that was not sent yet is waited for."""
        with contextlib.suppress(zmq.ZMQError):
            self.socket.close(0)
            self._context.term()

    def _encrypt(self) -> None:
        public, secret = zmq.curve_keypair()
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        self.curve_key = public.decode()
