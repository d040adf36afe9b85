"""Arrays of the caller that lie in segments from the start: submitting one copies nothing.

They are recognised by where they lie, so that a view of one is as good as the whole, as long as it
is contiguous. The segment lives as long as an array of the caller's on it, or a task that uses it.
"""

from __future__ import annotations

import math
import operator
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wetlands.errors import ConfigurationError
from worker_entry.segment import HEADER, exporter
from worker_entry.segment_table import write_entry

if TYPE_CHECKING:
    from wetlands.runtime.segments import HostCarrier
    from worker_entry.carrier import Carrier
    from worker_entry.segment import Segment
    from worker_entry.segment_pool import Lease

#: How workers see an array: a copy that is made page by page as they write, or the caller's own.
MODES = ("in", "inout")


@dataclass(frozen=True)
class _Shared:
    """One segment with an array in it."""

    segment: Segment
    number: int
    private: bool
    start: int
    stop: int
    memory: Any  #: a weak reference to what arrays on it keep alive


class SharedArrays:
    """Makes arrays in segments, and finds the segments of arrays. Safe to use from any thread."""

    def __init__(self, carrier: HostCarrier) -> None:
        self._carrier = carrier
        self._all: dict[int, _Shared] = {}

    def make(self, shape: tuple[int, ...], dtype: Any, mode: str) -> Any:
        """Return a new array; None if there is no space."""
        size = math.prod(shape) * dtype.itemsize
        lease = self._carrier.lease(max(size, 1))
        if lease is None:
            return None
        return import_numpy().ndarray(shape, dtype, self._memory(lease, size, mode))

    def find(self, view: Any) -> tuple[bytes, Any] | None:
        """Return the entry of a buffer in a table, and what keeps it; None if it is no such."""
        if not len(view):
            return None
        address = import_numpy().frombuffer(view, "u1").__array_interface__["data"][0]
        for key, shared in list(self._all.items()):
            memory = shared.memory()
            if memory is None:
                self._all.pop(key, None)
            elif shared.start <= address < shared.stop:
                place, name = shared.segment.place, shared.segment.name
                lease = (place, name, shared.number, shared.private)
                entry = write_entry(*lease, address - shared.start, len(view), shared=True)
                return entry, memory
        return None

    def close(self) -> None:
        """Forget all; from here on they are ordinary arrays."""
        self._all.clear()
        self._carrier.find = None

    def _memory(self, lease: Lease, size: int, mode: str) -> Any:
        import ctypes
        from pickle import PickleBuffer

        segment = lease.segment
        memory = exporter(segment.map)
        memory.lease = lease
        start = ctypes.addressof(memory) + HEADER
        bounds = (start, start + segment.room)
        shared = _Shared(segment, lease.number, mode == "in", *bounds, weakref.ref(memory))
        self._all[id(shared)] = shared
        self._carrier.find = self.find
        return PickleBuffer(memory).raw()[HEADER : HEADER + size]


def empty(carrier: Carrier, shape: Any, dtype: Any, mode: str) -> Any:
    """Return a new array that a carrier's workers share, or an ordinary one if that does as well.

    Raises:
        ConfigurationError: An argument can't be right, or NumPy is missing, or sharing impossible.
        MemoryError: There is no space, and an array elsewhere could not be written to.
    """
    if mode not in MODES:
        raise ConfigurationError(f"mode must be 'in' or 'inout', not {mode!r}")
    numpy = import_numpy()
    kind, sizes = numpy.dtype(dtype), _shape(shape)
    if kind.hasobject:
        raise ConfigurationError(f"an array of {kind} holds references, which can't be shared")
    shared: SharedArrays | None = getattr(carrier, "shared", None)
    found = None if shared is None else shared.make(sizes, kind, mode)
    if found is None and mode == "inout":
        if shared is None:
            raise ConfigurationError(
                "workers can't write to the caller's memory on this system, with Python 3.7, or "
                "where they are launched with trust='data'"
            )
        raise MemoryError(
            "there is no space for an array that workers could write to: release other arrays, or "
            "launch with a larger max_shared_memory"
        )
    return numpy.empty(sizes, kind) if found is None else found


def import_numpy() -> Any:
    """Return NumPy.

    Raises:
        ConfigurationError: The host has none.
    """
    try:
        import numpy
    except ImportError:
        raise ConfigurationError(
            "shared arrays are NumPy arrays: install numpy beside wetlands to make them"
        ) from None
    return numpy


def _shape(shape: Any) -> tuple[int, ...]:
    parts = shape if hasattr(shape, "__iter__") else (shape,)
    try:
        found = tuple(operator.index(part) for part in parts)
    except TypeError:
        found = (-1,)
    if any(part < 0 for part in found):
        raise ConfigurationError(f"a shape is made of whole numbers from 0 on, not {shape!r}")
    return found
