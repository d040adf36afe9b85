"""What was resolved a short while ago: when it holds, and when it is asked for again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from wetlands.environments.recipe import parse_recipe
from wetlands.environments.resolutions import FRESH, Resolutions

SIMPLE: Mapping[str, Any] = {"pip": ["numpy"]}

Ask = Callable[..., str]


@pytest.fixture(autouse=True)
def an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but an index, whatever is configured where the tests run; nobody asks it."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index.invalid/simple")


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Ask what a recipe is resolved to; the answer is how often the resolver was called."""
    calls: list[str] = []

    def resolve() -> str:
        calls.append("")
        return str(len(calls))

    def ask(recipe: Mapping[str, Any] = SIMPLE, about: str = "cp311") -> str:
        known = Resolutions(tmp_path)
        return known.answer(parse_recipe(recipe), about, resolve, lambda line: None)

    return ask


def kept(root: Path) -> list[Path]:
    return sorted((root / "resolutions").glob("*"))


def test_the_same_question_is_asked_once(ask: Ask) -> None:
    assert [ask(), ask(), ask({"pip": ["NumPy"]})] == ["1", "1", "1"]


def test_another_question_is_asked(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [ask(), ask({"pip": ["scipy"]}), ask(about="cp312")] == ["1", "2", "3"]
    assert ask({"pip": [{"name": "numpy", "dependencies": False}]}) == "4"
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2024-01-01")
    assert ask() == "5"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://other.invalid/simple")
    assert ask() == "6"


def test_an_answer_does_not_hold_for_long(ask: Ask, tmp_path: Path) -> None:
    ask()
    (file,) = kept(tmp_path)
    long_ago = file.stat().st_mtime - FRESH.total_seconds() - 1
    os.utime(file, (long_ago, long_ago))
    assert ask() == "2"
    os.utime(file, (long_ago, long_ago))
    ask({"pip": ["scipy"]})
    assert file not in kept(tmp_path), "what holds no more is removed"


@pytest.mark.parametrize(
    "requirement", ["numpy @ https://index.invalid/numpy.whl", "git+https://index.invalid/it"]
)
def test_what_is_on_no_index_is_looked_at_each_time(ask: Ask, requirement: str) -> None:
    assert [ask({"pip": [requirement]}) for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"])
def test_folders_are_looked_at_each_time(
    ask: Ask, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    assert [ask(), ask()] == ["1", "2"]


def test_local_packages_are_looked_at_each_time(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "setup.py").touch()
    recipe = {**SIMPLE, "local": [{"name": "mine", "path": tmp_path}]}
    assert [ask(recipe), ask(recipe)] == ["1", "2"]
