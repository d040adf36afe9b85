"""The dispatch table of our picklers: type -> what takes its values apart.

Types are found by their names, so that nothing is imported for the sake of values that nobody
sends. The table is filled as types are met. What has no portable form is entered, too, with what
pickle would do: a miss costs a call of Python for each object, a hit costs nothing.
"""

from __future__ import annotations

import copyreg
import importlib
from functools import partial
from operator import methodcaller
from typing import Any, Callable, Mapping

from worker_entry.portable import registry

#: Takes a value apart: callable, arguments, and what else `__reduce__` may return.
Reduce = Callable[[Any], Any]

#: Types that are kept at most: those that functions make anew with each call would pile up.
LIMIT = 1000

_PANDAS_INDEXES = ("Index", "Int64Index", "UInt64Index", "Float64Index", "NumericIndex",
                   "RangeIndex", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex",
                   "CategoricalIndex", "IntervalIndex", "MultiIndex")  # fmt: skip
_PANDAS_ARRAYS = ("IntegerArray", "FloatingArray", "BooleanArray", "StringArray",
                  "ArrowStringArray", "ArrowStringArrayNumpySemantics",
                  "StringArrayNumpySemantics", "ArrowExtensionArray", "Categorical",
                  "DatetimeArray",
                  "TimedeltaArray", "PeriodArray", "IntervalArray", "SparseArray",
                  "NumpyExtensionArray", "PandasArray")  # fmt: skip
_PANDAS_DTYPES = ("CategoricalDtype", "DatetimeTZDtype", "PeriodDtype", "IntervalDtype",
                  "StringDtype", "ArrowDtype", "SparseDtype", "BooleanDtype", "Int8Dtype",
                  "Int16Dtype", "Int32Dtype", "Int64Dtype", "UInt8Dtype", "UInt16Dtype",
                  "UInt32Dtype", "UInt64Dtype", "Float32Dtype", "Float64Dtype")  # fmt: skip
_SPARSE = tuple(
    f"{form}_{kind}"
    for form in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    for kind in ("matrix", "array")
)

#: Top-level package and name of a type -> module and function of this package.
_EXACT: dict[tuple[str, str], str] = {
    ("pathlib", "PosixPath"): "standard:reduce_path",
    ("pathlib", "WindowsPath"): "standard:reduce_path",
    ("pathlib", "PurePosixPath"): "standard:reduce_path",
    ("pathlib", "PureWindowsPath"): "standard:reduce_path",
    ("zoneinfo", "ZoneInfo"): "standard:reduce_zone",
    ("backports", "ZoneInfo"): "standard:reduce_zone",
    ("uuid", "UUID"): "standard:reduce_uuid",
    ("fractions", "Fraction"): "standard:reduce_fraction",
    ("re", "Pattern"): "standard:reduce_pattern",
    ("collections", "defaultdict"): "standard:reduce_default_dict",
    ("types", "SimpleNamespace"): "standard:reduce_namespace",
    ("array", "array"): "standard:reduce_array",
    ("builtins", "memoryview"): "standard:reduce_memoryview",
    ("numpy", "ndarray"): "arrays:reduce_array",
    ("numpy", "recarray"): "arrays:reduce_view",
    ("numpy", "matrix"): "arrays:reduce_view",
    ("numpy", "chararray"): "arrays:reduce_view",
    ("numpy", "MaskedArray"): "arrays:reduce_masked",
    ("numpy", "MaskedConstant"): "arrays:reduce_masked_constant",
    ("numpy", "ufunc"): "arrays:reduce_ufunc",
    ("numpy", "memmap"): "mapped:reduce_memmap",
    ("numpy", "Generator"): "generators:reduce_generator",
    ("numpy", "RandomState"): "generators:reduce_random_state",
    ("numpy", "SeedSequence"): "generators:reduce_seed_sequence",
    ("pandas", "DataFrame"): "frames:reduce_frame",
    ("pandas", "Series"): "frames:reduce_series",
    ("pandas", "Timestamp"): "moments:reduce_timestamp",
    ("pandas", "Timedelta"): "moments:reduce_timedelta",
    ("pandas", "Period"): "moments:reduce_period",
    ("pandas", "Interval"): "moments:reduce_interval",
    ("pandas", "NaTType"): "moments:reduce_missing",
    ("pandas", "NAType"): "moments:reduce_missing",
    **{("pandas", name): "indexes:reduce_index" for name in _PANDAS_INDEXES},
    **{("pandas", name): "columns:reduce_array" for name in _PANDAS_ARRAYS},
    **{("pandas", name): "moments:reduce_pandas_dtype" for name in _PANDAS_DTYPES},
    **{("scipy", name): "sparse:reduce_sparse" for name in _SPARSE},
    ("xarray", "DataArray"): "labelled:reduce_data_array",
    ("xarray", "Dataset"): "labelled:reduce_dataset",
    ("xarray", "Variable"): "labelled:reduce_variable",
    ("xarray", "IndexVariable"): "labelled:reduce_variable",
    ("pyarrow", "Table"): "tables:reduce_arrow",
    ("pyarrow", "RecordBatch"): "tables:reduce_arrow",
    ("polars", "DataFrame"): "tables:reduce_polars",
    ("polars", "Series"): "tables:reduce_polars",
    ("PIL", "Image"): "images:reduce_image",
    ("torch", "Tensor"): "tensors:reduce_tensor",
    ("torch", "Parameter"): "tensors:reduce_tensor",
    ("torch", "dtype"): "tensors:reduce_dtype",
    ("torch", "device"): "tensors:reduce_device",
}
#: The same for a type and all that derive from it within its package.
_FAMILIES: dict[tuple[str, str], str] = {
    ("numpy", "dtype"): "dtypes:reduce_dtype",
    ("numpy", "generic"): "arrays:reduce_scalar",
    ("numpy", "BitGenerator"): "generators:reduce_bit_generator",
    ("PIL", "Image"): "images:reduce_image",
}


class Table(dict):  # type: ignore[type-arg]
    """Type -> reduce, for pickles of one protocol. For one thread at a time, or with the GIL.

    Args:
        protocol: That of the pickles.
        others: What an object without a portable form is taken apart with, by its type, where not
            with its own `__reduce_ex__`.
    """

    def __init__(self, protocol: int, others: Mapping[type, Reduce] | None = None) -> None:
        super().__init__()
        self._protocol = protocol
        self._others = copyreg.dispatch_table if others is None else others
        self._ordinary = methodcaller("__reduce_ex__", protocol)
        self._generation, self._size = registry.generation(), len(copyreg.dispatch_table)

    def refresh(self) -> None:
        """Forget everything if users have registered types since."""
        generation, size = registry.generation(), len(copyreg.dispatch_table)
        if generation != self._generation or size != self._size:
            self._generation, self._size = generation, size
            self.clear()

    def __missing__(self, cls: type) -> Reduce:
        reduce = find_reduce(cls, self._protocol)
        if reduce is None:
            if issubclass(cls, type):
                raise KeyError(cls)  # classes are saved by their names, which no table can say
            reduce = self._others.get(cls, self._ordinary)
        if len(self) >= LIMIT:
            self.clear()
        self[cls] = reduce
        return reduce


def find_reduce(cls: type, protocol: int) -> Reduce | None:
    """Return what takes values of a type apart portably; None where nothing does."""
    registered = registry.find(cls)
    if registered is not None:
        return registered
    place = _EXACT.get(_name(cls)) or _family(cls)
    if place is None:
        return None
    module, _, name = place.partition(":")
    function = getattr(importlib.import_module(f"worker_entry.portable.{module}"), name)
    return partial(function, protocol)


def _family(cls: type) -> str | None:
    if issubclass(cls, BaseException):
        return "errors:reduce_error"
    package = _name(cls)[0]
    for base in cls.__mro__:
        place = _FAMILIES.get(_name(base))
        if place is not None and _name(base)[0] == package:
            return place
    return None


def _name(cls: type) -> tuple[str, str]:
    return (str(getattr(cls, "__module__", "")).partition(".")[0], cls.__name__)
