"""Which functions take the handle of their task: those with a parameter named ``task``."""

from __future__ import annotations

import sys
import weakref
from types import FunctionType
from typing import Any


class Signatures:
    """What is known of the functions of this process. For the main thread."""

    def __init__(self) -> None:
        # Weak, or functions that are no longer used, and all that they refer to, would stay.
        self._places: Any = weakref.WeakKeyDictionary()

    def wants_handle(self, function: Any, args: Any, kwargs: Any) -> bool:
        """Whether to inject the handle; a `task` that the caller gives is the caller's."""
        if "task" in kwargs:
            return False
        if type(function) is not FunctionType:  # what is not might compare and hash as it likes
            return _task_place(function) >= len(args)
        place = self._places.get(function)
        if place is None:
            place = self._places[function] = _task_place(function)
        return bool(place >= len(args))


def _task_place(function: Any) -> int:
    """Return after how many positional arguments `task` is still free; -1 if there is none."""
    if type(function) is FunctionType and not function.__dict__:
        # The same without `inspect`, which takes longer to import than all of this package.
        code = function.__code__
        names, count = code.co_varnames, code.co_argcount
        only = getattr(code, "co_posonlyargcount", 0)
        if "task" in names[count : count + code.co_kwonlyargcount]:
            return sys.maxsize
        return names.index("task", only) if "task" in names[only:count] else -1
    import inspect

    try:
        parameters = list(inspect.signature(function).parameters.values())
    except Exception:  # built-in functions may have no signature, and __signature__ may raise
        return -1
    for place, parameter in enumerate(parameters):
        if parameter.name == "task":
            if parameter.kind is parameter.KEYWORD_ONLY:
                return sys.maxsize
            return place if parameter.kind is parameter.POSITIONAL_OR_KEYWORD else -1
    return -1
