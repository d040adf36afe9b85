"""One of every kind of value that crosses, for any Python and whatever libraries it has.

Run by the workers, too: syntax of Python 3.7, and nothing but the standard library at import.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import re
import sys
import types
import uuid
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

#: Name -> libraries that it needs, with the least version, and what makes the value.
SAMPLES: dict[str, tuple[tuple[str, ...], Callable[[], Any]]] = {}


def sample(*needs: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        SAMPLES[make.__name__] = (needs, make)
        return make

    return register


def names() -> list[str]:
    """Return the samples that can be made here."""
    return [name for name, (needs, _) in SAMPLES.items() if all(map(_has, needs))]


def make(name: str) -> Any:
    return SAMPLES[name][1]()


def check(name: str, value: Any) -> Any:
    """Compare a value that came from elsewhere with one made here; return it."""
    expected = make(name)
    found = difference(expected, value)
    assert found is None, f"{name}: {found}"
    return value


def _has(need: str) -> bool:
    name, _, least = need.partition(">=")
    if name == "python":
        return sys.version_info >= tuple(map(int, least.split(".")))
    try:
        module = __import__(name)
    except ImportError:
        return False
    version = tuple(
        int(part) for part in re.findall(r"\d+", getattr(module, "__version__", "9"))[:2]
    )
    return version >= tuple(map(int, least.split("."))) if least else True


# -- the same? -------------------------------------------------------------------------------------


def difference(a: Any, b: Any, where: str = "") -> Any:
    """Return how two values differ; None if they don't."""
    if type(a) is not type(b) and not _same_numbers(a, b):
        return f"{where}: {type(b)} is not {type(a)}"
    library = type(a).__module__.partition(".")[0]
    compare = {
        "numpy": _numpy,
        "pandas": _pandas,
        "xarray": _xarray,
        "scipy": _scipy,
        "polars": _frames,
        "pyarrow": _frames,
        "PIL": _image,
        "torch": _torch,
    }.get(library)
    if compare is not None:
        return None if compare(a, b) else f"{where}: {b!r} is not {a!r}"
    if isinstance(a, BaseException):
        parts = [
            (e.args, e.__cause__, e.__context__, e.__suppress_context__, vars(e)) for e in (a, b)
        ]
        return difference(parts[0], parts[1], where + ".")
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return f"{where}: length {len(b)} is not {len(a)}"
        found = [difference(x, y, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b))]
        return next((text for text in found if text), None)
    if isinstance(a, dict):
        if set(a) != set(b):
            return f"{where}: other keys"
        found = [difference(a[key], b[key], f"{where}[{key!r}]") for key in a]
        return next((text for text in found if text), None)
    if a != a and b != b:
        return None
    return None if a == b else f"{where}: {b!r} is not {a!r}"


def _same_numbers(a: Any, b: Any) -> bool:
    """NumPy has two types for some sizes: `longlong` arrives as `int64`, which equals it."""
    if type(a).__module__ != "numpy" or not hasattr(a, "dtype") or not hasattr(b, "dtype"):
        return str(getattr(a, "str", "")) == str(getattr(b, "str", None)) and hasattr(a, "fields")
    return bool(a.dtype == b.dtype)


def _numpy(a: Any, b: Any) -> bool:  # noqa: C901
    import numpy as np

    if a is np.ma.masked:
        return b is np.ma.masked
    if isinstance(a, np.ma.MaskedArray):
        return bool(
            a.dtype == b.dtype
            and difference(np.ma.getdata(a), np.ma.getdata(b)) is None
            and (np.ma.getmaskarray(a) == np.ma.getmaskarray(b)).all()
            and difference(a.fill_value, b.fill_value) is None
            and a.hardmask == b.hardmask
        )
    if isinstance(a, np.ndarray):
        same = a.dtype == b.dtype and a.shape == b.shape
        same = same and a.dtype.byteorder == b.dtype.byteorder
        if not isinstance(a, np.memmap) and (a.flags.c_contiguous or a.flags.f_contiguous):
            same = same and a.flags.f_contiguous == b.flags.f_contiguous
            same = same and b.flags.writeable
        if a.dtype.hasobject or a.dtype.char == "T":
            return bool(same and difference(a.tolist(), b.tolist()) is None)
        if a.dtype.kind in "fc":  # a long double has bytes that mean nothing
            return bool(same and ((a == b) | (a != a)).all())
        return bool(same and a.tobytes() == b.tobytes())
    if isinstance(a, np.random.RandomState):
        return bool((a.random_sample(2000) == b.random_sample(2000)).all())
    if isinstance(a, np.random.Generator):
        same = (a.random(2000) == b.random(2000)).all()
        seeds = [getattr(g.bit_generator, "seed_seq", None) for g in (a, b)]
        return bool(same and difference(seeds[0], seeds[1]) is None)
    if isinstance(a, np.random.SeedSequence):
        return bool(a.state == b.state)
    if isinstance(a, np.void) and a.dtype.hasobject:
        return bool(a.dtype == b.dtype and difference(a.item(), b.item()) is None)
    if isinstance(a, np.void):
        return bool(a.tobytes() == b.tobytes() and a.dtype == b.dtype)
    return bool(a == b or a != a)


def _pandas(a: Any, b: Any) -> bool:
    import pandas as pd

    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_freq=False, check_index_type="equiv")
        return bool(a.attrs == b.attrs)
    if isinstance(a, pd.Series):
        pd.testing.assert_series_equal(a, b, check_freq=False)
        return bool(a.attrs == b.attrs)
    if isinstance(a, pd.Index):
        pd.testing.assert_index_equal(a, b)
        return bool(getattr(a, "freq", None) == getattr(b, "freq", None))
    if isinstance(a, pd.api.extensions.ExtensionArray):
        pd.testing.assert_series_equal(pd.Series(a), pd.Series(b))
        return True
    return a is b or bool(a == b)


def _xarray(a: Any, b: Any) -> bool:
    return bool(a.identical(b))


def _scipy(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and (a.toarray() == b.toarray()).all())


def _frames(a: Any, b: Any) -> bool:
    return bool(a.equals(b))


def _image(a: Any, b: Any) -> bool:
    same = (a.mode, a.size, a.tobytes(), a.info) == (b.mode, b.size, b.tobytes(), b.info)
    # How long a palette is depends on the version.
    return same and (a.mode != "P" or a.convert("RGBA").tobytes() == b.convert("RGBA").tobytes())


def _torch(a: Any, b: Any) -> bool:
    import torch

    if isinstance(a, torch.Tensor):
        return bool(a.dtype == b.dtype and torch.equal(a, b) and a.requires_grad == b.requires_grad)
    return bool(a == b)


# -- the standard library --------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    GREEN = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: float
    y: float


@dataclasses.dataclass
class Node:
    name: str
    children: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: Any


class Plain:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Plain) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


class SlottedError(Exception):
    def __init__(self, text: str, code: int = 3) -> None:
        super().__init__(text)
        self.code = code


class PairError(Exception):
    def __init__(self, name: str, *, code: int) -> None:
        super().__init__(f"{name} has {code}")
        self.name = name
        self.code = code


@sample()
def scalars() -> Any:
    return [
        None,
        True,
        0,
        -1,
        2**70,
        1.5,
        float("inf"),
        float("nan"),
        -0.0,
        1j,
        "é\ud800",
        b"\0x",
        bytearray(b"ab"),
        ...,
        NotImplemented,
    ]


@sample()
def containers() -> Any:
    return [
        (1, (2,)),
        [3, []],
        {"a": {1: None}},
        {1, 2},
        frozenset((3,)),
        range(1, 9, 2),
        slice(1, None),
        collections.OrderedDict(b=1, a=2),
        collections.deque([1, 2], 3),
        collections.Counter("aab"),
        collections.defaultdict(list, {1: [2]}),
        collections.defaultdict(None, {1: 2}),
        types.SimpleNamespace(a=1),
        array.array("d", [1.5, 2.5]),
    ]


@sample()
def memory() -> Any:
    return [
        memoryview(b"abc"),
        memoryview(b""),
        memoryview(bytearray(range(6)))[::2],
        memoryview(bytes(48)).cast("d", (2, 3)),
        memoryview(array.array("i", [1, -2]))[::-1],
        memoryview(bytes(100_000)),
    ]


@sample()
def paths() -> Any:
    return [
        pathlib.Path("/a/b.txt"),
        pathlib.Path(""),
        pathlib.Path("a") / "b",
        pathlib.PurePosixPath("/x"),
        pathlib.PureWindowsPath("C:/x/y"),
        pathlib.Path("/tmp/\udcff"),
    ]


@sample()
def moments() -> Any:
    zone = datetime.timezone(datetime.timedelta(hours=2), "two")
    return [
        datetime.date(2020, 2, 29),
        datetime.time(1, 2, 3, 4, tzinfo=zone),
        datetime.timedelta(1, 2, 3),
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
        datetime.datetime(2020, 1, 2, tzinfo=zone),
        datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
        datetime.datetime(2020, 10, 25, 2, 30, fold=1),
    ]


@sample("zoneinfo")
def zones() -> Any:
    import zoneinfo

    zone = zoneinfo.ZoneInfo("Europe/Paris")
    return [zone, datetime.datetime(2020, 7, 1, tzinfo=zone)]


@sample()
def numbers() -> Any:
    return [
        decimal.Decimal("1.50"),
        decimal.Decimal("NaN"),
        fractions.Fraction(-2, 6),
        uuid.UUID(int=7),
    ]


@sample()
def patterns() -> Any:
    return [re.compile("a+b", re.I | re.M), re.compile(b"x"), re.I | re.X]


@sample()
def users_own() -> Any:
    return [
        Color.RED,
        Color.GREEN,
        Access.READ,
        Access.READ | Access.WRITE,
        Point(1.0, 2.0),
        Node("a", [Node("b")]),
        Frozen((1, 2)),
        Plain({"a": [1]}),
        Plain([pathlib.Path("x"), Point(1.0, pathlib.Path("y"))]),
    ]


@sample()
def errors() -> Any:
    made: list[Any] = [
        ValueError("a", 1),
        OSError(2, "no", "file"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "y"),
    ]
    try:
        try:
            {}["key"]
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError as error:
        made.append(error)
    try:
        try:
            raise SlottedError("inner", 7)
        except SlottedError:
            raise SlottedError("while handling") from None
    except SlottedError as error:
        error.extra = pathlib.Path("x")  # type: ignore[attr-defined]
        made.append(error)
    made.append(FileNotFoundError("x"))
    made[-1].note = [1]
    return made


@sample("python>=3.11")
def error_groups() -> Any:
    import builtins

    group = builtins.ExceptionGroup("some", [ValueError(1), TypeError(2)])  # type: ignore[attr-defined]
    group.add_note("a note")
    return [group]


# -- NumPy -----------------------------------------------------------------------------------------


@sample("numpy")
def dtypes() -> Any:
    import numpy as np

    made = [np.dtype(code) for code in "?bBhHiIlLqQefdgFDGOSUVMm"]
    made += [
        np.dtype(code) for code in (">i4", "<f8", "S5", "U7", "V3", "M8[ns]", "m8[25s]", ">M8[D]")
    ]
    made += [
        np.dtype([("a", "i4"), ("b", ">f8", (2, 3)), ("c", [("d", "U3")])]),
        np.dtype([("a", "i1"), ("b", "f8")], align=True),
        np.dtype({"names": ["x", "y"], "formats": ["u1", "f4"], "offsets": [3, 8], "itemsize": 20}),
        np.dtype([(("title", "name"), "i2")]),
        np.dtype(("f4", (2, 2))),
        np.dtype([("o", "O"), ("n", "i8")]),
    ]
    return made


@sample("numpy")
def arrays() -> Any:
    import numpy as np

    made = [np.arange(12, dtype=code).reshape(3, 4) for code in "bBhHiIlLqQefdgFDG"]
    made += [np.array([True, False]), np.arange(5, dtype=">i4"), np.arange(4, dtype=">c16")]
    made += [np.array([b"a", b"bc"]), np.array(["é", "", "日本"]), np.array([b"\1\2"], "V2")]
    made += [
        np.array(["2020-01-01", "NaT"], "M8[ns]"),
        np.array([1, 2], "m8[25s]"),
        np.array(["2020"], ">M8[Y]"),
    ]
    made += [
        np.zeros((0, 3)),
        np.zeros((2, 0), ">f4"),
        np.array(5.0),
        np.array("text"),
        np.zeros(0, "O"),
    ]
    made += [np.array([], "U"), np.array(7, "M8[s]"), np.zeros((2, 3, 0, 4), order="F")]
    return made


@sample("numpy")
def layouts() -> Any:
    import numpy as np

    base = np.arange(120.0).reshape(4, 5, 6)
    locked = np.arange(3)
    locked.flags.writeable = False
    return [
        np.asfortranarray(base),
        base.T,
        base[::2, ::-1, 1:3],
        base.transpose(1, 0, 2),
        base[:, 0],
        np.broadcast_to(np.arange(3), (2, 3)),
        np.lib.stride_tricks.as_strided(np.arange(9), (3, 3), (8, 8)),
        np.asfortranarray(np.array([["2020", "2021"]] * 2, "M8[D]")),
        locked,
        np.asfortranarray(np.array([[1, "a"], [None, b"c"]], object)),
    ]


@sample("numpy")
def large_arrays() -> Any:
    import numpy as np

    made = [np.arange(100_000.0), np.asfortranarray(np.arange(60_000).reshape(200, 300))]
    made += [np.arange(100_000).astype("M8[s]"), np.arange(90_000, dtype=">f4")[::2]]
    made += [np.zeros(20_000, [("a", "i1"), ("b", "U5")]), np.full(50_000, "ab")]
    made[0].flags.writeable = False
    return made


@sample("numpy")
def objects() -> Any:
    import numpy as np

    nested = np.empty(4, object)
    nested[:] = [[1, 2], np.arange(3), None, {"a": pathlib.Path("x")}]
    zero = np.empty((), object)
    zero[()] = (1, 2)
    pairs = np.array([(1, "a"), (2, None)], [("n", "i4"), ("o", "O")])
    inner = [("n", "i4"), ("o", "O")]
    dtype = np.dtype([("t", "U20"), ("in", inner), ("two", inner, (2,))], align=True)
    deep = np.zeros((2, 3), dtype, "F")
    deep["in"]["o"], deep["t"], deep["two"]["n"][0, 1, 1] = "x", "é", 7
    more = [deep, deep[0, 1], pairs[0], pairs[:0], pairs.reshape(1, 2)[:, ::-1]]
    return [nested, zero, pairs, *more, np.array([[1, "x"], [2.5, Color.RED]], object)]


@sample("numpy")
def structures() -> Any:
    import numpy as np

    dtype = [("id", "i4"), ("at", "M8[s]"), ("grid", "f4", (2,)), ("in", [("x", "U2")])]
    plain = np.zeros(3, dtype)
    plain["id"] = 5
    return [
        plain,
        plain[0],
        plain.view(np.recarray),
        np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    ]


@sample("numpy")
def array_classes() -> Any:
    import numpy as np

    masked = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False], fill_value=-1)
    hard = np.ma.masked_array(np.asfortranarray(np.eye(3)), np.eye(3) > 0, hard_mask=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy would rather not have it
        matrix = np.matrix([[1, 2], [3, 4]])
    fields = np.ma.masked_array([(1, 2.0)], [(True, False)], dtype=[("a", "i4"), ("b", "f8")])
    return [
        masked,
        hard,
        fields,
        np.ma.masked_array(["a", "b"], fill_value="x"),
        np.ma.masked,
        matrix,
    ]


@sample("numpy")
def array_scalars() -> Any:
    import numpy as np

    made = [np.dtype(code).type(1) for code in "?bBhHiIlLqQefdgFDG"]
    made += [np.float64("nan"), np.float32(0.1), np.str_("é"), np.bytes_(b"x\0"), np.str_("")]
    made += [
        np.datetime64("2020-01-01T01:02:03.000000004"),
        np.timedelta64(3, "D"),
        np.datetime64("NaT"),
    ]
    return [*made, np.longdouble("1.1"), np.void(b"abc")]


@sample("numpy")
def functions() -> Any:
    import numpy as np

    return [np.sin, np.add, np.float32, np.ndarray, np.mean]


@sample("numpy>=1.18")
def generators() -> Any:
    import numpy as np

    seeds = np.random.SeedSequence(5, spawn_key=(1,))
    seeds.spawn(2)
    made: list[Any] = [np.random.default_rng(3), np.random.RandomState(4), seeds]
    made += [
        np.random.Generator(kind(seeds))
        for kind in (np.random.MT19937, np.random.Philox, np.random.SFC64)
    ]
    made[0].integers(5, dtype="i4")
    made[1].normal()
    return made


@sample("numpy>=2.0")
def string_arrays() -> Any:
    import numpy as np

    kind = np.dtypes.StringDType
    return [
        np.array(["é", "x" * 100, ""], kind()),
        np.array([["a", "b"]], kind()),
        kind(),
        kind(coerce=False),
        np.array(["a", None], kind(na_object=None)),
    ]


# -- pandas ----------------------------------------------------------------------------------------


@sample("pandas")
def frames() -> Any:
    import numpy as np
    import pandas as pd

    numbers = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=["a", "b", "c"])
    numbers.attrs["source"] = {"file": pathlib.Path("x")}
    mixed = pd.DataFrame(
        {
            "i": np.array([1, 2, 3], "i4"),
            "f": [1.5, float("nan"), 3.0],
            "s": ["x", "é", "z"],
            "t": np.array(["2020-01-01", "NaT", "2021-01-01"], "M8[ns]"),
            "d": np.array([1, 2, 3], "m8[ns]"),
            "b": [True, False, True],
        },
        index=pd.Index([10, 20, 20], name="key"),
    )
    wide = pd.DataFrame({f"c{i}": np.arange(3) + i for i in range(40)})
    wide["text"] = ["a", "b", "c"]
    doubled = pd.DataFrame([[1, "a", 2.5]], columns=["x", "x", "y"])
    strict = numbers.set_flags(allows_duplicate_labels=False)
    empty = [
        pd.DataFrame({"a": []}, index=pd.RangeIndex(0)),
        pd.DataFrame(index=[1, 2], columns=["a"]),
    ]
    empty += [mixed[["i", "t"]].iloc[:0]]
    return [numbers, mixed, wide, doubled, strict, numbers.T, mixed[::2], *empty]


@sample("pandas")
def large_frames() -> Any:
    import numpy as np
    import pandas as pd

    return [
        pd.DataFrame({"a": np.arange(50_000), "b": np.arange(50_000.0), "c": np.arange(50_000) % 7})
    ]


@sample("pandas")
def series() -> Any:
    import numpy as np
    import pandas as pd

    mixed = pd.Series([1, "a", None, (1, 2)], dtype=object, name=("a", 1))
    mixed.attrs["k"] = 1
    return [
        pd.Series([1, 2, 3], name="n"),
        mixed,
        pd.Series([], dtype="f8"),
        pd.Series(np.array([1, 2], "i1"), index=["a", "b"]),
    ]


def _days(**options: Any) -> Any:
    """Return days in nanoseconds, which are the default no longer."""
    import pandas as pd

    found = pd.date_range("2020-01-01", **options)
    return found.as_unit("ns") if hasattr(found, "as_unit") else found


@sample("pandas")
def indexes() -> Any:
    import numpy as np
    import pandas as pd

    days = _days(periods=4, freq="D", name="days")
    return [
        pd.RangeIndex(2, 9, 3, name="r"),
        pd.Index([3, 1, 2], dtype="i8"),
        pd.Index([1.5, 2.5]),
        pd.Index(["a", "b"], name="text"),
        pd.Index([1, "a"], dtype=object),
        days,
        days[[0, 2, 3]],
        _days(periods=3, freq="MS", tz="Europe/Paris"),
        _days(periods=3, freq=pd.offsets.MonthEnd()),
        _days(periods=3, freq=pd.offsets.Hour(6)),
        pd.TimedeltaIndex(np.array([1, 5], "m8[ns]")),
        pd.period_range("2020-01", periods=3, freq="M"),
        pd.interval_range(0, 3),
        pd.CategoricalIndex(["a", "b", "a"]),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["n", None]),
        pd.Index([]),
    ]


@sample("pandas")
def extension_arrays() -> Any:
    import numpy as np
    import pandas as pd

    moments = pd.DatetimeIndex(np.array(["2020-01-01T10", "NaT"], "M8[ns]")).tz_localize("UTC")
    made = [
        pd.array([1, None, 3], dtype="Int64"),
        pd.array([1, 2], dtype="UInt8"),
        pd.array([True, None], dtype="boolean"),
        pd.array(["a", None, "é"], dtype="string[python]"),
        pd.Categorical(["b", "a", None, "b"], categories=["b", "a", "c"], ordered=True),
        pd.Categorical([1, 2, 1]),
        moments.tz_convert("Europe/Paris").array,
        moments.array,
        moments.tz_convert(datetime.timezone(datetime.timedelta(hours=3))).array,
        pd.arrays.SparseArray([0, 0, 1, 0, 2]),
        pd.arrays.SparseArray([float("nan"), 1.0]),
        pd.period_range("2020", periods=2, freq="D").array,
        pd.arrays.IntervalArray.from_breaks([0.0, 1.0, 2.0], closed="left"),
        pd.TimedeltaIndex(np.array([1, "NaT"], "m8[ns]")).array,
    ]
    if hasattr(pd.arrays, "FloatingArray"):
        made.append(pd.array([1.5, None], dtype="Float64"))
    columns = pd.DataFrame({str(place): pd.Series(array) for place, array in enumerate(made)})
    return [*made, columns]


@sample("pandas>=2.0", "pyarrow")
def arrow_columns() -> Any:
    import pandas as pd

    return [
        pd.Series([1, None], dtype="int64[pyarrow]"),
        pd.Series(["a", None], dtype="string[pyarrow]"),
        pd.Series([], dtype="string[pyarrow]"),
        pd.concat([pd.Series(["é" * 9, None, "", "b"], dtype="string[pyarrow]")] * 9)[3:],
        pd.DataFrame({"a": pd.Series([[1], None], dtype=_arrow_list())}),
    ]


def _arrow_list() -> Any:
    import pandas as pd
    import pyarrow as pa

    return pd.ArrowDtype(pa.list_(pa.int64()))


@sample("pandas")
def pandas_scalars() -> Any:
    import pandas as pd

    return [
        pd.Timestamp("2020-01-02 03:04:05.000000006"),
        pd.Timestamp("2020-07-01", tz="Europe/Paris"),
        pd.Timestamp("2020-10-25 00:30", tz="UTC").tz_convert("Europe/Paris"),
        pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Paris"),
        pd.Timedelta("1D 3ns"),
        pd.NaT,
        pd.NA,
        pd.Period("2020-03", "M"),
        pd.Interval(0, 1),
        pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"), "both"),
    ]


@sample("pandas")
def pandas_dtypes() -> Any:
    import pandas as pd

    return [
        pd.CategoricalDtype(["a", "b"], True),
        pd.CategoricalDtype(),
        pd.Int64Dtype(),
        pd.BooleanDtype(),
        pd.DatetimeTZDtype("ns", "Europe/Paris"),
        pd.PeriodDtype("M"),
        pd.IntervalDtype("i8", "right"),
        pd.StringDtype("python"),
        pd.SparseDtype("f8", 0.0),
    ]


# -- the others ------------------------------------------------------------------------------------


@sample("scipy")
def sparse_matrices() -> Any:
    import numpy as np
    import scipy.sparse as sp

    dense = np.array([[0, 1.5, 0], [2, 0, 0]])
    forms = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
    return [sp.csr_matrix(dense).asformat(form) for form in forms] + [
        sp.csr_matrix((3, 4), dtype="i4")
    ]


@sample("scipy>=1.8")
def sparse_arrays() -> Any:
    import numpy as np
    import scipy.sparse as sp

    dense = np.array([[0, 1.5, 0], [2, 0, 0]])
    return [
        getattr(sp, form + "_array")(dense) for form in ("csr", "csc", "coo", "bsr", "dia", "lil")
    ]


@sample("PIL")
def images() -> Any:
    from PIL import Image

    made = [Image.new(mode, (5, 3), 1) for mode in ("1", "L", "P", "I", "F", "I;16")]
    made += [Image.new(mode, (5, 3), (1, 2, 3)) for mode in ("RGB", "YCbCr", "LAB", "HSV")]
    made += [
        Image.new("RGBA", (300, 200), (1, 2, 3, 4)),
        Image.new("LA", (2, 2)),
        Image.new("RGB", (0, 0)),
    ]
    made[2].putpalette([9, 8, 7, 6, 5, 4], "RGB")
    made[1].info["dpi"] = (72, 72)
    return made


@sample("xarray")
def labelled_arrays() -> Any:
    import numpy as np
    import xarray as xr

    times = _days(periods=3)
    array = xr.DataArray(
        np.arange(6.0).reshape(2, 3),
        dims=("x", "t"),
        coords={"x": ["a", "b"], "t": times, "far": ("x", [1, 2]), "one": 5},
        attrs={"units": "m"},
        name="height",
    )
    dataset = xr.Dataset({"h": array, "n": ("k", [1, 2])}, attrs={"title": "x"})
    return [
        array,
        dataset,
        array.variable,
        array["x"].variable,
        array[0],
        xr.DataArray([1, 2]),
        array.stack(both=("x", "t")),
    ]


@sample("pyarrow")
def arrow_tables() -> Any:
    import pyarrow as pa

    table = pa.table({"a": [1, None, 3], "b": ["x", "y", None], "c": [[1], [], None]})
    return [
        table,
        table.to_batches()[0],
        table.slice(1, 1),
        table.replace_schema_metadata({"k": "v"}),
    ]


@sample("polars")
def polars_frames() -> Any:
    import polars as pl

    frame = pl.DataFrame({"a": [1, None, 3], "b": ["x", "é", None], "c": [[1], [], None]})
    categories = pl.Series("s", ["a", "b"], pl.Categorical)
    return [frame, frame["b"], frame.to_dummies("a"), categories, pl.DataFrame(), frame.clear()]


@sample("torch")
def tensors() -> Any:
    import torch

    made = [
        torch.arange(6, dtype=kind).reshape(2, 3)
        for kind in (torch.float32, torch.int64, torch.uint8)
    ]
    made += [
        torch.ones(3, dtype=torch.bfloat16),
        torch.tensor(1.5, dtype=torch.float16),
        torch.zeros(0, 3),
    ]
    made += [torch.ones(2, 3).T, torch.tensor([True]), torch.ones(2, requires_grad=True)]
    return [*made, torch.ones(2, dtype=torch.complex64).conj(), torch.bfloat16, torch.device("cpu")]
