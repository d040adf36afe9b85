"""Functions of a program give in every Python what they give here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.foreign import run_there
from tests.unit.callables.conftest import Program

SAMPLES = Path(__file__).parent / "samples.py"


def test_samples_give_the_same_in_every_python(program: Program, python: tuple[str, str]) -> None:
    module = program(SAMPLES.read_text())
    wrong: list[Any] = []
    arguments = {module.SAMPLES[-1]: ["text"]}
    for sample in module.SAMPLES:
        args = arguments.get(sample, [])
        found = run_there(*python, sample, args)[0]
        # Called once, and only now: what it changes in itself must not be sent.
        expected = json.loads(json.dumps(sample(*args)))
        if found != expected:
            wrong.append((sample, found, expected))
    assert not wrong


def test_tracebacks_name_the_file_and_quote_the_line(
    program: Program, python: tuple[str, str]
) -> None:
    module = program(SAMPLES.read_text())
    text = run_there(*python, module.in_a_helper, [])[0]
    lines = SAMPLES.read_text().splitlines()
    number = lines.index("    return 1 / (LIMIT - 10)") + 1
    assert f'File "{module.__file__}", line {number}, in raises' in text
    assert "return 1 / (LIMIT - 10)" in text
    assert text.endswith("ZeroDivisionError: division by zero\n")
