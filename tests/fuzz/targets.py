"""What is fuzzed: takes any bytes, and may do nothing but return or refuse."""

from __future__ import annotations

import array
import collections
import contextlib
import datetime
import decimal
import fractions
import pathlib
import re
import sys
import types
import uuid
from collections.abc import Callable, Iterable, Iterator
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


class ComplaintError(BaseException):
    """Memory was asked for that nobody has sent, or Python printed what it could not raise."""


_complaints: list[Any] = []


def watch() -> None:
    """Raise wherever code of an attacker would get something done; cannot be undone."""

    def hook(event: str, args: Any) -> None:
        if event in FORBIDDEN:
            raise CodeRanError(f"{event} {args}")

    def note(kind: Any, value: Any, traceback: Any) -> None:
        _complaints.append(value)
        sys.__excepthook__(kind, value, traceback)

    sys.addaudithook(hook)
    sys.excepthook = note
    sys.unraisablehook = lambda it: note(it.exc_type, it.exc_value, it.exc_traceback)


def _check_complaints() -> None:
    if _complaints:
        raise ComplaintError(repr(_complaints.pop()))


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
    _check_complaints()


_codec = Codec(5, False, data_only=True)


def trusted_data(data: bytes) -> None:
    """Take the data for a value of a worker that is not trusted."""
    for frames in (frames_of(data), [b"\x80\x05" + data]):
        if frames:
            try:
                _codec.loads(frames, "result")
            except CodecError as error:
                if "MemoryError" in str(error):
                    raise ComplaintError("memory") from error
    _check_complaints()


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
        [collections.deque([1], 3), collections.Counter("aab"), collections.OrderedDict(a=1)],
        [collections.defaultdict(list, a=[1]), types.SimpleNamespace(a=1)],
        [fractions.Fraction(1, 3), re.compile("a+"), array.array("i", [1, 2])],
        memoryview(bytearray(b"abcd")).cast("h"),
        *_scientific_values(),
    ]
    plain = Codec(5, False)
    return [joined(plain.dumps(value, "result")) for value in values]


def _scientific_values() -> Iterator[Any]:
    with contextlib.suppress(ImportError):
        import numpy as np

        yield from (np.arange(5), np.ones((2, 3), "f4"), np.array(["a", "bc"]), np.float32(1))
        yield from (np.array([1, "a", None], object), np.zeros(2, "i4,O"), np.datetime64(5, "s"))
        yield from (np.ma.masked_array([1, 2], [True, False]), np.random.default_rng(1))
    with contextlib.suppress(ImportError):
        import pandas as pd

        yield pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])})
        yield pd.Series([1, None], pd.date_range("2020", periods=2, tz="UTC"), "Int64")
    with contextlib.suppress(ImportError):
        from PIL import Image

        yield Image.new("P", (3, 2))


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "wire": (wire, wire_seeds),
    "data": (trusted_data, data_seeds),
}
