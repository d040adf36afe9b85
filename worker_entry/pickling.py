"""Values to pickles and back, with portable forms, and code by value where it may cross.

Plain pickle with our dispatch table comes first, also where functions may go by value: cloudpickle
is written in Python and asks about every object, which makes a small array cost five times as much.
What plain pickle would do otherwise shows: it fails at what has no name, and it names `__main__`,
where each side has something else. Only then is the value pickled again by cloudpickle, with the
same portable forms. The price is that `__reduce__` of a user may be called twice.
"""

from __future__ import annotations

import sys
from collections import ChainMap
from functools import partial
from io import BytesIO
from pickle import Pickler, Unpickler
from pickle import loads as _unpickle
from types import CodeType
from typing import Any, Callable, Sequence

from worker_entry.portable.table import Table

# By name, not through the module: a task may replace its functions in the process we share.

_MAIN = b"__main__"
#: The opcode before the size and the bytes of a buffer that can be written to.
_BYTEARRAY = b"\x96"
#: Bytes of buffers in a pickle that are worth to be passed over.
_LONG = 4096
#: Modules that a version moved: each name is tried where the other is not found.
_MOVED = (
    ("numpy._core", "numpy.core"),
    ("pathlib._local", "pathlib"),
)


class NotDataError(Exception):
    """A value is, or holds, something else than data."""


#: Bytes of a pickle after which its pickler is not used again: it keeps what it took.
_SMALL = 64 * 1024


class Pickling:
    """Makes pickles for one other side. Safe to use from any thread.

    Args:
        protocol: Of the pickles.
        by_value: Whether functions and classes that have no name may go by value.
    """

    def __init__(self, protocol: int, by_value: bool) -> None:
        self._protocol = protocol
        self._by_value = by_value
        self._table = Table(protocol)
        self._cloud: Any = None
        self._spare: list[_Press] = []

    def dumps(
        self, value: Any, threshold: float, find: Callable[[Any], Any] | None = None
    ) -> tuple[bytes, list[Any]]:
        """Return the pickle, and the buffers that belong to it: those of at least ``threshold``
        bytes, and those that ``find`` finds (see `Carrier`).

        Raises:
            Exception: Whatever the code of users raises, who say how their types are pickled.
        """
        if not self._by_value:
            return self._dump(value, threshold, find)[:2]
        try:
            pickle, buffers, inside = self._dump(value, threshold, find)
            names_main = _names_main(pickle, inside) if inside else _MAIN in pickle
            if not names_main and not _registered_by_value():
                return pickle, buffers
        except Exception:  # cloudpickle may know how, and else raises the like
            pass
        press = _Press(self._cloud_pickler(), self._protocol)
        return press.dump(value, threshold, find)[:2]

    def _dump(self, value: Any, threshold: float, find: Any) -> tuple[bytes, list[Any], list[int]]:
        self._table.refresh()
        try:
            press = self._spare.pop()
        except IndexError:
            press = _Press(Pickler, self._protocol)
            press.pickler.dispatch_table = self._table
        found = press.dump(value, threshold, find)
        if len(found[0]) < _SMALL:
            press.pickler.clear_memo()
            self._spare.append(press)
        return found

    def _cloud_pickler(self) -> Any:
        if self._cloud is None:
            from cloudpickle import Pickler  # type: ignore[import-untyped,unused-ignore]

            others = Pickler.dispatch_table
            code: dict[type, Any] = {CodeType: partial(_reduce_code, others[CodeType])}
            table = Table(self._protocol, ChainMap(code, others))
            self._cloud = type("CloudPickler", (Pickler,), {"dispatch_table": table})
        self._cloud.dispatch_table.refresh()
        return self._cloud


class _Press:
    """A pickler and what it writes to; making them takes longer than to pickle a small value.

    One that failed is not used again.
    """

    def __init__(self, make: Any, protocol: int) -> None:
        self._out = _Out()
        self._sieve = _Sieve()
        if protocol < 5:
            self.pickler = make(self._out, protocol)
        else:
            self.pickler = make(self._out, protocol, buffer_callback=self._sieve)

    def dump(self, value: Any, threshold: float, find: Any) -> tuple[bytes, list[Any], list[int]]:
        """Return the pickle, the buffers outside of it, and the sizes of large ones inside."""
        sieve, pieces = self._sieve, self._out.pieces
        outside: list[Any] = []
        inside: list[int] = []
        sieve.outside, sieve.inside = outside, inside
        sieve.threshold, sieve.find = threshold, find
        self.pickler.dump(value)
        pickle = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        sieve.outside = sieve.find = None
        return pickle, outside, inside


class _Out:
    """A file for a pickler, which writes once if the pickle is small: nothing is copied again."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.write = self.pieces.append


class _Sieve:
    """Says which buffers stay in the pickle, and collects the others."""

    outside: Any
    inside: list[int]
    threshold: float
    find: Any

    def __call__(self, buffer: Any) -> bool:
        memory = buffer.raw()
        size = len(memory)
        if size < self.threshold and (self.find is None or self.find(memory) is None):
            if size >= _LONG and not memory.readonly:
                self.inside.append(size)
            return True
        self.outside.append(buffer)
        return False


def _names_main(pickle: bytes, inside: list[int]) -> bool:
    """Whether a pickle may name `__main__`, wherever but in the buffers of these sizes.

    They are passed over for speed: looking takes a nanosecond for each byte, as long as all else
    that is done for an array of 10 kB.
    """
    at = 0
    for size in inside:
        begin = pickle.find(_BYTEARRAY + size.to_bytes(8, "little"), at)
        if begin < 0:
            break
        if pickle.find(_MAIN, at, begin) >= 0:
            return True
        at = begin + size
    return pickle.find(_MAIN, at) >= 0


def _reduce_code(reduce: Any, code: CodeType) -> Any:
    """Take a code object apart, with its file, which tracebacks show.

    cloudpickle leaves that out since 3.1, for pickles that are the same wherever the code lies.
    """
    make, args, *rest = reduce(code)
    kept = tuple(code.co_filename if arg == "<dynamic-code>" else arg for arg in args)
    return (make, kept, *rest)


def _registered_by_value() -> bool:
    """Whether a user told cloudpickle to send whole modules by value."""
    module = sys.modules.get("cloudpickle.cloudpickle")
    return bool(getattr(module, "_PICKLE_BY_VALUE_MODULES", None))


def loads(pickle: Any, buffers: Sequence[Any]) -> Any:
    """Return the value of a pickle.

    Raises:
        Exception: A name is missing here, or the code of a user raised.
    """
    try:
        return _unpickle(pickle, buffers=buffers) if buffers else _unpickle(pickle)
    except (ImportError, AttributeError):
        if not names_moved(pickle):
            raise
    return loads_moved(pickle, buffers)


def names_moved(pickle: Any) -> bool:
    """Whether a pickle may name what has another name here; else it need not be tried again."""
    return any(old.encode() in pickle for pair in _MOVED for old in pair)


def loads_moved(pickle: Any, buffers: Sequence[Any]) -> Any:
    """Do what `loads` does for a pickle that does; raises as that."""
    options: dict[str, Any] = {"buffers": buffers} if buffers else {}
    return _Unpickler(BytesIO(pickle), **options).load()


def find(module: str, name: str) -> Any:
    """Return what a pickle names.

    Raises:
        ImportError, AttributeError: It is not here.
    """
    return _Unpickler(BytesIO()).find_class(module, name)


class _Unpickler(Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            for pair in _MOVED:
                for here, there in (pair, pair[::-1]):
                    if module == here or module.startswith(f"{here}."):
                        return super().find_class(there + module[len(here) :], name)
            raise
