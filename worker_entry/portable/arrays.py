"""NumPy's arrays and scalars.

The memory of an array is one part, as it lies there, in the order of C or of Fortran; only where it
lies scattered is it gathered first. The array that is built on the other side is a view of what
arrived. It can always be written to: what is sent is a copy anyhow, and an owner of its own.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from worker_entry.portable.buffers import as_buffer, writeable
from worker_entry.portable.dtypes import build_dtype, describe

#: Kinds of dtypes whose arrays Python knows as buffers.
_EXPORTED = frozenset("biufc")
#: Dtypes of these kinds that were met, and their codes.
_simple: dict[Any, str] = {}
#: Kinds of dtypes whose scalars Python has types for.
_NATIVE = frozenset("biufc")
#: What scalars of a kind are made of.
_MADE_OF = {"b": (bool,), "i": (int,), "u": (int,), "f": (float,), "c": (complex,), "U": (str,),
            "S": (bytes,)}  # fmt: skip
#: How many times larger than its fields a structure that holds objects may be.
MAX_GAPS = 16
#: Where classes of arrays are that add methods to an array, and nothing more. Attributes, asked
#: for when needed: NumPy warns of some.
_VIEWS = {"recarray": "recarray", "matrix": "matrix", "chararray": "char.chararray"}


def reduce_array(protocol: int, array: Any) -> Any:
    """Take an array apart."""
    dtype, flags = array.dtype, array.flags
    code = _simple.get(dtype)
    if code is not None and flags.carray and array.size:  # most arrays, with nothing to ask about
        return build_array, (as_buffer(array, protocol), code, array.shape, "C")
    code = describe(dtype)
    if dtype.kind in _EXPORTED:
        _simple[dtype] = code
    if dtype.names is not None and dtype.hasobject:
        fields = [array[name] for name in dtype.names]
        return build_structure, (fields, code, array.shape, _order(array))
    if dtype.hasobject or dtype.char == "T":
        return build_items, (array.ravel().tolist(), code, array.shape, _order(array))
    order = "C"
    if not flags.c_contiguous:
        if flags.f_contiguous:
            order, array = "F", array.T
        else:
            array = np.ascontiguousarray(array)
    shape = array.shape if order == "C" else array.shape[::-1]
    return build_array, (_memory(array, dtype, protocol), code, shape, order)


def _order(array: Any) -> str:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _memory(array: Any, dtype: Any, protocol: int) -> Any:
    """Return the memory of an array whose order is that of C, as a buffer."""
    if not array.nbytes:
        return b""
    if not array.flags.writeable:
        array = _unlocked(array)
    if dtype.kind not in _EXPORTED:
        array = array.reshape(-1).view(np.uint8)
    return as_buffer(array, protocol)


def _unlocked(array: Any) -> Any:
    """Return a view that may be written to, where its owner allows it.

    Nothing here writes; but the memory of a read-only buffer would have to be copied once more on
    the other side.
    """
    view = array.view()
    try:
        view.flags.writeable = True
    except ValueError:
        return array
    return view


def build_array(buffer: Any, code: Any, shape: Any, order: str) -> Any:
    """Make an array of its memory."""
    dtype = build_dtype(code)
    if dtype.hasobject:
        raise ValueError("memory can't hold references to objects")
    if 0 in shape:
        return np.empty(shape, dtype, order)
    if not dtype.itemsize:
        return np.ndarray(shape, dtype, b"", 0, None, order)
    # Not by ndarray(), which takes a negative length for what it is.
    array = np.frombuffer(writeable(buffer), dtype)
    return array if array.shape == shape else array.reshape(shape, order=order)


def build_items(items: list[Any], code: Any, shape: Any, order: str) -> Any:
    """Make an array of objects, or of texts of any length."""
    dtype = build_dtype(code)
    if dtype.char not in "OT":  # what its size claims nobody has sent
        raise ValueError(f"an array of {dtype} is made of its memory")
    flat = np.empty(len(items), dtype)
    for place, item in enumerate(items):
        flat[place] = item
    array = flat.reshape(shape)
    return array if order == "C" else np.asfortranarray(array)


def build_structure(fields: list[Any], code: Any, shape: Any, order: str) -> Any:
    """Make an array of structures that hold objects, of an array for each field."""
    dtype = build_dtype(code)
    if not dtype.hasobject or len(fields) != len(dtype.names):
        raise ValueError(f"an array of {dtype} is not made of {len(fields)} fields")
    if any(field.shape[: len(shape)] != shape for field in fields):
        raise ValueError("fields of another shape than their array")
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size > MAX_GAPS * sum({id(field): field.nbytes for field in fields}.values()):
        raise ValueError(f"an array of {dtype} has more gaps than fields")
    array = np.empty(shape, dtype, order)
    for name, field in zip(dtype.names, fields):
        array[name] = field
    return array


def reduce_scalar(protocol: int, value: Any) -> Any:
    """Take a scalar apart."""
    dtype = value.dtype
    if dtype.kind in _NATIVE and dtype.char not in "gG":
        return build_scalar, (dtype.str, value.item())
    if dtype.kind == "U":
        return build_scalar, ("U", str(value))
    if dtype.kind == "S":
        return build_scalar, ("S", bytes(value))
    if dtype.hasobject:
        return build_element, (np.array(value, dtype),)
    return build_memory_scalar, (describe(dtype), value.tobytes())


def build_scalar(code: str, value: Any) -> Any:
    """Make a scalar of a value of Python."""
    dtype = build_dtype(code)
    made_of: Any = _MADE_OF.get(dtype.kind, ())
    if type(value) not in made_of:
        raise TypeError(f"a {dtype} is not made of {type(value).__name__}")
    return dtype.type(value)


def build_memory_scalar(code: Any, memory: bytes) -> Any:
    """Make a scalar of its memory."""
    return build_array(memory, code, (), "C")[()]


def build_element(array: Any) -> Any:
    """Return the only element of an array."""
    return array[()]


def reduce_view(protocol: int, array: Any) -> Any:
    """Take an array apart that is of another class, but nothing more."""
    return build_view, (type(array).__name__, array.view(np.ndarray))


def build_view(name: str, array: Any) -> Any:
    """Make an array one of another class."""
    return array.view(attrgetter(_VIEWS[name])(np))


def reduce_masked(protocol: int, array: Any) -> Any:
    """Take a masked array apart."""
    mask = np.ma.getmask(array)
    mask = None if mask is np.ma.nomask else np.asarray(mask)
    data = np.ma.getdata(array, subok=False)
    # Asking for `fill_value` would make one up, by rules that differ between versions.
    filler = getattr(array, "_fill_value", None)
    filler = None if filler is None else np.asarray(filler)
    return build_masked, (data, mask, filler, bool(array.hardmask))


def build_masked(data: Any, mask: Any, filler: Any, hard: bool) -> Any:
    """Make a masked array."""
    mask = np.ma.nomask if mask is None else mask
    array = np.ma.MaskedArray(data, mask=mask, hard_mask=hard)
    if filler is not None:
        array.fill_value = filler[()]
    return array


def reduce_masked_constant(protocol: int, value: Any) -> Any:
    """Take `numpy.ma.masked` apart, of which there is one."""
    return build_masked_constant, ()


def build_masked_constant() -> Any:
    """Return `numpy.ma.masked`."""
    return np.ma.masked


def reduce_ufunc(protocol: int, function: Any) -> Any:
    """Name a universal function where NumPy itself has it."""
    name = function.__name__
    return (build_ufunc, (name,)) if getattr(np, name, None) is function else name


def build_ufunc(name: str) -> Any:
    """Return a universal function of NumPy."""
    function = getattr(np, name)
    if not isinstance(function, np.ufunc):
        raise TypeError(f"numpy.{name} is no universal function")
    return function
