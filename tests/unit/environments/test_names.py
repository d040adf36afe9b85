"""A name must be a folder, and one of its own, on every file system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wetlands.environments.names import check_name, find_twin
from wetlands.errors import ConfigurationError


@pytest.mark.parametrize("name", ["a", "cell pose", "v1.2_x-y", "été", "环境", "a" * 100])
def test_a_name_that_can_be_a_folder_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("a/b", "contains '/'"),
        ("a\\b", "contains"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("-x", "dash"),
        ("x ", "space"),
        ("x\n", "contains"),
        ("a:b", "contains ':'"),
        ("nul", "device"),
        ("COM1.x", "device"),
        ("a" * 101, "longer than 100 bytes"),
        ("环" * 40, "longer than 100 bytes"),
        (3, "must be a str, not int"),
        (None, "must be a str"),
    ],
)
def test_a_name_that_cannot_is_an_error(name: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_name(name)


def test_a_path_as_a_name_points_to_load() -> None:
    with pytest.raises(ConfigurationError, match=r"load\(name, path\)"):
        check_name(Path("envs") / "x")


@pytest.mark.parametrize(("one", "other"), [("Tool", "tool"), ("e\u0301te", "\u00e9te")])
def test_names_that_some_file_system_takes_for_one_are_twins(one: str, other: str) -> None:
    assert find_twin(one, ["x", other]) == other
    assert find_twin(one, [one]) is None
