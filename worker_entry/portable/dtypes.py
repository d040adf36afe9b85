"""Dtypes of NumPy and pandas, described by plain data.

A description is the dtype's own code (`<f8`) where that says all, else a tuple: its kind, and what
that kind needs. Metadata that a user hung on a dtype is lost.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

import numpy as np

_CODE = re.compile(r"[<>|=]?[biufcOSUVmM]\d{0,12}(\[\d{0,9}[a-zA-Zμ]{1,2}\])?")
_built: dict[str, Any] = {}


def reduce_dtype(protocol: int, dtype: Any) -> Any:
    """Take a dtype of NumPy apart."""
    return build_dtype, (describe(dtype),)


def describe(dtype: Any) -> Any:
    """Return the description of a NumPy dtype."""
    if dtype.isbuiltin == 1 or (dtype.names is None and dtype.type.__module__ == "numpy"):
        if dtype.subdtype is not None:
            return ("sub", describe(dtype.subdtype[0]), dtype.subdtype[1])
        if dtype.char != "T":
            return dtype.str
    if dtype.names is not None:
        return _describe_structure(dtype)
    if dtype.char == "T" and dtype.type.__module__ in ("numpy", "builtins"):
        # Without an `na_object`, the attribute does not exist.
        missing = (dtype.na_object,) if hasattr(dtype, "na_object") else ()
        return ("string", bool(dtype.coerce), missing)
    return ("of", dtype.type.__module__, dtype.type.__name__)


def _describe_structure(dtype: Any) -> Any:
    fields = []
    for name in dtype.names:
        field, offset, *title = dtype.fields[name]
        fields.append((name, describe(field), offset, title[0] if title else None))
    is_record = dtype.type is np.record
    return ("struct", tuple(fields), dtype.itemsize, bool(dtype.isalignedstruct), is_record)


def build_dtype(description: Any) -> Any:
    """Return the NumPy dtype of a description."""
    if isinstance(description, str):
        found = _built.get(description)
        if found is None:
            if not _CODE.fullmatch(description):
                raise ValueError(f"no dtype: {description!r}")
            found = _built[description] = np.dtype(description)
        return found
    kind, *rest = description
    return _BUILDERS[kind](*rest)


def _build_structure(fields: Any, itemsize: int, aligned: bool, is_record: bool) -> Any:
    layout: dict[str, Any] = {
        "names": [field[0] for field in fields],
        "formats": [build_dtype(field[1]) for field in fields],
        "offsets": [field[2] for field in fields],
        "itemsize": itemsize,
    }
    if any(field[3] is not None for field in fields):
        layout["titles"] = [field[3] for field in fields]
    dtype = np.dtype(layout, align=bool(aligned))
    return np.dtype((np.record, dtype)) if is_record else dtype


def _build_sub(base: Any, shape: tuple[int, ...]) -> Any:
    return np.dtype((build_dtype(base), tuple(shape)))


def _build_string(coerce: bool, missing: tuple[Any, ...]) -> Any:
    dtypes: Any = getattr(np, "dtypes", None)
    if not hasattr(dtypes, "StringDType"):
        raise TypeError(
            f"an array of numpy.dtypes.StringDType needs NumPy 2, and here is {np.__version__}: "
            "pass array.astype(object) or array.astype('U')"
        )
    options = {"na_object": missing[0]} if missing else {}
    return dtypes.StringDType(coerce=bool(coerce), **options)


def _build_foreign(module: str, name: str) -> Any:
    """Return a dtype that another library adds to NumPy's: the bfloat16 of ml_dtypes, say."""
    if module.partition(".")[0] != "ml_dtypes":
        raise ValueError(f"no known dtype: {module}.{name}")
    found = getattr(importlib.import_module("ml_dtypes"), name)
    if not (isinstance(found, type) and issubclass(found, np.generic)):
        raise ValueError(f"no dtype: {module}.{name}")
    return np.dtype(found)


_BUILDERS: dict[str, Any] = {
    "struct": _build_structure,
    "sub": _build_sub,
    "string": _build_string,
    "of": _build_foreign,
}
