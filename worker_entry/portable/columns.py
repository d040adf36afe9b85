"""What pandas keeps its columns in: arrays of its own, and those of NumPy.

Each is sent as the arrays of NumPy that it is made of, without a copy where it holds them. Arrow
as the way for all of them was rejected: it refuses columns of mixed objects, and both sides must
have pyarrow. It is the way for columns that are Arrow already; texts that are go as the memory that
Arrow has them in, which a receiver without pyarrow can read as well.

The kinds of missing values stay. Two things follow the receiving pandas: named time zones are of
the library that it uses, and texts are of its default type, `str` since pandas 3 and `object`
before.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

MAJOR = int(pd.__version__.partition(".")[0])


def reduce_array(protocol: int, array: Any) -> Any:
    """Take an array of pandas apart."""
    kind = type(array).__name__
    return build_array, _TAKE_APART[kind](array)


def build_array(kind: str, *parts: Any) -> Any:
    """Make an array of pandas."""
    return _BUILD[kind](*parts)


# -- numbers and truth values, some of them missing ------------------------------------------------


def _apart_masked(array: Any) -> Any:
    return "masked", type(array).__name__, array._data, array._mask


def _build_masked(name: str, data: Any, mask: Any) -> Any:
    if name not in ("IntegerArray", "FloatingArray", "BooleanArray"):
        raise ValueError(f"no masked array of pandas: {name!r}")
    if data.shape != mask.shape:
        raise ValueError("a mask of another shape")
    return getattr(pd.arrays, name)(data, mask)


# -- categories ------------------------------------------------------------------------------------


def _apart_categories(array: Any) -> Any:
    return "categories", np.asarray(array.codes), array.categories, bool(array.ordered)


def _build_categories(codes: Any, categories: Any, ordered: bool) -> Any:
    return pd.Categorical.from_codes(codes, categories=categories, ordered=ordered)


# -- times -----------------------------------------------------------------------------------------


def _apart_datetimes(array: Any) -> Any:
    if array.tz is None:
        return "datetimes", np.asarray(array), None
    return "datetimes", np.asarray(array.tz_convert(None)), describe_zone(array.tz)


def _build_datetimes(values: Any, zone: Any) -> Any:
    index = pd.DatetimeIndex(values)  # an older pandas makes nanoseconds of any unit
    if zone is not None:
        index = index.tz_localize("UTC").tz_convert(check_zone(zone))
    return index.array


def check_zone(zone: Any) -> Any:
    """Refuse a text that names a file, not a zone."""
    if isinstance(zone, str) and (zone.startswith("dateutil") or zone.startswith(("/", "."))):
        raise ValueError(f"no time zone: {zone!r}")
    return zone


def describe_zone(zone: Any) -> Any:
    """Return a time zone by its name, where it has one, for the other pandas to look up."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if name is not None:
        return name
    if zone == datetime.timezone.utc:
        return "UTC"
    if type(zone).__module__.partition(".")[0] == "pytz":
        return datetime.timezone(zone.utcoffset(None))
    return zone


def _apart_timedeltas(array: Any) -> Any:
    return "timedeltas", np.asarray(array)


def _build_timedeltas(values: Any) -> Any:
    return pd.TimedeltaIndex(values).array


def _apart_periods(array: Any) -> Any:
    return "periods", array.asi8, array.freqstr


def _build_periods(ordinals: Any, freq: str) -> Any:
    return pd.arrays.PeriodArray(ordinals, dtype=pd.PeriodDtype(freq))


def _apart_intervals(array: Any) -> Any:
    return "intervals", array.left, array.right, array.closed


def _build_intervals(left: Any, right: Any, closed: str) -> Any:
    return pd.arrays.IntervalArray.from_arrays(left, right, closed)


# -- texts -----------------------------------------------------------------------------------------


def _apart_strings(array: Any) -> Any:
    texts = np.array(array, object)
    texts[np.asarray(array.isna())] = None
    storage, missing = describe_string(array.dtype)
    return "strings", texts.tolist(), storage, missing


def _apart_arrow_strings(array: Any) -> Any:
    """Take texts apart as Arrow has them: their UTF-8 in one piece, and where each begins."""
    import pyarrow as pa

    texts = pa.concat_arrays([c.cast(pa.large_string()) for c in array.__arrow_array__().chunks])
    if not len(texts):
        return _apart_strings(array)
    _, places, data = texts.buffers()
    places = np.frombuffer(places, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data or b"", np.uint8)[places[0] : places[-1]]
    gaps = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), bool)
    return ("packed", data, places - places[0], gaps, *describe_string(array.dtype))


def _build_packed(data: Any, places: Any, gaps: Any, storage: str | None, missing: str) -> Any:
    count = len(places) - 1
    if (
        len(gaps) != count
        or places[0] != 0
        or places[-1] != len(data)
        or (np.diff(places) < 0).any()
    ):
        raise ValueError("texts that don't fit their places")
    dtype = build_string(storage, missing)
    try:
        import pyarrow as pa
    except ImportError:
        pa = None
    if pa is None or dtype is object or not hasattr(dtype, "__from_arrow__"):
        text, ends = data.tobytes(), places.tolist()
        texts = [
            None if gap else text[begin:end].decode()
            for gap, begin, end in zip(gaps.tolist(), ends, ends[1:])
        ]
        return _build_strings(texts, storage, missing)
    valid = None if not gaps.any() else pa.py_buffer(np.packbits(~gaps, bitorder="little"))
    buffers = [valid, pa.py_buffer(np.ascontiguousarray(places)), pa.py_buffer(data)]
    found = pa.Array.from_buffers(pa.large_string(), count, buffers)
    found.validate(full=True)  # the sender may be anybody
    return dtype.__from_arrow__(pa.chunked_array([found]))


def describe_string(dtype: Any) -> tuple[str | None, str]:
    """Return how a `StringDtype` keeps its texts, where that is no default, and what is missing."""
    if getattr(dtype, "na_value", pd.NA) is pd.NA:
        return dtype.storage, "NA"
    return None, "nan"


def _build_strings(texts: list[Any], storage: str | None, missing: str) -> Any:
    dtype = build_string(storage, missing)
    if dtype is object:
        values = np.empty(len(texts), object)
        values[:] = [np.nan if text is None else text for text in texts]
        return values
    return pd.array(texts, dtype=dtype)


def build_string(storage: str | None, missing: str) -> Any:
    """Return the dtype of texts that this pandas has for it."""
    if missing == "NA":
        try:
            return pd.StringDtype(storage)
        except ImportError:  # no pyarrow here
            return pd.StringDtype("python")
    return pd.StringDtype(na_value=np.nan) if MAJOR >= 3 else object


# -- the others ------------------------------------------------------------------------------------


def _apart_sparse(array: Any) -> Any:
    places = array.sp_index.to_int_index().indices
    return "sparse", array.sp_values, places, len(array), array.fill_value


def _build_sparse(values: Any, places: Any, length: int, filler: Any) -> Any:
    # Both check the places; by way of a dense array, a long one would not fit into memory.
    cls, places = pd.arrays.SparseArray, np.asarray(places, np.int32)
    dtype = pd.SparseDtype(values.dtype, filler)
    if hasattr(cls, "from_indices"):  # since pandas 3.1
        return cls.from_indices(values, places, length, filler)
    from pandas._libs.sparse import IntIndex

    index = IntIndex(length, places)
    return cls(values, sparse_index=index, fill_value=filler, dtype=dtype)


def _apart_arrow(array: Any) -> Any:
    import pyarrow as pa

    return "arrow", pa.table([array.__arrow_array__()], names=["values"])


def _build_arrow(table: Any) -> Any:
    return pd.arrays.ArrowExtensionArray(table.column(0))


def _apart_numpy(array: Any) -> Any:
    return "numpy", np.asarray(array)


def _build_numpy(values: Any) -> Any:
    return pd.arrays.NumpyExtensionArray(values) if MAJOR >= 3 else pd.arrays.PandasArray(values)


# -- texts of an older pandas ----------------------------------------------------------------------


def dtype_of_objects(values: Any, chosen: bool) -> Any:
    """Return the dtype that an array of objects gets as a column or index here.

    Args:
        values: The array.
        chosen: Whether its sender could have made it `str`. If not, it is so here if it can be.
    """
    if MAJOR < 3 or chosen or pd.api.types.infer_dtype(values, skipna=True) != "string":
        return object
    return "str"


_TAKE_APART: dict[str, Any] = {
    "IntegerArray": _apart_masked,
    "FloatingArray": _apart_masked,
    "BooleanArray": _apart_masked,
    "Categorical": _apart_categories,
    "DatetimeArray": _apart_datetimes,
    "TimedeltaArray": _apart_timedeltas,
    "PeriodArray": _apart_periods,
    "IntervalArray": _apart_intervals,
    "StringArray": _apart_strings,
    "ArrowStringArray": _apart_arrow_strings,
    "ArrowStringArrayNumpySemantics": _apart_arrow_strings,
    "StringArrayNumpySemantics": _apart_strings,
    "SparseArray": _apart_sparse,
    "ArrowExtensionArray": _apart_arrow,
    "PandasArray": _apart_numpy,
    "NumpyExtensionArray": _apart_numpy,
}
_BUILD: dict[str, Any] = {
    "masked": _build_masked,
    "categories": _build_categories,
    "datetimes": _build_datetimes,
    "timedeltas": _build_timedeltas,
    "periods": _build_periods,
    "intervals": _build_intervals,
    "strings": _build_strings,
    "packed": _build_packed,
    "sparse": _build_sparse,
    "arrow": _build_arrow,
    "numpy": _build_numpy,
}
