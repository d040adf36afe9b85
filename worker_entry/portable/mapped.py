"""Memory-mapped arrays: sent as a reference to the file, not as data.

Any view of the map counts, be it strided, as long as it is a `numpy.memmap`; `numpy.asarray(map)`
makes data of one. What the file holds is what the other side sees. A map in mode "c" may differ
from its file, and of one whose file is gone nothing is left to refer to: these go as data.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np

from worker_entry.portable.arrays import reduce_array
from worker_entry.portable.dtypes import build_dtype, describe


def reduce_memmap(protocol: int, array: Any) -> Any:
    """Take a memory-mapped array apart."""
    place = _place(array)
    if place is None:
        return reduce_array(protocol, array.view(np.ndarray))
    path, offset = place
    mode = "r" if array.mode == "r" or not array.flags.writeable else "r+"
    parts = (path, offset, describe(array.dtype), array.shape, array.strides, mode)
    return build_memmap, parts


def _place(array: Any) -> tuple[str, int] | None:
    """Return the file of a map, and where in it the first element lies."""
    path = getattr(array, "filename", None)
    if path is None or array.mode == "c" or array.dtype.hasobject or not array.size:
        return None
    path = os.path.abspath(os.fspath(path))
    if not os.path.isfile(path):
        return None
    # The map of a view is that of the whole, whose `offset` it keeps; addresses tell its own.
    start = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    base = np.frombuffer(array._mmap, np.uint8).__array_interface__["data"][0]
    return path, start + array.__array_interface__["data"][0] - base


def build_memmap(path: str, offset: int, code: Any, shape: Any, strides: Any, mode: str) -> Any:
    """Map the file."""
    dtype = build_dtype(code)
    if mode not in ("r", "r+") or dtype.hasobject:
        raise ValueError("no memory-mapped array")
    spans = [(count - 1) * stride for count, stride in zip(shape, strides)]
    first = offset + sum(span for span in spans if span < 0)
    last = offset + sum(span for span in spans if span > 0) + dtype.itemsize
    memory = np.memmap(path, np.uint8, mode, first, (last - first,))
    array = np.ndarray.__new__(np.memmap, shape, dtype, memory, offset - first, strides)
    array._mmap, array.filename = memory._mmap, memory.filename
    array.offset, array.mode = memory.offset, memory.mode
    return array
