"""A bare ping-pong: what the transport costs before anything is done."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

import zmq

_ECHO = """
import sys, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
socket.send(b"hello")
while True:
    socket.send_multipart(socket.recv_multipart())
"""


class BareSockets:
    """Two processes and two ZeroMQ sockets."""

    def __enter__(self) -> BareSockets:
        self._folder = tempfile.TemporaryDirectory()
        endpoint = f"ipc://{Path(self._folder.name) / 'socket'}"
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.bind(endpoint)
        self._echo = subprocess.Popen([sys.executable, "-c", _ECHO, endpoint])
        self._socket.recv()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._echo.kill()
        self._echo.wait()
        self._socket.close(0)
        self._context.term()
        self._folder.cleanup()

    def ping(self) -> None:
        """Send a message as large as a task and wait for its echo."""
        self._socket.send_multipart([b"h" * 13, b"c" * 60, b"a" * 20])
        self._socket.recv_multipart()
