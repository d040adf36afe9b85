"""What is fuzzed: takes any bytes, and may do nothing but return or refuse."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import sys
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from worker_entry import protocol
from worker_entry.codec import Codec, CodecError

#: What code of an attacker would do, as Python itself reports it (PEP 578).
FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.remove",
    "os.mkdir",
    "os.rename",
    "os.putenv",
    "os.kill",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "shutil.rmtree",
    "ctypes.dlopen",
    "builtins.input",
    "webbrowser.open",
)


class CodeRanError(BaseException):
    """Data made this process do something."""


def watch() -> None:
    """Raise wherever code of an attacker would get something done; cannot be undone."""

    def hook(event: str, args: Any) -> None:
        if event in FORBIDDEN:
            raise CodeRanError(f"{event} {args}")

    sys.addaudithook(hook)


def frames_of(data: bytes) -> list[bytes]:
    """Cut data into up to four frames: the first bytes say where."""
    if not data:
        return []
    count, rest = data[0] % 4 + 1, data[4:]
    cuts = sorted(part % (len(rest) + 1) for part in data[1:count])
    return [rest[a:b] for a, b in zip([0, *cuts], [*cuts, len(rest)], strict=True)]


def joined(frames: Iterable[bytes]) -> bytes:
    """Return data that `frames_of` cuts into these, as long as they are short."""
    frames = [bytes(frame) for frame in frames][:4]
    cuts, at = [], 0
    for frame in frames[:-1]:
        at += len(frame)
        cuts.append(at % 256)
    return bytes([len(frames) - 1, *cuts, *[0] * (3 - len(cuts))]) + b"".join(frames)


def wire(data: bytes) -> None:
    """Take the data for a message, and what it is for one that can be sent."""
    for frames in (frames_of(data), [data]):
        try:
            message = protocol.decode(frames)
        except protocol.RemoteProtocolError:
            continue
        try:
            again = protocol.encode(message)
        except protocol.LocalProtocolError:
            continue
        assert repr(protocol.decode(again)) == repr(message)


_codec = Codec(5, False, data_only=True)


def trusted_data(data: bytes) -> None:
    """Take the data for a value of a worker that is not trusted."""
    for frames in (frames_of(data), [b"\x80\x05" + data]):
        if frames:
            try:
                _codec.loads(frames, "result")
            except CodecError:
                continue


def wire_seeds() -> list[bytes]:
    """Return messages of every kind."""
    messages: list[protocol.Message] = [
        protocol.Hello(protocol.VERSION, "token", 17),
        protocol.Ready(),
        protocol.Update(1, 2, "half", 1, 2.5),
        protocol.Output(1, 2, "key", (b"abc",)),
        protocol.Log(1, 2, 20, "text"),
        protocol.Result(1, 2, (b"abc", b"def")),
        protocol.Kept(1, 2, "builtins.list"),
        protocol.Failure(1, 2, {"error": "no", "traceback": ["a", "b"]}),
        protocol.Canceled(1, 2),
        protocol.Skipped(1, 2),
        protocol.Welcome(),
        protocol.Reject("no"),
        protocol.Run(1, 2, (b"{}", b"abc")),
        protocol.Interrupt(1, 2),
        protocol.Drop([1, 2, 3]),
        protocol.Stop(),
        protocol.Worn("why"),
        protocol.Void(),
    ]
    return [joined(protocol.encode(message)) for message in messages]


def data_seeds() -> list[bytes]:
    """Return values of many types, as workers send them."""
    values: list[Any] = [
        None,
        [1, -1, 2**70, 0.5, 1j, "text", b"bytes", bytearray(b"x")],
        {"a": (1, 2), "b": {3, 4}, "c": frozenset((5,))},
        [pathlib.PurePosixPath("/a/b"), uuid.UUID(int=5), decimal.Decimal("1.5")],
        [datetime.datetime(2020, 1, 2, 3, 4, 5), datetime.timedelta(1, 2)],
        [ValueError("no"), range(3), slice(1, 2)],
    ]
    try:
        import numpy as np

        values += [np.arange(5), np.ones((2, 3), "f4"), np.array(["a", "bc"]), np.float32(1)]
    except ImportError:
        pass
    plain = Codec(5, False)
    return [joined(plain.dumps(value, "result")) for value in values]


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "wire": (wire, wire_seeds),
    "data": (trusted_data, data_seeds),
}
