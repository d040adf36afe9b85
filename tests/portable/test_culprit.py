"""The path of what can't cross."""

from __future__ import annotations

import importlib
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.portable.samples import Frozen, Node, Plain, Point
from worker_entry.codec import Codec, CodecError

PLAIN = Codec(5, False)
BY_VALUE = Codec(5, True)
DATA = Codec(5, False, data_only=True)
LOCK = threading.Lock()


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Hiding:
    """Leaves out of its pickle what can't be pickled."""

    def __init__(self) -> None:
        self.lock = LOCK

    def __getstate__(self) -> Any:
        return {}


def objects(*items: Any) -> Any:
    array = np.empty(len(items), object)
    array[:] = items
    return array


SHAPES = [
    (lambda x: [1, {"model": x}], "[1]['model']"),
    (lambda x: (Plain(Node("a", [x])),), "[0].value.children[0]"),
    (lambda x: {"a": Point(1, x)}, "['a'].y"),
    (lambda x: [Frozen((x,))], "[0].value[0]"),
    (lambda x: [Slotted(x)], "[0].inner"),
    (lambda x: [objects(1, [x])], "[0][1][0]"),
    (lambda x: [ValueError("a", x)], "[0].args[1]"),
    (lambda x: [Hiding(), x], "[1]"),
]


@pytest.mark.parametrize("codec", [PLAIN, BY_VALUE])
@pytest.mark.parametrize(("make", "path"), SHAPES, ids=[path for _, path in SHAPES])
def test_the_part_that_cannot_be_pickled_is_named(make: Any, path: str, codec: Codec) -> None:
    with pytest.raises(CodecError) as caught:
        codec.dumps_call((1, make(LOCK)), {})
    assert f"args[1]{path} of type _thread.lock can't be pickled" in str(caught.value)
    with pytest.raises(CodecError) as caught:
        codec.dumps_call((), {"model": make(LOCK)})
    assert f"kwargs['model']{path} of type" in str(caught.value)
    with pytest.raises(CodecError) as caught:
        codec.dumps(make(LOCK), "result")
    assert f"result{path} of type _thread.lock" in str(caught.value)


def test_what_cannot_be_pickled_as_a_whole_is_named_itself() -> None:
    with pytest.raises(CodecError, match=r"args\[0\] of type _thread.lock can't be pickled"):
        PLAIN.dumps_call((LOCK,), {})


@pytest.fixture
def elsewhere() -> Iterator[Any]:
    """A module that the sender has, and the receiver not."""
    module = types.ModuleType("only_there")
    exec("class Net:\n    pass\ndef make(x): return x\n", module.__dict__)
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


@pytest.mark.parametrize("codec", [PLAIN, Codec(4, False), BY_VALUE])
@pytest.mark.parametrize(("make", "path"), SHAPES, ids=[path for _, path in SHAPES])
def test_the_part_that_cannot_be_rebuilt_is_named(
    make: Any, path: str, codec: Codec, elsewhere: Any
) -> None:
    frames = codec.dumps_call((1, make(elsewhere.Net())), {"k": 1})
    del sys.modules["only_there"]
    with pytest.raises(CodecError) as caught:
        codec.loads(frames, ("args", "kwargs"))
    text = str(caught.value)
    # What a class makes of its arguments, only the class knows.
    path = path.replace(".y", "[1]").replace("ValueError", "")
    if ".args" not in path:
        assert f"args[1]{path}: only_there.Net can't be imported in this process" in text
    assert "put its module there, or pass plain data" in text


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = PLAIN.dumps({"table": [np.arange(3)]})
    monkeypatch.setitem(sys.modules, "worker_entry.portable.arrays", None)
    with pytest.raises(CodecError, match=r"result\['table'\]\[0\]: ModuleNotFoundError"):
        PLAIN.loads(frames, "result")


@pytest.mark.parametrize(
    ("build", "part", "path"),
    [
        ("errors:build_error", ("NoSuchError", (), None, (None, None, False)), r"[1]['x']"),
        ("standard:build_zone", ("No/Where",), r"[1]['x']"),
        ("dtypes:build_dtype", ("not a dtype",), r"[1]['x']"),
        ("arrays:build_items", (["a", [np.ones(3)]], "O", (7,), "C"), r"[1]['x']"),
        ("arrays:build_array", (np.ones(100_000, "u1"), "f8", (3,), "C"), r"[1]['x']"),
    ],
)
def test_what_our_own_code_cannot_make_here_is_named(build: str, part: Any, path: str) -> None:
    class Unmade:
        def __reduce__(self) -> Any:
            module, name = build.split(":")
            return getattr(importlib.import_module(f"worker_entry.portable.{module}"), name), part

    frames = PLAIN.dumps([np.arange(3), {"y": [Path("a")], "x": Unmade()}])
    with pytest.raises(CodecError) as caught:
        PLAIN.loads(frames, "args")
    assert str(caught.value).startswith(f"args{path}: "), caught.value


def test_what_users_wrote_is_not_called_again_to_name_what_failed() -> None:
    calls: list[Any] = []

    class Once:
        def __reduce__(self) -> Any:
            return note, (1,)

    def note(value: Any) -> None:
        calls.append(value)
        raise ValueError("no")

    sys.modules["noting"] = types.ModuleType("noting")
    sys.modules["noting"].note = note  # type: ignore[attr-defined]
    note.__module__, note.__qualname__ = "noting", "note"
    try:
        with pytest.raises(CodecError, match=r"^ValueError: no$"):
            PLAIN.loads(PLAIN.dumps([Once(), np.ones(2)]))
    finally:
        del sys.modules["noting"]
    assert calls == [1]


def test_a_class_itself_and_large_arrays_beside_it_are_named(elsewhere: Any) -> None:
    frames = PLAIN.dumps([np.zeros(100_000), {"cls": elsewhere.Net}])
    assert len(frames) == 2
    del sys.modules["only_there"]
    with pytest.raises(CodecError, match=r"result\[1\]\['cls'\]: only_there.Net"):
        PLAIN.loads(frames, "result")


def test_what_is_no_data_is_named() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("called",)

    with pytest.raises(CodecError, match=r"result\['x'\]\[0\]: builtins.print is not among"):
        DATA.loads(PLAIN.dumps({"x": [Evil()]}), "result")
    with pytest.raises(CodecError, match=r"result\[0\]: .*samples.Plain is not among"):
        DATA.loads(PLAIN.dumps([Plain(1)]), "result")
    hostile = PLAIN.dumps([Plain(1)])[0][:-1] + b"Nr\xff\xff\xff\x7f."
    with pytest.raises(CodecError, match="an object of a class that is not among"):
        DATA.loads([hostile])


def test_looking_for_the_culprit_calls_nothing(
    elsewhere: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loud:
        def __reduce__(self) -> Any:
            return print, ("called",)

    frames = PLAIN.dumps([elsewhere.Net(), Loud()])
    del sys.modules["only_there"]
    with pytest.raises(CodecError, match=r"value\[0\]: only_there.Net"):
        PLAIN.loads(frames)
    assert capsys.readouterr().out == ""


def test_recursive_values_come_to_an_end(elsewhere: Any) -> None:
    ring: list[Any] = [LOCK]
    ring.append(ring)
    with pytest.raises(CodecError, match=r"value\[0\] of type _thread.lock"):
        PLAIN.dumps(ring)
    ring[0] = elsewhere.Net()
    frames = PLAIN.dumps(ring)
    del sys.modules["only_there"]
    with pytest.raises(CodecError, match=r"value\[0\]: only_there.Net"):
        PLAIN.loads(frames)


# -- what lies in itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [Codec(5, True), Codec(5, False), Codec(4, False)])
def test_an_array_that_lies_in_itself_is_named(codec: Codec) -> None:
    array, other = np.empty(3, object), np.empty(2, object)
    array[1] = array
    with pytest.raises(CodecError, match=r"args\[1\]\['a'\]\[0\]\[1\] is the ndarray that it lies"):
        codec.dumps_call((1, {"a": [array]}), {})
    array[1], other[0] = (5, other), array
    with pytest.raises(CodecError, match=r"result\[1\]\[1\]\[0\] is the ndarray that it lies"):
        codec.dumps(array, "result")


def test_what_is_nested_too_deep_is_not_taken_for_a_ring() -> None:
    deep: Any = ()
    for _ in range(100_000):
        deep = (deep,)
    with pytest.raises(CodecError, match=r"args\[0\] is nested too deep"):
        Codec(5, False).dumps_call((deep,), {})


def test_rings_of_lists_beside_what_is_too_deep_are_no_culprits() -> None:
    ring: list[Any] = []
    ring.append((ring, {"k": ring}))
    deep: Any = ()
    for _ in range(100_000):
        deep = (deep,)
    with pytest.raises(CodecError, match=r"args\[0\] is nested too deep"):
        Codec(5, False).dumps_call(([ring, deep],), {})
