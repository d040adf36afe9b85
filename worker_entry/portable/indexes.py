"""The indexes of pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from worker_entry.portable.columns import MAJOR, dtype_of_objects

#: Names of frequencies that pandas 2.2 changed, the old one and the new one.
_RENAMED = (("M", "ME"), ("Q", "QE"), ("A", "YE"), ("Y", "YE"), ("BM", "BME"), ("BQ", "BQE"),
            ("BA", "BYE"), ("SM", "SME"), ("CBM", "CBME"), ("H", "h"), ("BH", "bh"), ("CBH", "cbh"),
            ("T", "min"), ("S", "s"), ("L", "ms"), ("U", "us"), ("N", "ns"), ("AS", "YS"),
            ("BAS", "BYS"))  # fmt: skip


def reduce_index(protocol: int, index: Any) -> Any:
    """Take an index apart."""
    if isinstance(index, pd.RangeIndex):
        return build_range, (index.start, index.stop, index.step, index.name)
    if isinstance(index, pd.MultiIndex):
        codes = [np.asarray(part) for part in index.codes]
        return build_multi, (list(index.levels), codes, list(index.names), index.sortorder)
    freq = index.freqstr if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)) else None
    chosen = MAJOR >= 3
    return build_index, (plain_values(index), chosen, index.name, freq)


def plain_values(column: Any) -> Any:
    """Return the array of an index or series: NumPy's, or one of pandas."""
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def build_range(start: int, stop: int, step: int, name: Any) -> Any:
    """Make a `RangeIndex`."""
    return pd.RangeIndex(start, stop, step, name=name)


def build_multi(levels: Any, codes: Any, names: Any, sortorder: Any) -> Any:
    """Make a `MultiIndex`; that the codes fit to the levels is checked."""
    return pd.MultiIndex(levels=levels, codes=codes, names=names, sortorder=sortorder)


def build_index(values: Any, chosen: bool, name: Any, freq: str | None) -> Any:
    """Make any other index."""
    is_object = isinstance(values, np.ndarray) and values.dtype == object
    dtype = dtype_of_objects(values, chosen) if is_object else None
    index = pd.Index(values, name=name, dtype=dtype)
    if freq is not None and len(index):
        offset = _offset(freq)
        # A frequency that is not known here is left out: it follows from the values.
        index.freq = offset
    return index


def _offset(freq: str) -> Any:
    count = freq.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")
    stem, dash, anchor = freq[len(count) :].partition("-")
    others = [new for old, new in _RENAMED if old == stem] + [
        old for old, new in _RENAMED if new == stem
    ]
    for name in [stem, *others]:
        try:
            return to_offset(f"{count}{name}{dash}{anchor}")
        except (ValueError, FutureWarning):
            continue
    return None
