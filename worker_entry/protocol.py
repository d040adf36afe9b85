"""The wire between host and worker: this docstring is its specification.

A message is a list of frames::

    [head, header?, *payload]

    head     13 bytes, big-endian: kind (1 ASCII byte), task (u64), attempt (u32); task and attempt
             are 0 in messages that are not about a task
    header   a JSON object, ASCII, at most MAX_HEADER bytes; present exactly when the kind has
             header fields. Unknown keys are ignored, missing or wrongly typed ones are an error.
             Whole numbers fit into 64 bits; NaN and Infinity may be written, as Python does
    payload  opaque frames; only kinds that carry values have them, and the last one is never
             empty. Nothing in this file looks inside, and nothing of them is unpickled before the
             peer has proved its token

An Update, of which a task may send thousands, has a frame of its own kind in place of a header::

    what `current` (bits 0 and 1) and `maximum` (bits 2 and 3) are: 0 nothing, 1 a whole number,
    2 a float; and bit 4, whether there is a text (u8); the two, 8 bytes each (i64, f64); the text,
    UTF-8

A small message of several frames travels as one, a *bundle*, because a frame costs as much as
some kilobytes::

    zero byte, number of frames (u8), their lengths (u32 each), the frames

Several small Runs travel in one frame, too, a *pack*: the task sockets of workers take them::

    one byte, 1; number of messages (u16), their lengths (u32 each), the messages, a frame each

An empty last frame makes a message void, whatever is before it: a sender that was interrupted
between two frames can neither take back what it said nor know how far it got, and so ends it.

A worker has two ROUTER peers in the host. On the *control* socket it says Hello with its token
and gets Welcome or Reject; later Interrupt arrives there, read by a thread of its own, so that a
busy main thread hears of it. On the *task* socket, owned by the main thread, it then says Ready,
gets Run, Runs, Drop and Stop, and answers a Run with any number of Update, Output and Log and
exactly one of Result, Kept, Failure, Canceled or Skipped, all with the task and attempt of that
Run. Runs stands for as many Run, and is answered like these. What is small may be noted where the
host finds it instead (see `notes`), and so may Run and Runs. After that it may say Worn,
whatever the host has sent meanwhile.

Pure: bytes in, messages out. `decode` raises `RemoteProtocolError` for anything that is not a
message, whatever the bytes are, and never runs code from them. `encode` refuses what `decode`
would, so that a mistake raises where it was made and does not look like a broken peer.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Sequence, Tuple, Union

from worker_entry.named import NamedTuple

#: Raised with every change of what is on the wire.
VERSION = 10
#: Limit of the JSON header in bytes: texts are cut by their senders below it.
MAX_HEADER = 4 * 1024 * 1024

#: The largest bundle, in bytes of its frames.
MAX_BUNDLE = 16 * 1024

_HEAD = struct.Struct("!cQI")
_HEAD_SIZE = _HEAD.size
_MAX_FRAMES = MAX_BUNDLE - _HEAD_SIZE
_BUNDLE = b"\0"  #: how one begins
# The beginnings of bundles, by the number of their frames: up to the end of the first, the head.
_BUNDLES = [struct.Struct(f"!BB{count}IcQI") for count in range(16)]
# Made here and now: a task may replace functions of the json module in the process we share.
_write_json = json.JSONEncoder(separators=(",", ":")).encode
_read_json = json.JSONDecoder().decode

# Without the constructors of named tuples, which are written in Python.
_new: Any = tuple.__new__

Number = Union[int, float]
Payload = Tuple[bytes, ...]


class ProtocolError(Exception):
    """Something on the wire is not as this file says."""


class LocalProtocolError(ProtocolError):
    """We tried to send what is no message: a bug on this side."""


class RemoteProtocolError(ProtocolError):
    """The other side sent what is no message."""


class VersionMismatchError(ProtocolError):
    """The other side speaks another version of the protocol."""


class Hello(NamedTuple):
    """Worker to host, control: who I am, and the proof."""

    version: int
    token: str
    pid: int


class Ready(NamedTuple):
    """Worker to host, task: I can take a task."""


class Update(NamedTuple):
    """Worker to host: progress."""

    task: int
    attempt: int
    message: str | None
    current: Number | None
    maximum: Number | None


class Output(NamedTuple):
    """Worker to host: a named intermediate value."""

    task: int
    attempt: int
    key: str
    payload: Payload


class Log(NamedTuple):
    """Worker to host: a record for the host's logging."""

    task: int
    attempt: int
    level: int
    text: str


class Result(NamedTuple):
    """Worker to host: the function returned this."""

    task: int
    attempt: int
    payload: Payload


class Kept(NamedTuple):
    """Worker to host: the function returned a value of this type, which stays in the worker."""

    task: int
    attempt: int
    type: str


class Failure(NamedTuple):
    """Worker to host: the task failed; see `failure.describe` for the description."""

    task: int
    attempt: int
    description: dict[str, Any]


class Canceled(NamedTuple):
    """Worker to host: the function acknowledged its cancellation and is done."""

    task: int
    attempt: int


class Skipped(NamedTuple):
    """Worker to host: the Run was reclaimed, and has not begun."""

    task: int
    attempt: int


class Worn(NamedTuple):
    """Worker to host, between tasks: I should be replaced, and why."""

    reason: str


class Void(NamedTuple):
    """Either way: nothing; what is left of a message that its sender had to break off.

    From a worker also: look at what I have noted.
    """


class Welcome(NamedTuple):
    """Host to worker, control: the token is right."""


class Reject(NamedTuple):
    """Host to worker, control: go away."""

    reason: str


class Run(NamedTuple):
    """Host to worker: run this.

    The first frame of the payload says what, as a JSON object (see `calling`); a frame, and no
    header, so that both sides can keep what they made of it for the next task that is alike.
    """

    task: int
    attempt: int
    payload: Payload


class Runs(NamedTuple):
    """Host to worker: make these calls of one function, one after the other.

    Task and attempt are those of the first. The payload is the tasks and attempts of all, the first
    frame of what would be the payload of each, and a row of the second ones; see `batch`.
    """

    task: int
    attempt: int
    payload: Payload


class Interrupt(NamedTuple):
    """Host to worker, control: the task should stop."""

    task: int
    attempt: int


class Drop(NamedTuple):
    """Host to worker, between tasks: forget what these tasks have returned and you have kept."""

    tasks: list[int]


class Stop(NamedTuple):
    """Host to worker: exit."""


# The order of fields is that of the wire: task and attempt first, then those of the header, then
# the payload.
class _Kind(NamedTuple):
    code: bytes
    about_task: bool
    fields: dict[str, tuple[type, ...]]  # header fields and what they may be
    payload: bool


_NONE = type(None)
_KINDS: dict[Any, _Kind] = {
    Hello: _Kind(b"H", False, {"version": (int,), "token": (str,), "pid": (int,)}, False),
    Ready: _Kind(b"Y", False, {}, False),
    Update: _Kind(b"U", True, {}, False),
    Output: _Kind(b"O", True, {"key": (str,)}, True),
    Log: _Kind(b"L", True, {"level": (int,), "text": (str,)}, False),
    Result: _Kind(b"R", True, {}, True),
    Kept: _Kind(b"K", True, {"type": (str,)}, False),
    Failure: _Kind(b"F", True, {"description": (dict,)}, False),
    Canceled: _Kind(b"C", True, {}, False),
    Skipped: _Kind(b"X", True, {}, False),
    Worn: _Kind(b"N", False, {"reason": (str,)}, False),
    Welcome: _Kind(b"W", False, {}, False),
    Reject: _Kind(b"J", False, {"reason": (str,)}, False),
    Run: _Kind(b"T", True, {}, True),
    Runs: _Kind(b"M", True, {}, True),
    Interrupt: _Kind(b"I", True, {}, False),
    Drop: _Kind(b"D", False, {"tasks": (list,)}, False),
    Stop: _Kind(b"S", False, {}, False),
}
#: What a number of an Update may be, and how the two are written.
_NUMBERS: dict[type, int] = {_NONE: 0, int: 1, float: 2}
_PROGRESS = {
    one | other << 2: struct.Struct(f"!B{'qqd'[one]}{'qqd'[other]}")
    for one in range(3)
    for other in range(3)
}
_BY_CODE = {kind.code: (cls, kind) for cls, kind in _KINDS.items()}
# Those that go with every task have no header: a task, an attempt and a value.
_VALUES: dict[bytes, Any] = {b"T": Run, b"M": Runs, b"R": Result}
_VALUE_CODES: dict[Any, bytes] = {cls: code for code, cls in _VALUES.items()}

Message = Union[
    Hello,
    Ready,
    Update,
    Output,
    Log,
    Result,
    Kept,
    Failure,
    Canceled,
    Skipped,
    Worn,
    Void,
    Welcome,
    Reject,
    Run,
    Runs,
    Interrupt,
    Drop,
    Stop,
]


def encode(message: Message) -> list[bytes]:
    """Return the frames of a message.

    Raises:
        LocalProtocolError: A field has a value that can't be written.
    """
    cls = type(message)
    if cls is Void:
        return [b""]
    code = _VALUE_CODES.get(cls)
    fields: tuple[Any, ...] = message
    try:
        if code is not None:
            task, attempt, payload = fields
            return _join(code, task, attempt, payload)
        kind = _KINDS[cls]
        task, attempt = fields[:2] if kind.about_task else (0, 0)
        if cls is Update:
            return _join(kind.code, task, attempt, [_write_progress(*fields[2:])])
        frames: Sequence[bytes] = fields[-1] if kind.payload else ()
        if kind.fields:
            frames = [_encode_header(kind, message), *frames]
        return _join(kind.code, task, attempt, frames)
    except (struct.error, TypeError, ValueError, RecursionError) as error:
        # The message itself is not shown: it may hold arguments, or a text of megabytes.
        raise LocalProtocolError(f"can't send {cls.__name__}: {error}") from error


def _join(code: bytes, task: int, attempt: int, frames: Sequence[bytes]) -> list[bytes]:
    """Return the head and the frames, as a bundle if they are few and small."""
    lengths = list(map(len, frames))
    if lengths and not lengths[-1]:
        raise ValueError("its last frame is empty")
    count = len(lengths) + 1
    if count == 1 or count >= len(_BUNDLES) or sum(lengths) > _MAX_FRAMES:
        return [_HEAD.pack(code, task, attempt), *frames]
    beginning = _BUNDLES[count].pack(0, count, _HEAD_SIZE, *lengths, code, task, attempt)
    return [b"".join((beginning, *frames))]


def pack(messages: Sequence[bytes]) -> bytes:
    """Return the frame of several messages, each of which is one frame."""
    beginning = struct.pack(f"!BH{len(messages)}I", 1, len(messages), *map(len, messages))
    return b"".join((beginning, *messages))


def is_pack(frames: Sequence[bytes]) -> bool:
    """Whether the frames are those of several messages."""
    return len(frames) == 1 and frames[0][:1] == b"\1"


def unpack(frame: bytes) -> list[Message]:
    """Return the messages of a pack.

    Raises:
        RemoteProtocolError: It is none, or one of them is none.
    """
    try:
        (count,) = struct.unpack_from("!H", frame, 1)
        lengths = struct.unpack_from(f"!{count}I", frame, 3)
    except struct.error as error:
        raise RemoteProtocolError(f"a pack without its beginning: {error}") from error
    end, messages = 3 + 4 * count, []
    for length in lengths:
        begin, end = end, end + length
        messages.append(decode([frame[begin:end]]))
    if end != len(frame):
        raise RemoteProtocolError(f"a pack of {len(frame)} bytes in place of {end}")
    return messages


def _unbundle(bundle: bytes) -> tuple[bytes, int, int, Sequence[bytes]]:
    count = bundle[1] if len(bundle) > 1 else 0
    if not 0 < count < len(_BUNDLES) or len(bundle) < _BUNDLES[count].size:
        raise RemoteProtocolError("a bundle without its beginning")
    _, _, head, *lengths, code, task, attempt = _BUNDLES[count].unpack_from(bundle)
    if head != _HEAD_SIZE:
        raise RemoteProtocolError("a bundle without a message head")
    end, frames = _BUNDLES[count].size, []
    for length in lengths:
        begin, end = end, end + length
        frames.append(bundle[begin:end])
    if end != len(bundle):
        raise RemoteProtocolError(f"a bundle of {len(bundle)} bytes in place of {end}")
    return code, task, attempt, frames


def _encode_header(kind: _Kind, message: Message) -> bytes:
    header = {}
    for field, types in kind.fields.items():
        header[field] = value = getattr(message, field)
        if not _fits(value, types):
            raise TypeError(f"field {field!r} can't be of type {type(value).__name__}, or so large")
    written = _write_json(header).encode("ascii")
    if len(written) > MAX_HEADER:
        raise ValueError(f"its header of {len(written)} bytes is too large")
    return written


def _write_progress(message: str | None, current: Any, maximum: Any) -> bytes:
    try:
        kinds = _NUMBERS[type(current)] | _NUMBERS[type(maximum)] << 2
    except KeyError as error:
        raise TypeError(f"a number can't be of type {error.args[0].__name__}") from None
    if not (message is None or isinstance(message, str)):
        raise TypeError(f"a text can't be of type {type(message).__name__}")
    text = b"" if message is None else message.encode("utf-8", "surrogatepass")
    if len(text) > MAX_HEADER:
        raise ValueError(f"its text of {len(text)} bytes is too large")
    flags = kinds | (message is not None) << 4
    return _PROGRESS[kinds].pack(flags, current or 0, maximum or 0) + text


def _read_progress(frame: bytes) -> list[Any]:
    flags = frame[0] if len(frame) else 0
    layout = _PROGRESS.get(flags & 15)
    if layout is None or flags > 31 or not layout.size <= len(frame) <= layout.size + MAX_HEADER:
        raise RemoteProtocolError("Update: it is no progress")
    _, current, maximum = layout.unpack_from(frame)
    text = frame[layout.size :]
    if text and not flags & 16:
        raise RemoteProtocolError("Update: it has a text too many")
    try:
        message = bytes(text).decode("utf-8", "surrogatepass") if flags & 16 else None
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"Update: its text is none: {error}") from error
    return [message, current if flags & 3 else None, maximum if flags & 12 else None]


def _fits(value: Any, types: tuple[type, ...]) -> bool:
    # bool is an int to isinstance(), but not on the wire. Larger ints than these can be written by
    # some versions of Python that others then refuse to read.
    if type(value) is int:
        return int in types and -(2**63) <= value < 2**63
    return isinstance(value, types) and not isinstance(value, bool)


def decode(frames: Sequence[bytes]) -> Message:
    """Return the message that the frames are.

    Raises:
        RemoteProtocolError: They are none.
    """
    if len(frames) == 1 and frames[0][:1] == _BUNDLE:
        code, task, attempt, frames = _unbundle(frames[0])
    elif frames and not len(frames[-1]):
        return Void()
    elif frames and len(frames[0]) == _HEAD_SIZE:
        code, task, attempt = _HEAD.unpack(frames[0])
        frames = frames[1:]
    else:
        raise RemoteProtocolError(f"no message head in {len(frames)} frames")
    if code in _VALUES:
        return _new(_VALUES[code], (task, attempt, tuple(frames)))  # type: ignore[no-any-return]
    if code not in _BY_CODE:
        raise RemoteProtocolError(f"unknown kind of message {code!r}")
    cls, kind = _BY_CODE[code]
    values: list[Any] = [task, attempt] if kind.about_task else []
    if cls is Update:
        values += _read_progress(frames[0] if frames else b"")
        frames = frames[1:]
    if kind.fields:
        values += _decode_header(cls.__name__, kind, frames[:1])
        frames = frames[1:]
    if kind.payload:
        values.append(tuple(frames))
    elif frames:
        raise RemoteProtocolError(f"{cls.__name__} with {len(frames)} frames too many")
    return _new(cls, values)  # type: ignore[no-any-return]


def _decode_header(name: str, kind: _Kind, frames: Sequence[bytes]) -> list[Any]:
    if not frames or len(frames[0]) > MAX_HEADER:
        raise RemoteProtocolError(f"{name} without a header of acceptable size")
    try:
        header = _read_json(bytes(frames[0]).decode())
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"{name}: header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise RemoteProtocolError(f"{name}: header is no object")
    for field, types in kind.fields.items():
        value = header.get(field, ...)
        if not _fits(value, types):
            # Only its type is told: a wrong token does not belong into a log.
            raise RemoteProtocolError(f"{name}: field {field!r} is a {type(value).__name__}")
    return [header[field] for field in kind.fields]
