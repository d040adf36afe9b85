"""Memory as a part of a value: out of band where the pickle protocol knows that (PEP 574)."""

from __future__ import annotations

import pickle
from typing import Any


def as_buffer(memory: Any, protocol: int) -> Any:
    """Return what to put into the parts of a value for memory in the order of C."""
    if protocol >= 5:
        return pickle.PickleBuffer(memory)
    return memoryview(memory).tobytes()


def writeable(buffer: Any) -> Any:
    """Return the buffer, or a copy where it can't be written to."""
    if type(buffer) is bytearray or not memoryview(buffer).readonly:
        return buffer
    return bytearray(buffer)
