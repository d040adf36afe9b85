"""Values as bytes, and whom to blame when that fails."""

from __future__ import annotations

import gc
import pickle
import sys
import threading
import weakref
from typing import Any

import pytest

from worker_entry.codec import Codec, CodecError, type_name

BY_VALUE = Codec(5, True)
PLAIN = Codec(4, False)


class Stubborn:
    def __reduce__(self) -> Any:
        raise RuntimeError("no copies")


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class SpeechlesslyStubborn:
    def __reduce__(self) -> Any:
        raise SpeechlessError


def _explode() -> None:
    raise OSError("on arrival")


class Bomb:
    def __reduce__(self) -> Any:
        return _explode, ()


@pytest.mark.parametrize("codec", [BY_VALUE, PLAIN])
@pytest.mark.parametrize("value", [None, True, 5, 2.5, 1j, "text \udcff", b"x", [1, {"a": (2,)}]])
def test_plain_values_survive_the_round_trip(codec: Codec, value: Any) -> None:
    assert codec.loads(codec.dumps(value)) == value
    assert codec.loads(codec.dumps_call((value,), {"key": value})) == ((value,), {"key": value})
    assert codec.loads(codec.dumps_call((value,), None)) == ((value,), {})


def test_the_protocol_is_the_one_agreed_on() -> None:
    for codec in (BY_VALUE, PLAIN):
        for (frame,) in (codec.dumps(5), codec.dumps([5]), codec.dumps_call((5,), {})):
            assert frame[1] == codec.protocol
            assert pickle.loads(frame)


def test_functions_go_by_value_only_where_that_is_agreed() -> None:
    add = 3
    assert BY_VALUE.loads(BY_VALUE.dumps(lambda x: x + add))(4) == 7
    with pytest.raises(CodecError, match="lambda"):
        PLAIN.dumps(lambda x: x)


@pytest.mark.parametrize("codec", [BY_VALUE, PLAIN])
@pytest.mark.parametrize(
    ("args", "kwargs", "named"),
    [
        ((1, threading.Lock()), {}, r"args\[1\] of type _thread.lock can't be pickled: TypeError"),
        ((), {"a": 1, "b": Stubborn()}, r"kwargs\['b'\] of type .*Stubborn .*: no copies"),
        (([Stubborn()],), {}, r"args\[0\]\[0\] of type .*Stubborn"),
        ((SpeechlesslyStubborn(),), {}, r"args\[0\] .*: SpeechlessError$"),
    ],
)
def test_the_argument_to_blame_is_named(codec: Codec, args: Any, kwargs: Any, named: str) -> None:
    with pytest.raises(CodecError, match=named) as caught:
        codec.dumps_call(args, kwargs)
    assert caught.value.__cause__ is not None


def test_what_unpickling_raises_is_told() -> None:
    with pytest.raises(CodecError, match="OSError: on arrival") as caught:
        PLAIN.loads(PLAIN.dumps(Bomb()))
    assert isinstance(caught.value.__cause__, OSError)
    for garbage in (b"", b"garbage", b"\x80\x09.", b"cno_such_module\nx\n."):
        with pytest.raises(CodecError):
            PLAIN.loads([garbage])


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 20):
        deep = [deep]
    with pytest.raises(CodecError, match="nested too deep"):
        PLAIN.dumps(deep)


def test_interrupts_are_not_mistaken_for_values_that_do_not_pickle() -> None:
    class Interrupter:
        def __reduce__(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PLAIN.dumps_call((Interrupter(),), {})


def test_functions_of_the_pickle_module_may_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dumps", "loads"):
        monkeypatch.setattr(pickle, name, lambda *args, **kwargs: pytest.fail("called"))
    assert PLAIN.loads(PLAIN.dumps([1])) == [1]


def test_types_are_named_with_their_module() -> None:
    assert type_name(5) == "int"
    assert type_name(Stubborn()) == f"{__name__}.Stubborn"


# -- buffers beside the pickle ---------------------------------------------------------------------


class Buffers:
    """Stands for anything that pickles its memory as a buffer."""

    def __init__(self, *memory: Any) -> None:
        self.memory = memory

    def __reduce_ex__(self, protocol: int) -> Any:
        if protocol < 5:
            return Buffers, tuple(bytes(memory) for memory in self.memory)
        return Buffers, tuple(pickle.PickleBuffer(memory) for memory in self.memory)


@pytest.mark.parametrize("codec", [BY_VALUE, Codec(5, False)])
def test_large_buffers_are_frames_of_their_own_and_arrive_writeable(codec: Codec) -> None:
    threshold = codec.carrier.threshold
    small, large = bytearray(threshold - 1), bytearray(b"x" * threshold)
    frames = codec.dumps_call((Buffers(small, large), Buffers(bytes(large))), {})
    assert [len(frame) for frame in frames[1:]] == [threshold, threshold]
    large[0] = 0  # too late
    (first, second), _ = codec.loads(frames)
    assert first.memory == (small, b"x" * threshold)
    memoryview(first.memory[1])[0] = 1
    assert second.memory == (b"x" * threshold,)


def test_what_must_be_one_frame_is_one_frame() -> None:
    value = Buffers(bytearray(1_000_000))
    assert len(BY_VALUE.dumps_whole(value)) > 1_000_000
    assert len(BY_VALUE.dumps_whole(5)) < 10
    (frame,) = PLAIN.dumps(value)  # protocol 4 knows no buffers
    assert len(frame) > 1_000_000


def test_a_carrier_of_ones_own_is_asked() -> None:
    class Reversing:
        threshold = 2
        find = None

        def pack(self, buffers: Any) -> list[bytes]:
            return [bytes(buffer.raw())[::-1] for buffer in buffers]

        def unpack(self, frames: Any) -> list[bytes]:
            return [bytes(frame)[::-1] for frame in frames]

    codec = Codec(5, False, Reversing())
    frames = codec.dumps(Buffers(b"ab", b"c"))
    assert frames[1:] == [b"ba"]
    assert codec.loads(frames).memory == (b"ab", b"c")


def test_frames_that_are_missing_are_an_error() -> None:
    frames = BY_VALUE.dumps(Buffers(bytearray(1_000_000)))
    with pytest.raises(CodecError):
        BY_VALUE.loads(frames[:1])


class Nested:
    """Pickling it pickles something else with the same codec, on the way."""

    def __reduce__(self) -> Any:
        return bytes, (b"".join(PLAIN.dumps(["inner"])),)


class Gone:
    pass


@pytest.mark.parametrize("codec", [BY_VALUE, PLAIN])
def test_a_codec_that_was_used_before_has_kept_nothing(codec: Codec) -> None:
    value: Any = [Gone(), "text" * 20]
    value.append(value)
    first = [bytes(frame) for frame in codec.dumps(value)]
    with pytest.raises(CodecError):
        codec.dumps([value, Stubborn()])
    gc.collect()  # an error and its traceback refer to each other
    assert codec.dumps([Nested(), value])
    assert [bytes(frame) for frame in codec.dumps(value)] == first
    gone = weakref.ref(value[0])
    value.clear()
    assert gone() is None


def test_threads_do_not_share_a_pickler() -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        for count in range(300):
            value = [number, [count] * (count % 50), {"k": number}]
            if PLAIN.loads(PLAIN.dumps(value)) != value:
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(sys.version_info < (3, 8), reason="buffers out of band came with Python 3.8")
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_lies_in_the_main_module_goes_by_value_beside_large_buffers(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    class Local:
        pass

    Local.__module__, Local.__qualname__ = "__main__", "Local"
    monkeypatch.setattr(sys.modules["__main__"], "Local", Local, raising=False)
    buffers = [pickle.PickleBuffer(bytearray(b"__main__" * 1000)) for _ in range(2)]
    (alone,) = BY_VALUE.dumps(list(buffers))
    assert b"cloudpickle" not in alone
    (frame,) = BY_VALUE.dumps([*buffers[:place], Local(), *buffers[place:]])
    assert b"cloudpickle" in frame


class Unwilling:
    """Has no attribute that its state needs, and counts who asks."""

    asked = 0

    def __reduce__(self) -> Any:
        return (Unwilling, (), {"state": 1})

    def __setstate__(self, state: Any) -> None:
        Unwilling.asked += 1
        raise AttributeError("no such attribute")


def test_a_pickle_that_names_nothing_that_moved_is_not_tried_again() -> None:
    codec = Codec(5, False)
    (pickle,) = codec.dumps([Unwilling()])
    values = codec.loads_each([codec.dumps(1)[0], pickle])
    assert next(values) == 1
    with pytest.raises(CodecError, match="no such attribute"):
        next(values)
    assert Unwilling.asked == 1
