"""Exceptions as descriptions: plain data that any Python on the other side can read.

An exception object is never pickled. Its class may not exist on the other side, its state may
not be picklable, and unpickling it would run its code there.

A description is a dict: `kind` ("exception", "arguments", "target" or "result": what went wrong),
`type` (full name of the class), `message` (its text), `error` (what a person reads, one line or
a few), `traceback` (lines) and `cause` (another description, or None).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import sys
from types import TracebackType
from typing import Any

from worker_entry.streams import identity

#: How far a chain of causes is followed; cyclic chains exist.
MAX_CAUSES = 16
#: Characters of a whole description, shared among its causes. JSON may need twelve bytes for one,
#: and what is larger than `protocol.MAX_HEADER` is no message to the host.
MAX_TEXT = 256 * 1024
MAX_LINES = 400
MAX_LINE = 1000
#: Calls of a traceback that are looked at.
MAX_CALLS = 3000

_DIRECT = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
#: What runs user code and is not user code. (In newer versions these are frozen modules.)
_RUNNERS = (runpy.__file__, importlib.__file__)


#: A descriptor to be closed when `traceback` is loaded and all others are in use, and what it is.
_spare: list[tuple[int, Any]] = []


def reserve() -> None:
    """Make sure that `traceback` can be loaded later, even when tasks have taken all descriptors.

    It takes a fifth of the time of a worker's imports, and few tasks fail.
    """
    if "traceback" not in sys.modules:
        with contextlib.suppress(OSError):
            # Of a pipe, which is like no other file: a task may close it, and have its number next.
            number, end = os.pipe()
            os.close(end)
            _spare.append((number, identity(number)))


def prepare() -> Any:
    """Load and return `traceback`.

    Raises:
        Exception: It can't be found, because a task changed what it is found by.
    """
    while _spare:
        number, ours = _spare.pop()
        if identity(number) == ours:
            os.close(number)
    import traceback

    return traceback


def show(error: BaseException) -> None:
    """Print an exception and its traceback; never raises."""
    try:
        prepare().print_exception(type(error), error, error.__traceback__)
    except BaseException:  # a task changed what modules are found by, say
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "backslashreplace"))


def describe(error: BaseException, kind: str = "exception") -> dict[str, Any]:
    """Return the description of an exception; never raises."""
    try:
        chain = _chain(error)
        room = MAX_TEXT // len(chain)
        described: Any = None
        lines: list[str] = []
        for each in reversed(chain):
            if lines:
                lines += ["", _DIRECT if each.__cause__ is not None else _DURING, ""]
            lines = _shorten(lines + _lines(each, room), room // 3)
            described = _describe(each, kind, room, described, lines)
        return described  # type: ignore[no-any-return]
    except BaseException as trouble:  # classes of exceptions can be as perverse as they like
        name = str(type.__dict__["__name__"].__get__(type(error)))  # what no class can replace
        return plain(f"{name}, which can't be described: {type(trouble).__name__}", kind, name)


def plain(message: str, kind: str, type_name: str | None = None) -> dict[str, Any]:
    """Return the description of a failure that is no exception of user code."""
    message = clean(message, MAX_TEXT // 4)
    return {
        "kind": kind,
        "type": type_name,
        "message": message,
        "error": message,
        "traceback": [],
        "cause": None,
    }


def clean(text: str, limit: int) -> str:
    """Return the text as valid UTF-8 of limited length.

    Lone surrogates (from file names, say) are valid in a str, and in nothing that it is written to.
    """
    length = len(text)
    if length <= limit and text.isascii():
        return text
    text = text[:limit].encode("utf-8", "backslashreplace").decode("utf-8")
    return text if length <= limit else f"{text}... ({length} characters)"


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and len(chain) <= MAX_CAUSES:
        if any(following is each for each in chain):
            break
        chain.append(following)
        cause = following.__cause__
        if cause is None and not following.__suppress_context__:
            cause = following.__context__
        following = cause
    return chain


def _describe(
    error: BaseException, kind: str, room: int, cause: Any, lines: list[str]
) -> dict[str, Any]:
    name = _type_name(type(error))
    message = clean(_text(error), room // 4)
    return {
        "kind": kind,
        "type": name,
        "message": message,
        "error": f"{name}: {message}" if message else name,
        "traceback": lines,
        "cause": cause,
    }


def _type_name(cls: type) -> str:
    name = cls.__qualname__
    if cls.__module__ != "builtins":
        name = f"{cls.__module__}.{name}"
    return clean(name, MAX_LINE)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "<its __str__ raised>"


def _lines(error: BaseException, room: int) -> list[str]:
    # Each cause alone: chains may be long, and only the frames of the user are wanted of each.
    tb = _user_part(error.__traceback__)
    try:
        traceback = prepare()
    except Exception:
        return [clean(f"{_type_name(type(error))}: {_text(error)}", MAX_LINE)]
    try:
        block = _format(traceback, error, tb)
    except BaseException:  # a __str__ that raises breaks old versions of traceback, too
        block = traceback.format_tb(tb, MAX_CALLS)
    text = "".join(block)
    if len(text) > 2 * room:
        text = (
            f"{text[:room]}\n  ... {len(text) - 2 * room} characters left out ...\n{text[-room:]}"
        )
    return [clean(line, MAX_LINE) for line in text.splitlines()]


def _format(traceback: Any, error: BaseException, tb: TracebackType | None) -> list[str]:
    """Return the text of an exception; of runaway recursion only the ends, as all takes seconds."""
    half = MAX_CALLS // 2
    depth, end, call = 0, tb, tb
    while call is not None:
        depth, call = depth + 1, call.tb_next
        if depth > half and end is not None:
            end = end.tb_next  # stays so far from the last call
    if depth <= MAX_CALLS:
        whole: list[str] = traceback.format_exception(type(error), error, tb, chain=False)
        return whole
    head, *last = traceback.format_exception(type(error), error, end, chain=False)
    left_out = f"  ... {depth - 2 * half} calls left out ...\n"
    return [head, *traceback.format_tb(tb, half), left_out, *last]


def _shorten(lines: list[str], room: int) -> list[str]:
    first = _take(lines, room // 2)
    last = _take(lines[len(first) :][::-1], room // 2)[::-1]
    left_out = len(lines) - len(first) - len(last)
    return [*first, f"  ... {left_out} lines left out ...", *last] if left_out else lines


def _take(lines: list[str], room: int) -> list[str]:
    taken: list[str] = []
    for line in lines[: MAX_LINES // 2]:
        room -= len(line)
        if room < 0:
            break
        taken.append(line)
    return taken


def _user_part(tb: TracebackType | None) -> TracebackType | None:
    """Skip the frames of the worker itself, which tell a user nothing."""
    while tb is not None:
        name = tb.tb_frame.f_code.co_filename
        if not (name.startswith((_HERE, "<frozen ")) or name in _RUNNERS):
            return tb
        tb = tb.tb_next
    return None
