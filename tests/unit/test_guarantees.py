"""Every promise of `docs/guarantees.md` names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and "`" in line]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


def test_every_row_names_a_test() -> None:
    promises = [row for row in ROWS if "---" not in row]
    assert len(promises) > 80
    assert [row for row in promises if not re.search(r"`[\w/]+\.py::\w+` \|$", row)] == []


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_the_tests_of_a_file_exist(path: str) -> None:
    tree = ast.parse((ROOT / "tests" / path).read_text("utf-8"))
    found = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name for named, name in NAMED if named == path} <= found
