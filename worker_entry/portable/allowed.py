"""What a pickle of data may name: a closed list, and the functions behind the builtin types.

These get hostile arguments. They take nothing but what honest pickles give them.

Not on the list, though portable: memory-mapped arrays, which would let a worker have any file of
the user read and written; tables of Arrow and polars, whose readers trust their input; NumPy's
functions. Types that the host registered are on it, by the name of what rebuilds them.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import importlib
from typing import Any

from worker_entry.pickling import NotDataError
from worker_entry.portable import registry


def find(module: str, name: str) -> Any:
    """Return what is allowed under a name.

    Raises:
        NotDataError: Nothing is.
    """
    if module.startswith(PREFIX):
        inner = module[len(PREFIX) :]
        if inner == "registry" and name == "build_registered":
            return _build_registered
        if name in _PORTABLE.get(inner, ()):
            return getattr(importlib.import_module(module), name)
        if inner in _REFUSED:
            raise NotDataError(f"{_REFUSED[inner]} is not among the types that are data")
    found = _STANDARD.get((module, name))
    if found is None:
        raise NotDataError(f"{module}.{name} is not among the types that are data")
    return found


def is_constant(name: str, found: Any) -> bool:
    """Whether what is made of it can't be assigned to, appended to or added to."""
    return name in _CONSTANT or (found in _STANDARD.values() and found is not _slice)


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

PREFIX = "worker_entry.portable."
_PORTABLE: dict[str, tuple[str, ...]] = {
    "standard": ("build_path", "build_zone", "build_uuid", "build_fraction", "build_pattern",
                 "build_default_dict", "build_namespace", "fill_namespace", "build_array",
                 "build_memoryview"),
    "errors": ("build_error", "fill_error"),
    "dtypes": ("build_dtype",),
    "arrays": ("build_array", "build_items", "build_structure", "build_scalar",
               "build_memory_scalar", "build_element", "build_view", "build_masked",
               "build_masked_constant"),
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
#: What is portable, but no data, for messages.
_REFUSED = {
    "mapped": "a memory-mapped array, unlike numpy.asarray() of it,",
    "tables": "a table of pyarrow or polars",
    "errors": "an exception of another type than Python's own",
}
#: Those that make what nothing can be assigned to, appended to or added to.
_CONSTANT = frozenset((
    *("build_path", "build_zone", "build_uuid", "build_fraction", "build_pattern"),
    *("build_default_dict", "build_namespace", "fill_namespace", "build_error", "fill_error"),
    *("build_dtype", "build_device", "build_scalar", *_PORTABLE["moments"]),
))  # fmt: skip
