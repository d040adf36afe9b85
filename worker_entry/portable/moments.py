"""Single values of pandas: points and spans of time, intervals, and what is missing; its dtypes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from worker_entry.portable.columns import (
    build_string,
    check_zone,
    describe_string,
    describe_zone,
)


def reduce_timestamp(protocol: int, value: Any) -> Any:
    """Take a `Timestamp` apart."""
    zone = None if value.tz is None else describe_zone(value.tz)
    return build_timestamp, (value.asm8, zone)


def build_timestamp(moment: Any, zone: Any) -> Any:
    """Make a `Timestamp` of a moment in UTC, or of no zone."""
    made = pd.Timestamp(moment)
    return made if zone is None else made.tz_localize("UTC").tz_convert(check_zone(zone))


def reduce_timedelta(protocol: int, value: Any) -> Any:
    """Take a `Timedelta` apart."""
    return build_timedelta, (value.asm8,)


def build_timedelta(value: Any) -> Any:
    """Make a `Timedelta`."""
    return pd.Timedelta(value)


def reduce_period(protocol: int, value: Any) -> Any:
    """Take a `Period` apart."""
    return build_period, (value.ordinal, value.freqstr)


def build_period(ordinal: int, freq: str) -> Any:
    """Make a `Period`."""
    return pd.Period(ordinal=ordinal, freq=pd.PeriodDtype(freq).freq)


def reduce_interval(protocol: int, value: Any) -> Any:
    """Take an `Interval` apart."""
    return build_interval, (value.left, value.right, value.closed)


def build_interval(left: Any, right: Any, closed: str) -> Any:
    """Make an `Interval`."""
    return pd.Interval(left, right, closed)


def reduce_missing(protocol: int, value: Any) -> Any:
    """Name one of the two values for what is missing."""
    return build_missing, ("NA" if value is pd.NA else "NaT",)


def build_missing(name: str) -> Any:
    """Return that value."""
    return pd.NA if name == "NA" else pd.NaT


def reduce_pandas_dtype(protocol: int, dtype: Any) -> Any:
    """Take a dtype of pandas apart."""
    if isinstance(dtype, pd.CategoricalDtype):
        return build_pandas_dtype, ("category", dtype.categories, dtype.ordered)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return build_pandas_dtype, ("datetime", dtype.unit, describe_zone(dtype.tz))
    if isinstance(dtype, pd.IntervalDtype):
        return build_pandas_dtype, ("interval", dtype.subtype, getattr(dtype, "closed", None))
    if isinstance(dtype, pd.StringDtype):
        return build_pandas_dtype, ("string", *describe_string(dtype))
    if isinstance(dtype, pd.SparseDtype):
        return build_pandas_dtype, ("sparse", dtype.subtype, dtype.fill_value)
    if type(dtype).__name__ == "ArrowDtype":
        return dtype.__reduce_ex__(protocol)
    return build_pandas_dtype, ("named", str(dtype))


def build_pandas_dtype(kind: str, *parts: Any) -> Any:
    """Make a dtype of pandas."""
    return _DTYPES[kind](*parts)


def _build_datetime(unit: str, zone: Any) -> Any:
    if unit not in ("s", "ms", "us", "ns"):  # a text with a zone in it passes for a unit
        raise ValueError(f"no unit of time: {unit!r}")
    try:
        return pd.DatetimeTZDtype(unit, check_zone(zone))
    except ValueError:  # pandas 1 has nanoseconds only
        return pd.DatetimeTZDtype("ns", zone)


def _build_string(storage: str | None, missing: str) -> Any:
    dtype = build_string(storage, missing)
    return np.dtype(object) if dtype is object else dtype


def _build_named(name: str) -> Any:
    # Not any text: what some of them name, pandas looks for in other packages.
    if not _NAMED.fullmatch(name):
        raise ValueError(f"no dtype of pandas: {name!r}")
    return pd.api.types.pandas_dtype(name)


_NAMED = re.compile(r"U?Int(8|16|32|64)|Float(32|64)|boolean|period\[[\w-]{1,30}\]")
_DTYPES: dict[str, Any] = {
    "category": pd.CategoricalDtype,
    "datetime": _build_datetime,
    "interval": pd.IntervalDtype,
    "string": _build_string,
    "sparse": pd.SparseDtype,
    "named": _build_named,
}
