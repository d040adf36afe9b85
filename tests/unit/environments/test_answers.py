"""What interpreters say is kept until they change, and never believed when it is damaged."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from wetlands.environments import answers, probing

PYTHON = Path("/usr/bin/python3")


def test_an_answer_is_kept_until_the_executable_changes(tmp_path: Path) -> None:
    answers.remember(tmp_path / "cache", PYTHON, [1, 2], {"abi": "cp311"})
    assert answers.recall(tmp_path / "cache", PYTHON, [1, 2]) == {"abi": "cp311"}
    assert answers.recall(tmp_path / "cache", PYTHON, [1, 3]) is None
    assert answers.recall(tmp_path / "cache", Path("/other"), [1, 2]) is None


@pytest.mark.parametrize("change", [{"version": 99}, {"answer": 3}, {"fingerprint": None}])
def test_an_answer_of_another_version_is_asked_for_again(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    answers.remember(tmp_path, PYTHON, [1], {})
    (file,) = tmp_path.iterdir()
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert answers.recall(tmp_path, PYTHON, [1]) is None


def test_a_cache_that_cannot_be_written_hurts_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answers.remember(tmp_path / "file" / "cache", PYTHON, [1], {})
    answers.remember(None, PYTHON, [1], {})
    assert answers.recall(None, PYTHON, [1]) is None


SAID = {
    "prefix": "/x", "virtual": False, "base_executable": sys.executable, "version": [3, 11, 7],
    "implementation": "CPython", "abi": "cp311", "platform": "linux_x86_64", "libc": "gnu",
    "pickle_protocol": 5, "path": [],
}  # fmt: skip


def test_a_known_python_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_ask", lambda path: SAID)
    first = probing.probe(sys.executable, cache=tmp_path)
    monkeypatch.setattr(probing, "_ask", None)
    assert probing.probe(sys.executable, cache=tmp_path) == first
    assert first.version == (3, 11, 7)
