"""Exceptions as descriptions: plain data that any Python on the other side can read.

An exception object is never pickled. Its class may not exist on the other side, its state may
not be picklable, and unpickling it would run its code there.

A description is a dict: `kind` ("exception", "arguments", "target" or "result": what went wrong),
`type` (full name of the class), `message` (its text), `error` (what a person reads, one line or
a few), `traceback` (lines) and `cause` (another description, or None).
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Any

#: How far a chain of causes is followed; cyclic chains exist.
MAX_CAUSES = 16
#: Characters of a message, and lines of a traceback, that are kept.
MAX_MESSAGE = 64 * 1024
MAX_LINES = 400

_HERE = os.path.dirname(os.path.abspath(__file__))


def describe(error: BaseException, kind: str = "exception") -> dict[str, Any]:
    """Return the description of an exception; never raises."""
    return _describe(error, kind, MAX_CAUSES, set())


def plain(message: str, kind: str, type_name: str | None = None) -> dict[str, Any]:
    """Return the description of a failure that is no exception of user code."""
    return {
        "kind": kind,
        "type": type_name,
        "message": message,
        "error": message,
        "traceback": [],
        "cause": None,
    }


def _describe(error: BaseException, kind: str, depth: int, seen: Any) -> dict[str, Any]:
    seen.add(id(error))
    name = _type_name(type(error))
    message = _text(error)
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    follow = cause is not None and depth > 0 and id(cause) not in seen
    return {
        "kind": kind,
        "type": name,
        "message": message,
        "error": f"{name}: {message}" if message else name,
        "traceback": _lines(error),
        "cause": _describe(cause, kind, depth - 1, seen) if follow and cause else None,
    }


def _type_name(cls: type) -> str:
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "<its __str__ raised>"
    # Lone surrogates (from file names, say) are valid in a str and invalid in UTF-8.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) > MAX_MESSAGE:
        text = f"{text[:MAX_MESSAGE]}... ({len(text)} characters)"
    return text


def _lines(error: BaseException) -> list[str]:
    try:
        block = traceback.format_exception(type(error), error, _user_part(error.__traceback__))
    except Exception:  # a __str__ that raises breaks old versions of traceback, too
        block = traceback.format_tb(error.__traceback__)
    text = "".join(block).encode("utf-8", "backslashreplace").decode("utf-8")
    lines = [line[:1000] for line in text.splitlines()]
    if len(lines) > MAX_LINES:
        half = MAX_LINES // 2
        left_out = f"  ... {len(lines) - 2 * half} lines left out ..."
        lines = [*lines[:half], left_out, *lines[-half:]]
    return lines


def _user_part(tb: TracebackType | None) -> TracebackType | None:
    """Skip the frames of the worker itself, which tell a user nothing."""
    start = tb
    while tb is not None:
        name = tb.tb_frame.f_code.co_filename
        if not (name.startswith(_HERE) or name.startswith("<frozen ")):
            return tb
        tb = tb.tb_next
    return start
