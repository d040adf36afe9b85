"""DataFrame and Series of pandas.

A frame of one dtype is one array of two dimensions, as pandas keeps it: nothing is copied. Of
others, columns are sent one by one; where many share a dtype, these are gathered, because each
array costs some microseconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from worker_entry.portable.columns import MAJOR, dtype_of_objects
from worker_entry.portable.indexes import plain_values

#: From how many columns of a dtype on they are gathered into one array.
MANY = 16


def reduce_series(protocol: int, series: Any) -> Any:
    """Take a series apart."""
    return build_series, (plain_values(series), series.index, series.name, _extras(series))


def build_series(values: Any, index: Any, name: Any, extras: Any) -> Any:
    """Make a series."""
    return _extend(_series(values, index, extras["chosen"], name), extras)


def _series(values: Any, index: Any, chosen: bool, name: Any = None) -> Any:
    if len(values) != len(index):  # one value would be repeated, as often as an index claims
        raise ValueError(f"{len(values)} values for an index of {len(index)}")
    is_object = isinstance(values, np.ndarray) and values.dtype == object
    dtype = dtype_of_objects(values, chosen) if is_object else None
    return pd.Series(values, index=index, name=name, dtype=dtype, copy=False)


def reduce_frame(protocol: int, frame: Any) -> Any:
    """Take a frame apart."""
    dtypes = list(frame.dtypes)
    if dtypes and _fits_one_array(dtypes[0]) and all(dtype == dtypes[0] for dtype in dtypes):
        parts = [(None, frame.to_numpy())]
    else:
        parts = _parts(frame, dtypes)
    return build_frame, (parts, frame.index, frame.columns, _extras(frame))


def _fits_one_array(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and not dtype.hasobject


def _parts(frame: Any, dtypes: list[Any]) -> list[tuple[Any, Any]]:
    places: dict[Any, list[int]] = {}
    parts: list[tuple[Any, Any]] = []
    for place, dtype in enumerate(dtypes):
        if _fits_one_array(dtype):
            places.setdefault(dtype, []).append(place)
        else:
            parts.append((place, plain_values(frame.iloc[:, place])))
    for group in places.values():
        if len(group) >= MANY:
            parts.append((group, frame.iloc[:, group].to_numpy()))
        else:
            parts += [(place, frame.iloc[:, place].to_numpy()) for place in group]
    return parts


def build_frame(parts: Any, index: Any, columns: Any, extras: Any) -> Any:
    """Make a frame."""
    if len(parts) == 1 and parts[0][0] is None:
        values = parts[0][1]
        if np.shape(values) != (len(index), len(columns)):
            raise ValueError("values of another shape than the frame")
        frame = pd.DataFrame(values, index=index, columns=columns, copy=False)
        return _extend(frame, extras)
    found: dict[int, Any] = {}
    for place, values in parts:
        if isinstance(place, list):
            found.update((at, values[:, number]) for number, at in enumerate(place))
        else:
            found[place] = values
    chosen = extras["chosen"]
    series = {place: _series(found[place], index, chosen) for place in range(len(found))}
    frame = pd.DataFrame(series, index=index, copy=False)
    frame.columns = columns
    return _extend(frame, extras)


def _extras(thing: Any) -> dict[str, Any]:
    unique = not thing.flags.allows_duplicate_labels
    return {"attrs": dict(thing.attrs), "unique": unique, "chosen": MAJOR >= 3}


def _extend(thing: Any, extras: Any) -> Any:
    if extras["attrs"]:
        thing.attrs.update(extras["attrs"])
    if extras["unique"]:
        thing.flags.allows_duplicate_labels = False
    return thing
