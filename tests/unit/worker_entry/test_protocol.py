"""The wire: what is written is read back, and what is not a message is refused in one way."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker_entry import batch, protocol
from worker_entry.protocol import (
    MAX_HEADER,
    LocalProtocolError,
    RemoteProtocolError,
    decode,
    encode,
)

GOLDEN = Path(__file__).parent / "golden"

tasks = st.integers(0, 2**64 - 1)
attempts = st.integers(0, 2**32 - 1)
whole = st.integers(-(2**63), 2**63 - 1)
# Lone surrogates included: file names have them.
texts = st.text(st.characters(exclude_categories=()), max_size=40)
numbers = st.none() | whole | st.floats(allow_nan=False)
payloads = st.lists(st.binary(min_size=1, max_size=40), max_size=4).map(tuple)
trees = st.recursive(
    st.none() | st.booleans() | whole | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)

messages: st.SearchStrategy[Any] = st.one_of(
    st.builds(protocol.Hello, whole, texts, whole),
    st.builds(protocol.Ready),
    st.builds(protocol.Update, tasks, attempts, st.none() | texts, numbers, numbers),
    st.builds(protocol.Output, tasks, attempts, texts, payloads),
    st.builds(protocol.Log, tasks, attempts, whole, texts),
    st.builds(protocol.Result, tasks, attempts, payloads),
    st.builds(protocol.Kept, tasks, attempts, texts),
    st.builds(protocol.Drop, st.lists(tasks.filter(lambda number: number < 2**63), max_size=4)),
    st.builds(protocol.Failure, tasks, attempts, st.dictionaries(texts, trees, max_size=4)),
    st.builds(protocol.Canceled, tasks, attempts),
    st.builds(protocol.Skipped, tasks, attempts),
    st.builds(protocol.Worn, texts),
    st.builds(protocol.Void),
    st.builds(protocol.Welcome),
    st.builds(protocol.Reject, texts),
    st.builds(protocol.Run, tasks, attempts, payloads),
    st.builds(protocol.Runs, tasks, attempts, payloads),
    st.builds(protocol.Interrupt, tasks, attempts),
    st.builds(protocol.Stop),
)

EXAMPLES: dict[str, Any] = {
    "hello": protocol.Hello(1, "0123abcd", 4711),
    "ready": protocol.Ready(),
    "update": protocol.Update(1, 0, "half – way", 1, 2.5),
    "update_empty": protocol.Update(1, 0, None, None, None),
    "output": protocol.Output(2**64 - 1, 2**32 - 1, "mask", (b"\x80\x04N.", b"buffer")),
    "log": protocol.Log(3, 1, 20, "a line"),
    "result": protocol.Result(4, 0, (b"\x80\x04K\x05.",)),
    "kept": protocol.Kept(4, 0, "torch.nn.modules.container.Sequential"),
    "drop": protocol.Drop([1, 2]),
    "failure": protocol.Failure(
        5, 0, {"kind": "exception", "error": "ValueError: no", "traceback": ["a"], "cause": None}
    ),
    "canceled": protocol.Canceled(6, 0),
    "skipped": protocol.Skipped(6, 1),
    "worn": protocol.Worn("too many files"),
    "void": protocol.Void(),
    "welcome": protocol.Welcome(),
    "reject": protocol.Reject("wrong token"),
    "run": protocol.Run(7, 2, (b'{"how":"file"}', b"\x80\x04N.")),
    "runs": protocol.Runs(
        7, 2, batch.encode([(7, 2), (9, 1)], b'{"how":"file"}', [b"\x80\x04N.", b"\x80\x04K\x05."])
    ),
    "interrupt": protocol.Interrupt(8, 0),
    "stop": protocol.Stop(),
}


def _loose(message: Any) -> list[bytes]:
    """Return the frames of a message as they are outside a bundle."""
    frames = encode(message)
    if frames[0][:1] != b"\0":
        return frames
    bundle = io.BytesIO(frames[0][2:])
    lengths = [struct.unpack("!I", bundle.read(4))[0] for _ in range(frames[0][1])]
    return [bundle.read(length) for length in lengths]


def _written(frames: list[bytes]) -> bytes:
    return b"".join(struct.pack("!I", len(frame)) + frame for frame in frames)


# -- what is written is read back ------------------------------------------------------------------


@given(messages)
def test_every_message_survives_the_round_trip(message: Any) -> None:
    decoded = decode(encode(message))
    assert decoded == message
    assert type(decoded) is type(message)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_bytes_on_the_wire_are_those_of_this_version(name: str) -> None:
    """A change of these files is a change of the protocol: raise `VERSION`."""
    golden = (GOLDEN / f"{name}.bin").read_bytes()
    assert _written(encode(EXAMPLES[name])) == golden


def test_there_is_a_golden_file_for_every_kind_and_no_other() -> None:
    kinds = {type(message) for message in EXAMPLES.values()}
    assert kinds == {*protocol._KINDS, protocol.Void}
    assert {path.stem for path in GOLDEN.iterdir()} == set(EXAMPLES)
    assert protocol.VERSION == 10


@given(st.lists(messages.filter(lambda message: len(encode(message)) == 1), max_size=5))
def test_several_messages_in_one_frame_are_read_back(several: list[Any]) -> None:
    several = [message for message in several if encode(message) != [b""]]
    frame = protocol.pack([encode(message)[0] for message in several])
    assert protocol.is_pack([frame])
    assert protocol.unpack(frame) == several


@given(st.binary(max_size=60), st.integers(0, 3))
def test_a_pack_that_is_none_is_refused(rest: bytes, count: int) -> None:
    frame = struct.pack("!BH", 1, count) + rest
    with contextlib.suppress(RemoteProtocolError):
        assert len(protocol.unpack(frame)) == count


def test_a_pack_that_is_too_long_or_cut_off_is_refused() -> None:
    frame = protocol.pack([encode(EXAMPLES["run"])[0]])
    for broken in (frame + b"x", frame[:-1], frame[:4], b"\1"):
        with pytest.raises(RemoteProtocolError):
            protocol.unpack(broken)


def test_frames_may_be_views_of_memory() -> None:
    frames = encode(EXAMPLES["update"])
    assert decode([memoryview(frame) for frame in frames]) == EXAMPLES["update"]  # type: ignore[list-item]
    frames = _loose(EXAMPLES["update"])
    assert decode([memoryview(frame) for frame in frames]) == EXAMPLES["update"]  # type: ignore[list-item]


def test_what_is_small_is_bundled_and_what_is_large_is_not() -> None:
    rest = protocol.MAX_BUNDLE - len(_loose(protocol.Result(1, 0, (b"x",)))[0])
    small, large = (protocol.Result(1, 0, (b"x" * size,)) for size in (rest, rest + 1))
    assert [len(encode(message)) for message in (small, large)] == [1, 2]
    assert [decode(encode(message)) for message in (small, large)] == [small, large]
    many = protocol.Result(1, 0, (b"x",) * 100)
    assert len(encode(many)) == 101
    assert decode(encode(many)) == many


def test_unknown_header_fields_are_ignored() -> None:
    head, _ = _loose(EXAMPLES["log"])
    header = json.dumps({"level": 20, "text": "a line", "color": "red"}).encode()
    assert decode([head, header]) == EXAMPLES["log"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_empty_last_frame_makes_any_message_void(name: str) -> None:
    frames = _loose(EXAMPLES[name])
    for kept in range(len(frames) + 1):
        assert decode([*frames[:kept], b""]) == protocol.Void()


# -- what is no message ----------------------------------------------------------------------------


def _decodes_or_refuses(frames: list[bytes]) -> None:
    try:
        message = decode(frames)
    except RemoteProtocolError:
        return
    assert type(message) in {*protocol._KINDS, protocol.Void}


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_random_frames_are_a_message_or_refused(frames: list[bytes]) -> None:
    _decodes_or_refuses(frames)


@given(messages, st.data())
def test_damaged_messages_are_a_message_or_refused(message: Any, data: st.DataObject) -> None:
    frames = data.draw(st.sampled_from([encode(message), _loose(message)])).copy()
    which = data.draw(st.integers(0, len(frames) - 1))
    damage: Callable[[bytes], list[bytes]] = data.draw(
        st.sampled_from(
            [
                lambda frame: [],
                lambda frame: [frame, frame],
                lambda frame: [frame[: len(frame) // 2]],
                lambda frame: [frame + b"\0"],
                lambda frame: [bytes(byte ^ 1 for byte in frame)],
                lambda frame: [frame.replace(b'"', b"", 1)],
                lambda frame: [frame[::-1]],
            ]
        )
    )
    frames[which : which + 1] = damage(frames[which])
    _decodes_or_refuses(frames)


@given(st.sampled_from([n for n in EXAMPLES if len(_loose(EXAMPLES[n])) > 1]), trees)
def test_any_json_in_place_of_a_header_is_a_message_or_refused(name: str, header: Any) -> None:
    frames = _loose(EXAMPLES[name])
    _decodes_or_refuses([frames[0], json.dumps(header).encode(), *frames[2:]])


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("hello", "version", True),
        ("hello", "version", "1"),
        ("hello", "version", 1.0),
        ("hello", "version", 2**63),
        ("hello", "token", None),
        ("hello", "pid", [1]),
        ("output", "key", None),
        ("log", "level", False),
        ("log", "level", 1e3),
        ("failure", "description", []),
        ("reject", "reason", {}),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_on_both_sides(
    name: str, field: str, value: Any
) -> None:
    message = EXAMPLES[name]
    frames = _loose(message)
    header = {**json.loads(frames[1]), field: value}
    with pytest.raises(RemoteProtocolError, match=field):
        decode([frames[0], json.dumps(header).encode(), *frames[2:]])
    with pytest.raises(LocalProtocolError, match=field):
        encode(message._replace(**{field: value}))
    del header[field]
    with pytest.raises(RemoteProtocolError, match=field):
        decode([frames[0], json.dumps(header).encode(), *frames[2:]])


@pytest.mark.parametrize(
    ("field", "value"),
    [("message", 5), ("current", True), ("current", "5"), ("maximum", -(2**63) - 1)],
)
def test_a_progress_of_the_wrong_type_is_not_sent(field: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match="can't send Update"):
        encode(EXAMPLES["update"]._replace(**{field: value}))


@pytest.mark.parametrize(
    "progress",
    [
        b"\0",
        b"\3" + bytes(16),
        b"\x20" + bytes(16),
        bytes(16),
        bytes(17) + b"text",
        b"\x10" + bytes(16) + b"\xff",
    ],
    ids=["short", "number", "flags", "cut", "text", "utf-8"],
)
def test_what_is_no_progress_is_refused(progress: bytes) -> None:
    frames = _loose(EXAMPLES["update"])
    with pytest.raises(RemoteProtocolError, match="Update"):
        decode([frames[0], progress])
    with pytest.raises(RemoteProtocolError, match="Update"):
        decode(frames[:1])
    with pytest.raises(RemoteProtocolError, match="Update"):
        decode([*frames, b"more"])


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'{"level": 1, "text": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"level": ' + b"9" * 100_000 + b', "text": ""}',
        b'{"level": 1e400, "text": ""}',
        b'{"level": NaN, "text": ""}',
        b'{"level": 1, "text": "' + b"x" * MAX_HEADER + b'"}',
    ],
    ids=lambda header: repr(header[:12]),
)
def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode([_loose(EXAMPLES["log"])[0], header, b"rest"])
    if header:
        with pytest.raises(RemoteProtocolError):
            decode([_loose(EXAMPLES["log"])[0], header])


def test_deep_structures_in_a_wrong_field_are_refused_without_showing_them() -> None:
    head = _loose(EXAMPLES["hello"])[0]
    for depth in range(50, 1000, 50):
        deep = b"[" * depth + b"]" * depth
        _decodes_or_refuses([head, b'{"version": 1, "pid": 2, "token": %s}' % deep])


def test_a_refusal_does_not_repeat_the_token() -> None:
    head = _loose(EXAMPLES["hello"])[0]
    with pytest.raises(RemoteProtocolError) as caught:
        decode([head, b'{"version": "x", "pid": "secret", "token": ["secret"]}'])
    assert "secret" not in str(caught.value)


def test_not_a_number_passes_as_progress() -> None:
    message = decode(encode(protocol.Update(1, 0, None, float("nan"), float("inf"))))
    assert isinstance(message, protocol.Update)
    assert message.current != message.current
    assert message.maximum == float("inf")


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"S"],
        [b"S" * 14],
        [b"?" + bytes(12)],
        [b"S" + bytes(12), b"more"],
        [b"I" + bytes(12), b"{}"],
        [b"F" + bytes(12)],
        [b"O" + bytes(12)],
        [b"\0"],
        [b"\0\0"],
        [b"\0\1"],
        [b"\0\1\0\0\0\1"],
        [b"\0\1\0\0\0\1SS"],
        [b"\0\1\xff\xff\xff\xffS"],
        [b"\0\x10" + bytes(64)],
        [b"\0\1\0\0\0\x0dS" + bytes(12), b"more"],
        [b"\0\1\0\0\0\2\0\0"],
    ],
)
def test_frames_that_fit_no_kind_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(frames)


# -- what can't be sent ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        protocol.Canceled(-1, 0),
        protocol.Canceled(2**64, 0),
        protocol.Canceled(1, 2**32),
        protocol.Canceled("1", 0),  # type: ignore[arg-type]
        protocol.Log(1, 0, 10**5000, ""),
        protocol.Log(1, 0, 20, "x" * (MAX_HEADER + 1)),
        protocol.Failure(1, 0, {"key": object()}),
        protocol.Result(1, 0, (b"a", b"")),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_would_be_refused_is_not_sent(message: Any) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        encode(message)
    assert len(str(caught.value)) < 200


def test_an_error_in_sending_shows_no_arguments() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        encode(protocol.Run(-1, 0, (b"call", b"the secret")))
    assert "secret" not in str(caught.value)


def test_functions_of_the_json_module_may_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dumps", "loads"):
        monkeypatch.setattr(json, name, lambda *args, **kwargs: pytest.fail("called"))
    assert decode(encode(EXAMPLES["update"])) == EXAMPLES["update"]
