"""Values as bytes, and whom to blame when that fails."""

from __future__ import annotations

import pickle
import sys
import threading
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
        for frame in (codec.dumps(5), codec.dumps([5]), codec.dumps_call((5,), {})):
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
        (([Stubborn()],), {}, r"args\[0\] of type list"),
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
            PLAIN.loads(garbage)


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 20):
        deep = [deep]
    with pytest.raises(CodecError, match="RecursionError"):
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
