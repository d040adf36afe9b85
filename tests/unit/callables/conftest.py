"""Samples as the functions of a program, and the interpreters that they are sent to."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pythons import SUPPORTED, interpreters
from worker_entry import rebuild

#: Those that every run of the tests covers, beside the host's own; --long takes them all.
USUAL = ("3.7", "3.13")


@pytest.fixture(
    params=[
        minor if minor in USUAL else pytest.param(minor, marks=pytest.mark.long)
        for minor in SUPPORTED
    ]
)
def python(request: pytest.FixtureRequest) -> tuple[str, str]:
    """An interpreter, and its minor version."""
    if request.param not in interpreters():
        pytest.skip(f"Python {request.param} is not installed here")
    return interpreters()[request.param], request.param


Program = Callable[..., Any]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Run a text as a program that no worker can import; return its module."""
    made: list[str] = []

    def run(text: str, name: str = "program_of_a_user", file: str | None = None) -> Any:
        path = tmp_path / "program.py"
        path.write_text(text)
        module = types.ModuleType(name)
        module.__file__ = file or str(path)
        sys.modules[name] = module
        made.append(name)
        exec(compile(text, module.__file__, "exec"), vars(module))
        return module

    yield run
    for name in made:
        del sys.modules[name]
    rebuild.hide_spaces()
