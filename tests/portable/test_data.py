"""What a hostile worker may send, and what comes of it: data, or an error."""

from __future__ import annotations

import collections
import copyreg
import functools
import io
import os
import pickle
import pickletools
import random
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portable import samples
from tests.portable.test_values import crossed
from worker_entry.codec import Codec, CodecError
from worker_entry.portable import budget, opcodes, registry

FULL = Codec(5, False)
DATA = Codec(5, False, data_only=True)
#: Samples that are portable, but no data.
NO_DATA = {
    *("users_own", "patterns", "functions", "errors", "objects"),
    *("arrow_tables", "polars_frames", "arrow_columns"),
}


def rebuilt(*frames: bytes) -> Any:
    return DATA.loads(list(frames))


def refused(*frames: bytes) -> str:
    with pytest.raises(CodecError) as caught:
        rebuilt(*frames)
    return str(caught.value)


def calling(module: str, name: str, *args: Any) -> bytes:
    """Return a pickle that calls a function."""
    arguments = pickle.dumps(args, 4)[2:-1]
    return b"\x80\x04" + _text(module) + _text(name) + b"\x93" + arguments + b"R."


def _text(text: str) -> bytes:
    return b"\x8c" + bytes((len(text),)) + text.encode()


@pytest.fixture
def proof(tmp_path: Path) -> Any:
    """A file that only code of the worker would make."""
    path = tmp_path / "was here"
    yield path
    assert not path.exists(), "code of the worker ran in the host"


# -- data is rebuilt -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(samples.names()) - NO_DATA))
def test_the_portable_types_are_data(name: str) -> None:
    for codec in (FULL, Codec(4, False), Codec(5, True)):
        frames = [bytes(frame) for frame in codec.dumps(samples.make(name))]
        samples.check(name, DATA.loads(frames))


def test_exceptions_of_python_are_data_with_their_causes() -> None:
    error = ValueError("a")
    error.__cause__ = KeyError("b")
    found = rebuilt(*FULL.dumps(error))
    assert samples.difference(error, found) is None


def test_many_pairs_and_large_values_are_data() -> None:
    for value in (
        {(i, str(i)): (i, (i,)) for i in range(5000)},
        [(i, float(i)) for i in range(20_000)],
        list(range(300_000)),
        "x" * 10**6,
        2**100_000,
    ):
        assert rebuilt(*FULL.dumps(value)) == value


def test_recursive_containers_are_data() -> None:
    ring: list[Any] = [1]
    ring.append((ring, {"k": ring}))
    found = rebuilt(*FULL.dumps(ring))
    assert found[1][0] is found
    assert found[1][1]["k"] is found


@pytest.mark.parametrize("value", [samples.Color.RED, samples.Point(1, 2), samples.Node("a"),
                                   samples.Frozen(1), samples.Plain(1), samples.SlottedError("x")],
                         ids=lambda value: type(value).__name__)  # fmt: skip
def test_classes_of_users_are_no_data(value: Any) -> None:
    assert "data" in refused(*FULL.dumps([{"deep": value}]))


# -- names -----------------------------------------------------------------------------------------

NAMES = [
    ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"),
    ("builtins", "eval"), ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "__import__"),
    ("builtins", "open"), ("builtins", "compile"), ("builtins", "setattr"), ("builtins", "type"),
    ("builtins", "object"), ("builtins", "bytes"), ("builtins", "list"), ("builtins", "map"),
    ("builtins", "print"), ("builtins", "ValueError"), ("builtins", "breakpoint"),
    ("functools", "partial"), ("functools", "reduce"), ("operator", "attrgetter"),
    ("operator", "methodcaller"), ("itertools", "repeat"), ("importlib", "import_module"),
    ("copyreg", "_reconstructor"), ("copyreg", "__newobj__"), ("copyreg", "pickle"),
    ("pickle", "loads"), ("_pickle", "loads"), ("marshal", "loads"), ("types", "CodeType"),
    ("types", "FunctionType"), ("codecs", "decode"), ("codecs", "open"), ("ctypes", "CDLL"),
    ("pathlib", "PosixPath"), ("pathlib", "Path.write_text"), ("shutil", "rmtree"),
    ("socket", "socket"), ("webbrowser", "open"), ("timeit", "timeit"), ("code", "interact"),
    ("pdb", "run"), ("runpy", "run_path"), ("site", "main"), ("sys", "exit"), ("os", "_exit"),
    ("numpy", "load"), ("numpy", "memmap"), ("numpy", "fromfile"), ("numpy", "ndarray"),
    ("numpy", "frompyfunc"), ("numpy.core.multiarray", "_reconstruct"), ("numpy", "dtype"),
    ("numpy._core.multiarray", "scalar"), ("numpy.f2py", "compile"), ("numpy.testing", "runstring"),
    ("pandas", "eval"), ("pandas", "read_pickle"), ("pandas.core.computation.eval", "eval"),
    ("pandas._libs.internals", "_unpickle_block"), ("pandas", "DataFrame"),
    ("torch", "load"), ("torch.storage", "_load_from_bytes"), ("torch._utils", "_rebuild_tensor"),
    ("PIL.Image", "open"), ("PIL.Image", "Image"), ("pyarrow", "py_buffer"),
    ("cloudpickle", "loads"), ("cloudpickle.cloudpickle", "_make_function"),
    ("worker_entry.codec", "Codec"), ("worker_entry.portable.mapped", "build_memmap"),
    ("worker_entry.portable.arrays", "np.load"), ("worker_entry.portable.arrays", "build_ufunc"),
    ("worker_entry.portable.tables", "build_arrow"),
    ("worker_entry.portable.tables", "build_polars"), ("worker_entry.portable.registry", "load"),
    ("worker_entry.portable.registry", "importlib.import_module"),
    ("worker_entry.portable.standard", "importlib.import_module"),
    ("worker_entry.portable.standard", "build_path.__globals__"),
    ("worker_entry.portable.standard.build_path", "__call__"), ("worker_entry.portable.", "x"),
    ("worker_entry.portable.data", "loads"), ("datetime", "datetime.strptime"),
    ("datetime", "sys.modules"), ("decimal", "Decimal.__class__"), ("collections", "abc"),
    ("collections", "_sys.modules"), ("collections", "namedtuple"), ("collections", "UserDict"),
    ("antigravity", "geohash"), ("no_such_module", "x"), ("", ""), ("__main__", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), NAMES, ids=".".join)
def test_no_other_name_is_looked_up_and_nothing_imported(
    module: str, name: str, proof: Path
) -> None:
    before = set(sys.modules)
    for argument in (f"touch {proof}", f"open({str(proof)!r}, 'w')", str(proof)):
        text = refused(calling(module, name, argument))
        assert "is not among the types that are data" in text
    ours = {"worker_entry.portable.allowed", "worker_entry.culprit", "worker_entry.ghosts"}
    assert set(sys.modules) - before <= ours


def test_hostile_calls_deep_inside_are_refused_as_well(proof: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {proof}",)

    holder = np.empty(2, object)
    holder[0] = Evil()
    import pandas as pd

    for value in (Evil(), [Evil()], {"a": (Evil(),)}, {Evil(): 1}, holder, pd.Series([Evil()]),
                  pd.DataFrame({"a": [1, Evil()]}), np.ma.masked_array(holder, [True, False]),
                  Exception(Evil()), functools.partial(os.system, f"touch {proof}")):  # fmt: skip
        refused(*FULL.dumps(value))


# -- opcodes ---------------------------------------------------------------------------------------

HOSTILE = {
    "GLOBAL": b"cos\nsystem\n(S'true'\ntR.",
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "NEWOBJ": b"\x80\x04" + _text("datetime") + _text("date") + b"\x93)\x81.",
    "NEWOBJ_EX": b"\x80\x04" + _text("datetime") + _text("date") + b"\x93)}\x92.",
    "BUILD on an instance": b"\x80\x04]}b.",
    "BUILD on a function": b"\x80\x04" + _text("worker_entry.portable.standard")
    + _text("build_path") + b"\x93N}" + _text("__defaults__") + b"Ns\x86b.",
    "PERSID": b"Pname\n.",
    "BINPERSID": b"\x80\x04NQ.",
    "EXT1": b"\x80\x04\x82\x05.",
    "EXT2": b"\x80\x04\x83\x05\x00.",
    "EXT4": b"\x80\x04\x84\x05\x00\x00\x00.",
    "a huge PUT": b"\x80\x04Nr\xff\xff\xff\x7f.",
    "a text PUT": b"\x80\x04Np9999999999\n.",
    "a text INT": b"I" + b"9" * 100 + b"\n.",
    "a huge string": b"\x80\x04X\xff\xff\xff\xff.",
    "huge bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "a huge bytearray": b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
    "a negative LONG4": b"\x80\x04\x8b\xff\xff\xff\xff.",
    "no STOP": b"\x80\x04N",
    "nothing": b"",
    "nothing on the stack": b"\x80\x04.",
    "no mark": b"\x80\x04Nt.",
    "a memo that is not there": b"\x80\x04h\x05.",
    "a buffer that is not there": b"\x80\x05\x97.",
    "an unknown protocol": b"\x80\xffN.",
}  # fmt: skip


@pytest.mark.parametrize("pickled", HOSTILE.values(), ids=list(HOSTILE))
def test_opcodes_that_do_more_than_hold_data_are_refused(pickled: bytes) -> None:
    refused(pickled)


def _frame(length: int) -> bytes:
    return b"\x95" + length.to_bytes(8, "little")


def _hidden(pickled: bytes) -> bytes:
    """Return what is a number and bytes, but that the unpickler in C begins within these bytes:
    it takes four bytes behind the frame for the number, whose first one it has dropped.
    """
    length = b"\x8c\x02\x02\x00"  # a text of two characters to who has passed over the `B`
    padded = pickled.ljust(int.from_bytes(length, "little"), b".")
    return _frame(2) + b"J\x01" + b"\x01\x01\x01" + b"B" + length + padded + b"."


FRAMES = {
    "in a number": _frame(3) + b"J\x01\x01" + b"\x01\x01K].",
    "in bytes": _frame(3) + b"C\x05a" + b"bcdeN.",
    "in a text": _frame(4) + b"\x8c\x05ab" + b"cdeN.",
    "in a length": _frame(2) + b"X\x01" + b"\0\0\0NN.",
    "in a frame": _frame(12) + _frame(1) + b"NNN.",
    "across a frame": _frame(10) + _frame(5) + b"NNNNNN.",
    "behind the end": _frame(5) + b"NN.",
    "huge": _frame(2**64 - 1) + b"NN.",
    "without its length": b"\x95\x01\x00.",
    "with deep tuples": _hidden(b"})" + b"\x85" * 100_000 + b"Ns."),
    **{f"with {name}": _hidden(pickled) for name, pickled in HOSTILE.items()},
}


@pytest.mark.parametrize("pickled", FRAMES.values(), ids=list(FRAMES))
def test_frames_that_end_within_an_opcode_hide_no_other_ones(pickled: bytes) -> None:
    assert "are no data" in refused(b"\x80\x05" + pickled)


def test_frames_that_end_where_an_opcode_does_are_data() -> None:
    assert rebuilt(b"\x80\x05" + _frame(1) + b"](" + _frame(2) + b"NN" + _frame(0) + b"e.") == [
        None,
        None,
    ]
    for size in (0, 10, 65_535, 65_536, 200_000):
        value = [b"x" * size, "y" * size, list(range(size // 10)), bytearray(size)]
        assert rebuilt(FULL.dumps_whole(value)) == value


def test_the_extension_registry_gives_nothing_away(proof: Path) -> None:
    copyreg.add_extension("os", "system", 0x7654)
    try:
        pickle.loads(b"\x80\x04\x83\x54\x76.")  # now it is in the cache that knows no find_class
        assert "opcode" in refused(b"\x80\x04\x83\x54\x76" + _text(f"touch {proof}") + b"\x85R.")
    finally:
        copyreg.remove_extension("os", "system", 0x7654)
        copyreg.clear_extension_cache()


@pytest.mark.parametrize("count", [opcodes.MAX_DEPTH + 1, 200_000])
def test_tuples_nested_too_deep_to_be_hashed_are_refused(count: int) -> None:
    once = b"\x80\x04}" + b"\x29" + b"\x85" * count + b"Ns."
    assert "nested" in refused(once)
    through_memo = b"\x80\x04})" + b"\x94\x85" * 255 + b"h\xfe" + b"\x85" * count + b"Ns."
    assert "nested" in refused(through_memo)
    marked = b"\x80\x04}" + b"(" * count + b"N" + b"t" * count + b"Ns."
    assert "nested" in refused(marked)
    called = b"\x80\x04}" + _text("collections") + _text("deque") + b"\x93" + b")" + b"\x85" * count
    refused(called + b"RNs.")


def test_tuples_as_deep_as_allowed_are_data() -> None:
    value: Any = ()
    for _ in range(opcodes.MAX_DEPTH - 1):
        value = (value,)
    assert rebuilt(*FULL.dumps({value: 1})) == {value: 1}


# -- parts that make no sense ----------------------------------------------------------------------

A = "worker_entry.portable."
HUGE = ("struct", (("o", "|O", 0, None), ("t", "|S1000000000", 8, None)), 10**9 + 8, False, False)
BOMBS = [
    (A + "arrays", "build_array", b"", "<f8", (10**12,), "C"),
    (A + "arrays", "build_array", b"1234", "<f8", (2,), "C"),
    (A + "arrays", "build_array", b"12345678", "<f8", (-1, -1), "C"),
    (A + "arrays", "build_array", b"12345678", "|O", (1,), "C"),
    (
        A + "arrays",
        "build_array",
        b"12345678",
        ("struct", (("o", "|O", 0, None),), 8, False, False),
        (1,),
        "C",
    ),
    (
        A + "arrays",
        "build_array",
        b"x" * 8,
        ("struct", (("a", "<f8", 4, None),), 8, False, False),
        (1,),
        "C",
    ),
    (A + "arrays", "build_array", b"x" * 8, ("sub", "<f8", (10**9, 10**9)), (1,), "C"),
    (A + "arrays", "build_array", b"x" * 8, "f8,O", (1,), "C"),
    (A + "arrays", "build_array", 5, "<f8", (1,), "C"),
    (A + "arrays", "build_items", [1], "|O", (10**12,), "C"),
    (A + "arrays", "build_items", [b""] * 9, "|S1000000000", (9,), "C"),
    (A + "arrays", "build_items", [0] * 9, ("sub", "|O", (10**9,)), (9,), "C"),
    (A + "arrays", "build_structure", [1], HUGE, (1,), "C"),
    (A + "arrays", "build_structure", [], HUGE, (1,), "C"),
    (A + "arrays", "build_structure", [1, 2], "<f8", (1,), "C"),
    (A + "arrays", "build_items", [(1, b"")] * 9, HUGE, (9,), "C"),
    (A + "standard", "build_memoryview", b"x" * 8, "d", (2,)),
    (A + "standard", "build_memoryview", b"x" * 8, "P", (1,)),
    (A + "indexes", "build_range", 0, 10**10, 1, None),
    ("builtins", "range", 10**10),
    (A + "arrays", "build_scalar", "|V", 10**12),
    (A + "arrays", "build_scalar", "|S", 10**12),
    (A + "arrays", "build_scalar", "<f8", [1]),
    (A + "arrays", "build_view", "memmap", b""),
    (A + "dtypes", "build_dtype", "O,O"),
    (A + "dtypes", "build_dtype", "(9,9)f8"),
    (A + "dtypes", "build_dtype", ("of", "os", "system")),
    (A + "dtypes", "build_dtype", ("nothing",)),
    (A + "generators", "build_bit_generator", {"bit_generator": "default_rng", "state": {}}, None),
    (A + "generators", "build_bit_generator", {"bit_generator": "PCG64", "state": "x"}, None),
    (
        A + "generators",
        "build_seed_sequence",
        {"entropy": 1, "spawn_key": (), "pool_size": 10**12, "n_children_spawned": 0},
    ),
    (A + "standard", "build_path", "os", "x"),
    (A + "standard", "build_zone", "../../../etc/passwd"),
    (A + "standard", "build_fraction", "1e1000000000", 1),
    (A + "standard", "build_default_dict", "eval"),
    (A + "standard", "build_pattern", 5, 0),
    (A + "errors", "build_error", "eval", ("1",), None, (None, None, False)),
    (A + "errors", "build_error", "ValueError", (), None, (1, 2, 3)),
    *(
        (A + "errors", "build_error", "UnicodeDecodeError", args, state, (None, None, False))
        for args, state in (
            (("utf-8", b"x", -(10**15), 1 - 10**15, "r"), None),
            (("utf-8", b"x", 0, 1, "r"), {"start": -(10**15), "end": 1 - 10**15}),
            (("utf-8", b"x", 0, 1, "r"), {"object": 5}),
        )
    ),
    (A + "indexes", "build_multi", [[1]], [[10**6]], [None], None),
    (
        A + "frames",
        "build_series",
        5,
        range(10**10),
        None,
        {"chosen": True, "attrs": {}, "unique": False},
    ),
    (A + "frames", "build_frame", [(None, 5)], range(10**10), range(5), {"chosen": True}),
    (A + "columns", "build_array", "masked", "eval", 1, 2),
    (A + "columns", "build_array", "nothing"),
    (A + "columns", "build_array", "sparse", b"", b"", 10**18, 0),
    (A + "moments", "build_pandas_dtype", "named", "x[pyarrow]"),
    (A + "moments", "build_pandas_dtype", "named", "eval"),
    (A + "moments", "build_pandas_dtype", "datetime", "datetime64[ns, dateutil//etc/passwd]", None),
    (A + "registry", "build_registered", "os:system", "true"),
    ("builtins", "range", "x"),
    ("builtins", "slice", ((),)),
    ("builtins", "bytearray", 10**12),
    ("builtins", "complex", "1"),
    ("collections", "Counter", 5),
    ("collections", "deque", 5),
    ("decimal", "Decimal", ("x",)),
    ("datetime", "datetime", b"xxxxxxxxxx"),
    ("datetime", "datetime", b"\0\0\1\0\0\0\0\0\0\0"),
    ("datetime", "date", b"\0\0\1\0"),
    ("datetime", "time", b"\1\xff\xff\xff\xff\xff"),
]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: f"{bomb[1]} {bomb[2:]}"[:60])
def test_parts_that_make_no_sense_are_errors_before_they_cost_memory(bomb: Any) -> None:
    refused(calling(*bomb))


def test_a_generator_never_reads_beyond_its_buffer() -> None:
    for generator, name in (
        (np.random.Generator(np.random.MT19937(1)), "pos"),
        (np.random.Generator(np.random.Philox(1)), "buffer_pos"),
    ):
        state: Any = generator.bit_generator.state
        inner = state["state"] if name in state["state"] else state
        for position in (-1, 625, 10**6):
            inner[name] = position
            from worker_entry.portable.generators import build_bit_generator

            with pytest.raises(ValueError, match="outside"):
                build_bit_generator(state, None)


def plain(value: Any) -> bytes:
    """Return the opcodes that put data on the stack, and use no memo."""
    pickled = pickletools.optimize(pickle.dumps(value, 4))[2:-1]
    return pickled[9:] if pickled[:1] == b"\x95" else pickled


def nested_arrays(count: int, opening: bytes, closing: bytes, name: str) -> bytes:
    """Return a pickle of arrays of objects, each in the next."""
    build = _text(A + "arrays") + _text(name) + b"\x93\x940"
    return b"\x80\x04" + build + (b"h\0" + opening) * count + b"N" + closing * count + b"."


ITEMS = (b"(](", b"e" + plain("|O") + b")" + _text("C") + b"tR", "build_items")
STRUCT = ("struct", (("a", "|O", 0, None),), 8, False, False)
FIELDS = (
    b"(](" + _text(A + "arrays") + _text("build_items") + b"\x93(](",
    b"e"
    + plain("|O")
    + b")"
    + _text("C")
    + b"tR"
    + b"e"
    + plain(STRUCT)
    + b")"
    + _text("C")
    + b"tR",
    "build_structure",
)


@pytest.mark.parametrize(("count", "parts"), [(20_000, ITEMS), (2000, FIELDS)])
def test_arrays_nested_too_deep_to_be_freed_are_refused(count: int, parts: Any) -> None:
    assert "nested more than 100" in refused(nested_arrays(count, *parts))
    assert "nested more than 100" in refused(nested_arrays(count, *parts)[:-1] + b"0N.")
    assert rebuilt(nested_arrays(40, *parts)).dtype.hasobject


# -- memory that no bytes came for -----------------------------------------------------------------


def assigned(target: bytes, *more: bytes) -> bytes:
    """Return a pickle that puts a target on the stack, remembers it, and goes on."""
    return b"\x80\x05" + target + b"\x94" + b"".join(more) + b"."


def named(module: str, name: str, *arguments: bytes) -> bytes:
    return _text(module) + _text(name) + b"\x93(" + b"".join(arguments) + b"tR"


WHOLE = named("builtins", "slice", b"K\0", b"K\0")
ARRAY = named(A + "arrays", "build_array", b"C\x02ab", _text("|u1"), b"K\2\x85", _text("C"))
FRAME = named(A + "frames", "build_frame", b"](NK\1\x85" + b"\x86e")


@pytest.mark.parametrize(
    "pickled",
    [
        assigned(b"](K\1K\2e", *[WHOLE + b"h\0s"] * 60),  # twice as long each time
        assigned(b"\x96\x02" + bytes(7) + b"ab", *[WHOLE + b"h\0s"] * 60),
        assigned(
            named(A + "standard", "build_array", _text("b"), b"C\1a"), *[WHOLE + b"h\0s"] * 60
        ),
        assigned(b"](K\1e", b"(", *[WHOLE + b"h\0"] * 60, b"u"),
        assigned(ARRAY, b"K\0K\1s"),
        assigned(ARRAY, b"(K\0K\1u"),
        assigned(ARRAY, b"K\1a"),
        assigned(ARRAY, b"(K\1e"),
        assigned(ARRAY, b"(K\1\x90"),
        assigned(b"\x8f", b"(K\1" + ARRAY + b"K\1\x90"),
    ],
)
def test_nothing_is_assigned_to_but_containers(pickled: bytes) -> None:
    refused(pickled)


@pytest.mark.parametrize(
    "name",
    [("builtins", "frozenset"), ("collections", "deque"), (A + "arrays", "build_items")],
    ids=lambda name: name[1],
)
def test_a_part_that_is_copied_again_and_again_is_too_much(
    name: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "SLACK", 1 << 20)
    large = b"](" + b"N" * 10_000 + b"e\x94"
    more = plain(("|O", (10_000,), "C"))[:-1] if name[1] == "build_items" else b""
    function = _text(name[0]) + _text(name[1]) + b"\x93\x94"
    call = b"h\1(h\0" + more + b"tR"
    assert "times as much" in refused(b"\x80\x04" + large + function + b"](" + call * 300 + b"e.")
    assert len(rebuilt(b"\x80\x04" + large + function + b"](" + call * 3 + b"e.")) == 3


def test_containers_of_what_can_be_assigned_to_are_still_filled() -> None:
    array = np.arange(3)
    queue = rebuilt(*FULL.dumps(collections.deque([array])))
    assert samples.difference([array], list(queue)) is None
    ordered = collections.OrderedDict(a=array)
    default = collections.defaultdict(list, a=[array])
    for made in ({"a": array}, [array, array], {"x": {"y": [array]}}, ordered, default):
        assert samples.difference(made, rebuilt(*FULL.dumps(made))) is None
    assert rebuilt(*FULL.dumps([{1, 2}, array]))[0] == {1, 2}


def test_memory_that_a_worker_shares_is_copied_before_it_is_checked() -> None:
    shared = bytearray(np.arange(3.0).tobytes())
    pickled = FULL._pickling.dumps(np.arange(3.0), 1)[0]
    from worker_entry.portable import data

    array = data.loads(pickled, [memoryview(shared)])
    shared[:] = bytes(len(shared))
    assert array.tolist() == [0.0, 1.0, 2.0]


def test_a_memory_mapped_array_is_no_data(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 100)
    assert "a memory-mapped array, unlike numpy.asarray() of it, is not among" in refused(
        *FULL.dumps(np.memmap(secret, "u1", "r"))
    )


def test_an_exception_of_a_user_is_no_data() -> None:
    error = samples.PairError("name", code=3)
    assert "an exception of another type than Python's own is not among" in refused(
        *FULL.dumps(error)
    )


def test_what_was_registered_in_the_host_is_data() -> None:
    frame = calling(A + "registry", "build_registered", f"{__name__}:make", 5)
    assert "was not registered" in refused(frame)
    registry.add(registry.Registration("tests:Thing", lambda value: (), f"{__name__}:make"))
    try:
        assert rebuilt(frame) == ("made", 5)
    finally:
        registry._known.pop("tests:Thing")


def make(*parts: Any) -> Any:
    return ("made", *parts)


# -- any bytes -------------------------------------------------------------------------------------


def _seeds() -> list[list[bytes]]:
    names = sorted(set(samples.names()) - NO_DATA - {"large_arrays", "large_frames", "frames"})
    return [[bytes(frame) for frame in FULL.dumps(samples.make(name))] for name in names]


SEEDS = _seeds()


def _try(frames: list[bytes]) -> None:
    try:
        value = DATA.loads(frames)
    except CodecError:
        return
    io.StringIO().write(repr(type(value)))


@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
@settings(suppress_health_check=list(HealthCheck))
@pytest.mark.filterwarnings("ignore")
def test_mutated_data_is_data_or_an_error(frames: list[bytes], dice: random.Random) -> None:
    frames = list(frames)
    place = dice.randrange(len(frames))
    changed = bytearray(frames[place])
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(changed) or 1)
        kind = dice.randrange(4)
        if kind == 0:
            changed[at : at + 1] = bytes((dice.randrange(256),))
        elif kind == 1:
            del changed[at : at + dice.randint(1, 9)]
        elif kind == 2:
            changed[at:at] = changed[dice.randrange(len(changed) or 1) :][: dice.randint(1, 30)]
        else:
            changed[at : at + 4] = struct.pack("<I", dice.choice([0, 1, 2**31 - 1, 2**32 - 1]))
    frames[place] = bytes(changed)
    _try(frames)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_any_bytes_are_data_or_an_error(frames: list[bytes]) -> None:
    _try([b"\x80\x05" + frames[0], *frames[1:]])


def test_what_crosses_with_full_trust_is_not_touched() -> None:
    assert crossed(samples.Plain(1), FULL) == samples.Plain(1)
