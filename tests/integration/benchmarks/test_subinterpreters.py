"""The script behind docs/interpreters.md, on a Python that has subinterpreters."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.pythons import interpreters

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "subinterpreters.py"


def test_the_script_finds_out_what_interpreters_can_do():
    python = interpreters().get("3.13")
    if python is None:
        pytest.skip("needs Python 3.13")
    done = subprocess.run(
        [python, "-I", SCRIPT, "--smoke", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1:5] == [
        "json",
        "    own GIL: imports",
        "    common GIL: imports",
        "    and again: imports",
    ]
    assert [line.split(",")[0] for line in lines if "over pipes" in line] == [
        f"no-op in another {name}" for name in ("thread", "interpreter", "process")
    ]
    assert lines[-1] == "after os.abort() in an interpreter its process has the status -6"
