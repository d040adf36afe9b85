"""Malformed messages by the thousand; ``python -m tests.fuzz`` makes as many as one likes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

COUNTS = [4000, pytest.param(500_000, marks=pytest.mark.long)]


def fuzz(*arguments: str) -> str:
    # In a process of its own: the watch for code that runs can't be ended.
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("target", ["wire", "data"])
def test_what_is_damaged_is_refused_and_runs_nothing(target: str, count: int) -> None:
    assert "all is well" in fuzz(target, "--count", str(count))


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris")
@pytest.mark.parametrize("target", ["wire", "data"])
def test_what_finds_its_way_by_coverage_is_refused_too(target: str) -> None:
    assert "Done 50000 runs" in fuzz(target, "--guided", "--count", "50000")


def watched(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.fuzz import targets\ntargets.watch()\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout


def test_the_watch_sees_code_that_runs() -> None:
    code = (
        "import os, pickle\n"
        "try:\n"
        "    pickle.loads(b\"cos\\nsystem\\n(S'true'\\ntR.\")\n"
        "except targets.CodeRanError as error:\n"
        "    print('seen', error)\n"
    )
    assert watched(code).startswith("seen os.system")


def test_the_watch_sees_what_python_only_prints() -> None:
    code = (
        "class Bad:\n"
        "    def __del__(self):\n"
        "        raise ValueError('no')\n"
        "Bad()\n"
        "try:\n"
        "    targets.wire(b'')\n"
        "except targets.ComplaintError as error:\n"
        "    print('seen', error)\n"
    )
    assert watched(code) == "seen ValueError('no')\n"
