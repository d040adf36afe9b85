"""Values to pickles and back, with portable forms, and code by value where it may cross.

Plain pickle with our dispatch table comes first, also where functions may go by value: cloudpickle
is written in Python and asks about every object, which makes a small array cost five times as much.
What plain pickle would do otherwise shows: it fails at what has no name, and it names `__main__`,
where each side has something else. Only then is the value pickled again by cloudpickle, with the
same portable forms. The price is that `__reduce__` of a user may be called twice.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pickle import Pickler, Unpickler
from pickle import loads as _unpickle
from typing import Any, Callable, Sequence

from worker_entry.portable.table import Table

# By name, not through the module: a task may replace its functions in the process we share.

_MAIN = b"__main__"
#: Modules that a version moved: each name is tried where the other is not found.
_MOVED = (
    ("numpy._core", "numpy.core"),
    ("pathlib._local", "pathlib"),
)


class NotDataError(Exception):
    """A value is, or holds, something else than data."""


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

    def dumps(
        self, value: Any, threshold: float, find: Callable[[Any], Any] | None = None
    ) -> tuple[bytes, list[Any]]:
        """Return the pickle, and the buffers that belong to it: those of at least ``threshold``
        bytes, and those that ``find`` finds (see `Carrier`).

        Raises:
            Exception: Whatever the code of users raises, who say how their types are pickled.
        """
        if not self._by_value:
            return self._dump(Pickler, value, threshold, find)
        try:
            pickle, buffers = self._dump(Pickler, value, threshold, find)
            if _MAIN not in pickle and not _registered_by_value():
                return pickle, buffers
        except Exception:  # cloudpickle may know how, and else raises the like
            pass
        return self._dump(self._cloud_pickler(), value, threshold, find)

    def _dump(self, make: Any, value: Any, threshold: float, find: Any) -> tuple[bytes, list[Any]]:
        self._table.refresh()
        buffers: list[Any] = []
        file = BytesIO()
        if self._protocol < 5:
            pickler = make(file, self._protocol)
        else:
            callback = _collector(buffers, threshold, find)
            pickler = make(file, self._protocol, buffer_callback=callback)
        if make is Pickler:
            pickler.dispatch_table = self._table
        pickler.dump(value)
        return file.getvalue(), buffers

    def _cloud_pickler(self) -> Any:
        if self._cloud is None:
            from cloudpickle import Pickler  # type: ignore[import-untyped,unused-ignore]

            table = Table(self._protocol, Pickler.dispatch_table)
            self._cloud = type("CloudPickler", (Pickler,), {"dispatch_table": table})
        self._cloud.dispatch_table.refresh()
        return self._cloud


def _collector(buffers: list[Any], threshold: float, find: Any) -> Callable[[Any], bool]:
    def stays_in_band(buffer: Any) -> bool:
        memory = buffer.raw()
        if memory.nbytes < threshold and (find is None or find(memory) is None):
            return True
        buffers.append(buffer)
        return False

    return stays_in_band


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
        if not any(old.encode() in pickle for pair in _MOVED for old in pair):
            raise
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
