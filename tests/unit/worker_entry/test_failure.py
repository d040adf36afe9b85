"""Exceptions as plain data."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.waiting import best_is_below
from worker_entry import protocol
from worker_entry.failure import MAX_CALLS, MAX_CAUSES, describe, plain


class NoTextError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class QuittingError(Exception):
    def __str__(self) -> str:
        raise SystemExit


def _no_class_error() -> Exception:
    """Return what pytest must not see while it collects: asking for its class raises."""

    def refuse(self: object) -> Any:
        raise RuntimeError

    body = {"__class__": property(refuse), "__cause__": property(refuse)}
    made: Exception = type("NoClassError", (Exception,), body)()
    return made


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def _fits(description: dict[str, Any]) -> None:
    message = protocol.Failure(1, 0, description)
    assert protocol.decode(protocol.encode(message)) == message


def test_an_exception_is_told_by_type_text_and_lines() -> None:
    description = describe(_raised(ValueError("no")))
    assert description["kind"] == "exception"
    assert description["type"] == "ValueError"
    assert description["error"] == "ValueError: no"
    assert description["traceback"][0] == "Traceback (most recent call last):"
    assert description["traceback"][-1] == "ValueError: no"
    assert description["cause"] is None
    assert describe(NoTextError())["type"] == f"{__name__}.NoTextError"
    assert describe(KeyError())["error"] == "KeyError"


def test_causes_and_contexts_are_followed_and_suppressed_ones_are_not() -> None:
    cause, context = ValueError("cause"), OSError("context")
    error = RuntimeError("top")
    error.__context__ = context
    assert describe(error)["cause"]["error"] == "OSError: context"
    error.__cause__ = cause
    assert describe(error)["cause"]["error"] == "ValueError: cause"
    error.__cause__ = None  # `raise ... from None`
    assert error.__suppress_context__
    assert describe(error)["cause"] is None


def test_circles_and_long_chains_of_causes_come_to_an_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    description = describe(first)
    assert description["cause"]["message"] == "second"
    assert description["cause"]["cause"] is None
    first.__cause__ = first
    assert describe(first)["cause"] is None

    error = ValueError("0")
    for number in range(1, 2000):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    description, depth = describe(error), 0
    while description["cause"]:
        description, depth = description["cause"], depth + 1
    assert depth == MAX_CAUSES


@pytest.mark.parametrize("make", [NoTextError, QuittingError, _no_class_error])
def test_perverse_exceptions_are_described_all_the_same(make: Callable[[], Exception]) -> None:
    error = make()
    description = describe(_raised(error))
    assert type(error).__name__ in description["error"]
    _fits(description)


@pytest.mark.parametrize("character", ["x", "\n", "\0", "\udcff", "\U0001f40d"])
@pytest.mark.parametrize("causes", [0, 3, 30])
def test_every_description_fits_on_the_wire(character: str, causes: int) -> None:
    error = _raised(ValueError(character * 500_000))
    for _ in range(causes):
        following = _raised(type("E" * 100_000, (Exception,), {})(character * 100_000))
        following.__cause__ = error
        error = following
    description = describe(error)
    _fits(description)
    assert len(description["message"]) >= 1000
    json.dumps(description).encode("ascii")
    _fits(plain(character * 10_000_000, "result"))


@given(st.text(st.characters(exclude_categories=())))
def test_all_texts_can_be_printed(text: str) -> None:
    description = describe(ValueError(text))
    "".join([description["error"], *description["traceback"]]).encode()
    plain(text, "target")["error"].encode()


def test_long_tracebacks_keep_their_beginning_and_their_end() -> None:
    def down(depth: int) -> None:
        if depth == 0:
            raise ValueError("bottom")
        (down if depth % 2 else lambda d: down(d))(depth - 1)

    with pytest.raises(ValueError, match="bottom") as caught:
        down(600)
    lines = describe(caught.value)["traceback"]
    assert len(lines) <= 401
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "ValueError: bottom"
    assert any("lines left out" in line for line in lines)


def test_of_runaway_recursion_the_ends_are_told_and_not_read_in_between() -> None:
    with pytest.raises(ValueError, match="bottom") as caught:
        raise ValueError("bottom")
    error = caught.value
    frame, calls = sys._getframe(), 200_000
    for _ in range(calls - 1):
        error.__traceback__ = TracebackType(error.__traceback__, frame, frame.f_lasti, 1)
    assert best_is_below(1.0, lambda: _seconds(lambda: describe(error)))
    lines = describe(error)["traceback"]
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "ValueError: bottom"
    assert lines[1].endswith("in " + frame.f_code.co_name)
    assert f"  ... {calls - MAX_CALLS} calls left out ..." in lines
    error.__traceback__ = None


def _seconds(do: Callable[[], object]) -> float:
    begin = time.process_time()
    do()
    return time.process_time() - begin


def _in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    begin = "import os, sys\nfrom worker_entry import failure\nsys.modules.pop('traceback', None)\n"
    return subprocess.run(
        [sys.executable, "-E", "-c", begin + code], capture_output=True, text=True, check=True
    )


def test_an_exception_is_shown_also_where_nothing_can_be_imported() -> None:
    shown = _in_a_process("""
failure.show(ValueError("with a traceback"))
sys.modules.pop("traceback")
sys.meta_path.clear()
failure.show(ValueError("without one"))
""").stderr
    assert shown == "ValueError: with a traceback\nValueError: without one\n"


def test_the_spare_descriptor_is_let_go_and_nobody_elses() -> None:
    _in_a_process("""
failure.reserve()
((number, _),) = failure._spare
failure.prepare()
assert os.open(os.devnull, os.O_RDONLY) == number
sys.modules.pop("traceback")
failure.reserve()
((other, _),) = failure._spare
os.close(other)
assert os.open(os.devnull, os.O_RDONLY) == other
failure.prepare()
os.fstat(other)
""")
