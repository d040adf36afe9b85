"""Exceptions with what they were raised from, which pickle drops."""

from __future__ import annotations

import builtins
import sys
from typing import Any

_POSITION = frozenset(("encoding", "object", "start", "end", "reason"))


def reduce_error(protocol: int, error: BaseException) -> Any:
    """Take an exception apart, with its cause, context and notes, but without its traceback."""
    reduced = error.__reduce_ex__(protocol)
    cls = type(error)
    if not isinstance(reduced, tuple) or reduced[0] is not cls:
        return reduced
    state = reduced[2] if len(reduced) > 2 else None
    if state is not None and type(state) is not dict:
        return reduced
    make, args = reduced[:2]
    if cls.__module__ != "builtins" and hasattr(cls.__init__, "__code__"):
        # Many take other arguments than those that they hand on to `Exception`.
        make, args = build_own_error, (cls, args)
    chain = (error.__cause__, error.__context__, error.__suppress_context__)
    if cls.__module__ == "builtins":
        if sys.version_info < (3, 8):  # whose pickle knows of no function that sets a state
            return build_error, (cls.__name__, reduced[1], state, chain)
        # What it refers to follows, because that may refer to it.
        bare = (cls.__name__, reduced[1], None, (None, None, False))
        return build_error, bare, (state, chain), None, None, fill_error
    if chain == (None, None, False) or _sets_state(cls):
        return (make, args, *reduced[2:])
    # `BaseException.__setstate__` sets them as the attributes that they are; a cause sets the last
    # of them, which therefore has to come behind it.
    names = ("__cause__", "__context__", "__suppress_context__")
    return (make, args, {**(state or {}), **dict(zip(names, chain))}, *reduced[3:])


def _sets_state(cls: type) -> bool:
    return getattr(cls, "__setstate__", None) is not BaseException.__setstate__


def _check_position(error: BaseException, state: Any) -> None:
    # Python itself does not look, and `str(error)` would read memory that is not the object's.
    kinds = (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)
    if isinstance(error, kinds) and (error.start < 0 or not _POSITION.isdisjoint(state)):
        raise ValueError("a position outside of what could not be decoded")


def build_own_error(cls: Any, args: tuple[Any, ...]) -> Any:
    """Make an exception of a user's type; what else it has are its attributes, which follow."""
    try:
        return cls(*args)
    except TypeError:
        return cls.__new__(cls, *args)


def build_error(name: str, args: tuple[Any, ...], state: Any, chain: tuple[Any, ...]) -> Any:
    """Make an exception of a builtin type."""
    cls = getattr(builtins, name, None)
    if not isinstance(cls, type) or not issubclass(cls, BaseException):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise TypeError(f"there is no exception {name!r} in Python {version}")
    error = cls(*args)
    fill_error(error, (state, chain))
    return error


def fill_error(error: Any, rest: tuple[Any, tuple[Any, ...]]) -> None:
    """Give an exception of a builtin type its attributes, cause and context."""
    if not isinstance(error, BaseException) or type(error).__module__ != "builtins":
        raise TypeError(f"no builtin exception, but a {type(error).__name__}")
    state, chain = rest
    for key, value in (state or {}).items():
        if not key.startswith("__") or key == "__notes__":
            setattr(error, key, value)
    _check_position(error, state or {})
    error.__cause__, error.__context__, error.__suppress_context__ = chain
