"""The one socket of a host process, to which all workers of all its pools connect.

A ROUTER, with three rules that measurements taught:

-   `ROUTER_MANDATORY`: without it a message to a peer that is gone, or full, vanishes.
-   At most one task is under way to a worker, so its high-water mark is never reached.
-   Every worker has random 128-bit identities that only it and the host know, and no handover:
    nobody can take its place.

On POSIX the socket is a file in a folder that only the user can enter. Elsewhere it is a port of
the loopback interface, encrypted (CurveZMQ, RFC 26) with a server key that nobody but the workers
is told. There is no open port in either case.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import zmq

from worker_entry import protocol

_MORE = int(zmq.SNDMORE | zmq.NOBLOCK)
_READABLE = int(zmq.POLLIN)


class PeerUnreachableError(Exception):
    """The worker is not connected, or does not take what is sent to it."""


class Transport:
    """The host's end of the wire. For the loop thread only, except where it says otherwise."""

    def __init__(self, folder: Path) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.curve_key = ""
        if sys.platform == "win32":
            self._encrypt()
            self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        else:
            self.endpoint = f"ipc://{folder}/socket"
            self.socket.bind(self.endpoint)

    def send(self, identity: bytes, message: protocol.Message) -> None:
        """Send a message.

        Raises:
            PeerUnreachableError: It can't be delivered now.
        """
        *head, last = protocol.encode(message)
        send = self.socket.send
        try:
            # By hand, with plain numbers for flags: send_multipart() takes three times as long.
            send(identity, _MORE)
            for frame in head:
                send(frame, _MORE)
            send(last, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise PeerUnreachableError(str(error)) from error

    def drain(self, limit: int) -> Iterator[tuple[bytes, list[bytes]]]:
        """Give what has arrived: who sent it, and its frames.

        For when the socket is known to be readable; at most ``limit`` messages.
        """
        for _ in range(limit):
            identity, *frames = self.socket.recv_multipart(zmq.NOBLOCK)
            yield identity, frames
            # Asking is cheaper than the exception of a receive that finds nothing.
            if not int(self.socket.getsockopt(zmq.EVENTS)) & _READABLE:
                return

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
