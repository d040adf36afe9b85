"""Values of a worker that is not trusted: only data is rebuilt, and no code of its choice runs.

Three walls. `opcodes` lets no pickle through that does more than put containers, constants and
calls together. Names are looked up in the closed list below, as they are written, dots and all;
nothing is imported for the sake of a name. And what is on the list takes hostile arguments: sizes
are compared with the bytes that are there before memory is reserved, indexes are checked, no file
is opened, no text is evaluated, no parser of a file format is involved.

Not on the list, though portable: memory-mapped arrays, which would let a worker have any file of
the user read and written; tables of Arrow and polars, whose readers trust their input; NumPy's
functions. Types that the host registered are on it, by the name of what rebuilds them.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import importlib
from io import BytesIO
from pickle import Unpickler
from typing import Any, Sequence

from worker_entry.pickling import NotDataError
from worker_entry.portable import nesting, opcodes, registry


def loads(pickle: Any, buffers: Sequence[Any]) -> Any:
    """Return the value of a pickle.

    Raises:
        NotDataError: It is more than data.
        Exception: It makes no sense.
    """
    pickle = bytes(pickle)
    try:
        opcodes.check(pickle)
    except opcodes.OpcodeError as error:
        raise NotDataError(f"the bytes that came are no data: {error}") from None
    options: dict[str, Any] = {"buffers": list(map(_own, buffers))} if buffers else {}
    unpickler = _Unpickler(BytesIO(pickle), **options)
    try:
        return unpickler.load()
    finally:
        nesting.check(unpickler.arrays)


def _own(buffer: Any) -> bytearray:
    # Whoever shares the memory could change it after an index in it has been checked.
    return buffer if type(buffer) is bytearray else bytearray(buffer)


def find(module: str, name: str) -> Any:
    """Return what is allowed under a name.

    Raises:
        NotDataError: Nothing is.
    """
    if module.startswith(_PREFIX):
        inner = module[len(_PREFIX) :]
        if inner == "registry" and name == "build_registered":
            return _build_registered
        if name in _PORTABLE.get(inner, ()):
            return getattr(importlib.import_module(module), name)
    found = _STANDARD.get((module, name))
    if found is None:
        raise NotDataError(f"{module}.{name} is not among the types that are data")
    return found


def is_harmless(pickle: Any) -> bool:
    """Whether a pickle can be read without harm as long as nothing that it names is called."""
    try:
        opcodes.check(bytes(pickle), objects=True)
    except opcodes.OpcodeError:
        return False
    return True


class _Unpickler(Unpickler):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arrays: list[Any] = []  #: those of objects

    def find_class(self, module: str, name: str) -> Any:
        found = find(module, name)
        if (module, name) != (f"{_PREFIX}arrays", "build_items"):
            return found

        def build_items(*parts: Any) -> Any:
            self.arrays.append(found(*parts))
            return self.arrays[-1]

        return build_items

    def persistent_load(self, pid: Any) -> Any:
        raise NotDataError("references to outside are no data")


def _build_registered(rebuild: Any, *arguments: Any) -> Any:
    if rebuild not in {registration.rebuild for registration in registry.known()}:
        raise NotDataError(f"{rebuild!r} was not registered in this process")
    return registry.build_registered(rebuild, *arguments)


def _check(ok: bool) -> None:
    if not ok:
        raise NotDataError("a builtin type with arguments that it is never sent with")


def _range(*parts: Any) -> range:
    _check(all(type(part) is int for part in parts))
    return range(*parts)


def _slice(*parts: Any) -> slice:
    # Nothing that could be nested: a slice computes its hash by recursion.
    _check(all(type(part) in (int, float, str, type(None)) for part in parts))
    return slice(*parts)


def _bytearray(data: Any = b"") -> bytearray:
    _check(type(data) is bytes)
    return bytearray(data)


def _complex(real: Any, imaginary: Any) -> complex:
    _check(type(real) is float and type(imaginary) is float)
    return complex(real, imaginary)


def _deque(items: Any = (), maxlen: Any = None) -> Any:
    _check(type(items) in (list, tuple))
    return collections.deque(items, maxlen)


def _counter(counts: Any = None) -> Any:
    _check(counts is None or type(counts) is dict)
    return collections.Counter(counts or {})


def _ordered(*pairs: Any) -> Any:
    return collections.OrderedDict(*pairs)


def _frozenset(items: Any = ()) -> Any:
    _check(type(items) in (list, tuple))
    return frozenset(items)


def _decimal(text: Any) -> decimal.Decimal:
    _check(type(text) is str)
    return decimal.Decimal(text)


def _date(*parts: Any) -> datetime.date:
    # The bytes of a state are not checked; `ctime()` of a day that is none reads foreign memory.
    return datetime.date(*parts).replace()


def _time(*parts: Any) -> datetime.time:
    return datetime.time(*parts).replace()


def _datetime(*parts: Any) -> datetime.datetime:
    return datetime.datetime(*parts).replace()


_STANDARD: dict[tuple[str, str], Any] = {
    ("builtins", "range"): _range,
    ("builtins", "slice"): _slice,
    ("builtins", "bytearray"): _bytearray,
    ("builtins", "complex"): _complex,
    ("builtins", "frozenset"): _frozenset,
    ("builtins", "Ellipsis"): ...,
    ("builtins", "NotImplemented"): NotImplemented,
    ("collections", "deque"): _deque,
    ("collections", "Counter"): _counter,
    ("collections", "OrderedDict"): _ordered,
    ("datetime", "date"): _date,
    ("datetime", "time"): _time,
    ("datetime", "datetime"): _datetime,
    ("datetime", "timedelta"): datetime.timedelta,
    ("datetime", "timezone"): datetime.timezone,
    ("decimal", "Decimal"): _decimal,
}

_PREFIX = "worker_entry.portable."
_PORTABLE: dict[str, tuple[str, ...]] = {
    "standard": ("build_path", "build_zone", "build_uuid", "build_fraction", "build_pattern",
                 "build_default_dict", "build_namespace", "fill_namespace", "build_array"),
    "errors": ("build_error", "fill_error"),
    "dtypes": ("build_dtype",),
    "arrays": ("build_array", "build_items", "build_scalar", "build_memory_scalar",
               "build_element", "build_view", "build_masked", "build_masked_constant"),
    "generators": ("build_generator", "build_random_state", "build_bit_generator",
                   "build_seed_sequence"),
    "columns": ("build_array",),
    "indexes": ("build_range", "build_multi", "build_index"),
    "frames": ("build_series", "build_frame"),
    "moments": ("build_timestamp", "build_timedelta", "build_period", "build_interval",
                "build_missing", "build_pandas_dtype"),
    "sparse": ("build_sparse",),
    "images": ("build_image",),
    "tensors": ("build_tensor", "build_dtype", "build_device"),
    "labelled": ("build_variable", "build_dataset", "build_data_array"),
}  # fmt: skip
