"""The sparse matrices and arrays of SciPy, by the arrays that they are made of."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp

_COMPRESSED = ("csr", "csc", "bsr")
#: Forms that are built by hand, item by item: sent as coordinates, and made such again.
_BUILT = ("dok", "lil")
#: Rows of a list of lists at most.
MAX_ROWS = 10**6


def reduce_sparse(protocol: int, matrix: Any) -> Any:
    """Take a sparse matrix apart."""
    form, kind = type(matrix).__name__.split("_")
    if form in _COMPRESSED:
        parts: tuple[Any, ...] = (matrix.data, matrix.indices, matrix.indptr)
    elif form == "dia":
        parts = (matrix.data, matrix.offsets)
    else:
        found = matrix.tocoo() if form in _BUILT else matrix
        parts = (found.data, tuple(getattr(found, "coords", None) or (found.row, found.col)))
    return build_sparse, (form, kind, parts, matrix.shape)


def build_sparse(form: str, kind: str, parts: Any, shape: Any) -> Any:
    """Make a sparse matrix, its indices checked."""
    if kind not in ("matrix", "array") or form not in (*_COMPRESSED, *_BUILT, "coo", "dia"):
        raise ValueError(f"no sparse matrix: {form}_{kind}")
    through = "coo" if form in _BUILT else form
    cls = getattr(sp, f"{through}_{kind}", None)
    if form == "lil" and shape[0] > MAX_ROWS:  # each costs a list, whatever is in it
        raise ValueError(f"a lil_{kind} of {shape[0]} rows: pass it as csr_{kind}")
    if cls is None:
        raise TypeError(f"this SciPy has no sparse {form}_array: pass a {form}_matrix")
    made = cls(tuple(parts), shape=tuple(shape))
    if form in _COMPRESSED:
        # What computes with it does not look at the bounds of its memory.
        made.check_format(full_check=True)
    return made.asformat(form) if form in _BUILT else made
