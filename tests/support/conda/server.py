"""Serves a channel over HTTP, well or badly, and remembers what it was asked for."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from tests.support.conda.channel import Channel
from tests.support.waiting import wait_until

_STEP = 64 * 1024


@dataclass
class Request:
    """What was asked for, and what was given.

    Attributes:
        path: The path in the channel.
        status: The answer's status.
        start: The first byte that was wanted.
        sent: How many bytes of content went out.
        held: Whether it waits to be released.
    """

    path: str
    status: int = 0
    start: int = 0
    sent: int = 0
    held: bool = False


@dataclass
class Faults:
    """What goes wrong; to be changed while the server runs.

    Attributes:
        credentials: The user and password that are required.
        token: The bearer token that is required.
        hold_at: Packages stop after so many bytes, until `ChannelServer.release` is called.
        drop_at: Connections of packages break after so many bytes.
        drops: How many times they do.
        wrong: Names of packages that come with other bytes than they should.
        status: An answer for every request, in place of the file.
    """

    credentials: tuple[str, str] | None = None
    token: str | None = None
    hold_at: int | None = None
    drop_at: int | None = None
    drops: int = 1_000_000
    wrong: set[str] = field(default_factory=set)
    status: int | None = None


class ChannelServer:
    """An HTTP server of a channel, on a port of its own; a context manager.

    Attributes:
        faults: What goes wrong.
        requests: What it was asked for so far.
    """

    def __init__(self, channel: Channel, **faults: object) -> None:
        self.channel = channel
        self.faults = Faults(**faults)  # type: ignore[arg-type]
        self.requests: list[Request] = []
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The channel's address."""
        return f"http://127.0.0.1:{self._server.server_port}/channel"

    def packages(self, name: str = "") -> list[Request]:
        """Return the requests for packages, or those for one."""
        pattern = re.compile(rf".*/{re.escape(name)}[^/]*\.conda")
        return [request for request in list(self.requests) if pattern.fullmatch(request.path)]

    def wait_held(self) -> None:
        """Wait until a package is held."""
        wait_until(lambda: any(request.held for request in self.packages()), 30)

    def release(self) -> None:
        """Let go of what is held, and hold nothing any more."""
        self.faults.hold_at = None
        self._released.set()

    def __enter__(self) -> ChannelServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    owner: ChannelServer
    block_on_close = True
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 5  # of an idle connection, which would keep the server from ending

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        owner = self.server.owner
        path = unquote(urlsplit(self.path).path).removeprefix("/channel/")
        request = Request(path)
        owner.requests.append(request)
        # One answer a connection: none is left open when the server ends.
        self.close_connection = True
        file = owner.channel.path / path
        if not self._allowed(owner.faults):
            return self._refuse(request, 401, ("WWW-Authenticate", 'Basic realm="channel"'))
        if owner.faults.status is not None:
            return self._refuse(request, owner.faults.status)
        if not file.is_file():
            return self._refuse(request, 404)
        self._send(request, file, body)

    def _allowed(self, faults: Faults) -> bool:
        given = self.headers.get("Authorization", "")
        if faults.token is not None:
            return given == f"Bearer {faults.token}"
        if faults.credentials is None:
            return True
        expected = base64.b64encode(":".join(faults.credentials).encode()).decode()
        return given == f"Basic {expected}"

    def _refuse(self, request: Request, status: int, *headers: tuple[str, str]) -> None:
        request.status = status
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", "0"), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()

    def _send(self, request: Request, file: Path, body: bool) -> None:
        data = _wrong(file) if self._is_wrong(file) else file.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        request.start = int(wanted[1]) if wanted else 0
        request.status = 206 if wanted else 200
        self.send_response(request.status)
        self.send_header("Content-Length", str(len(data) - request.start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Connection", "close")
        if wanted:
            whole = f"bytes {request.start}-{len(data) - 1}/{len(data)}"
            self.send_header("Content-Range", whole)
        self.end_headers()
        if body:
            with contextlib.suppress(OSError):
                self._send_body(request, data, is_package=file.suffix == ".conda")

    def _is_wrong(self, file: Path) -> bool:
        return any(file.name.startswith(f"{name}-") for name in self.server.owner.faults.wrong)

    def _send_body(self, request: Request, data: bytes, *, is_package: bool) -> None:
        owner = self.server.owner
        for place, piece in _pieces(data, request.start):
            if is_package:
                sent = place - request.start
                if self._drops(sent + len(piece)):
                    return self._drop()
                limit = owner.faults.hold_at
                if limit is not None and sent + len(piece) > limit:
                    request.held = True
                    owner._released.wait()
                    request.held = False
            self.wfile.write(piece)
            request.sent += len(piece)

    def _drops(self, sent: int) -> bool:
        faults = self.server.owner.faults
        if faults.drop_at is None or sent <= faults.drop_at or faults.drops <= 0:
            return False
        faults.drops -= 1
        return True

    def _drop(self) -> None:
        """Break the connection so that the other side knows."""
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _pieces(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    for place in range(start, len(data), _STEP):
        yield place, data[place : place + _STEP]


def _wrong(file: Path) -> bytes:
    """Return the bytes of a file with the last one changed."""
    data = bytearray(file.read_bytes())
    data[-1] ^= 0xFF
    return bytes(data)
