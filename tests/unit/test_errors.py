"""The exceptions: their tree, and that they survive pickling."""

from __future__ import annotations

import concurrent.futures
import inspect
import pickle
import re
from typing import Any

import pytest

from wetlands import errors
from wetlands.errors import ExecutionException, WetlandsError

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value)
    and issubclass(value, BaseException)
    and value.__module__ == errors.__name__
]


def tree() -> dict[str, tuple[str, set[str]]]:
    """Return each name in the docstring's tree, with its parent and its further bases."""
    found: dict[str, tuple[str, set[str]]] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^( +)([A-Z]\w+)(?:\(([\w., ]+)\))?(?:\s|$)", line)
        if not match or len(match[1]) < 4:
            continue
        indent, name, bases = len(match[1]), match[2], match[3]
        while above and above[-1][0] >= indent:
            above.pop()
        parent = above[-1][1] if above else ""
        found[name] = (parent, set((bases or "").replace(" ", "").split(",")) - {""})
        above.append((indent, name))
    return found


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    classes = {}
    for cls in CLASSES:
        parents = [base.__name__ for base in cls.__bases__ if base in CLASSES]
        others = {
            f"concurrent.futures.{base.__name__}"
            if base.__module__.startswith("concurrent.futures")
            else base.__name__
            for base in cls.__bases__
            if base not in CLASSES
        }
        classes[cls.__name__] = (parents[0] if parents else "", others)
    assert tree() == classes


@pytest.mark.parametrize("cls", CLASSES)
def test_it_is_one_of_ours_and_says_what_it_means(cls: type[BaseException]) -> None:
    assert issubclass(cls, WetlandsError)
    assert inspect.getdoc(cls)
    assert "__doc__" in vars(cls)


def attributes(cls: type[BaseException]) -> dict[str, Any]:
    """Return a value for each keyword that the class takes."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    names = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    names |= {n for n in getattr(cls, "__annotations__", {}) if not n.startswith("_")}
    special: dict[str, Any] = {
        "cause": ExecutionException("the cause", ["a line"], type_name="KeyError"),
        "command": ("uv", "pip"),
        "found": ("one", "two"),
        "failures": ("one",),
        "story": ("one",),
        "returncode": -11,
        "worker": 1,
    }
    return {name: special.get(name, f"the {name}") for name in names}


@pytest.mark.parametrize("cls", CLASSES)
def test_it_keeps_its_text_and_attributes_when_pickled(cls: type[BaseException]) -> None:
    given = attributes(cls)
    args: tuple[Any, ...] = ("the text",)
    if issubclass(cls, ExecutionException):
        args = ("the text", ["line 1", "line 2"])
    error = cls(*args, **given)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error)
    assert "the text" in str(again)
    for name, value in given.items():
        if name == "cause":
            assert vars(again.cause) == vars(value)
        else:
            assert getattr(again, name) == value
    if issubclass(cls, ExecutionException):
        assert again.exception == "the text"
        assert again.traceback == ["line 1", "line 2"]


@pytest.mark.parametrize("cls", CLASSES)
def test_it_needs_nothing_but_a_text(cls: type[BaseException]) -> None:
    assert "the text" in str(cls("the text"))


def test_timeouts_and_states_are_also_the_standard_ones() -> None:
    assert issubclass(errors.TaskTimeoutError, TimeoutError)
    assert issubclass(errors.InvalidStateError, concurrent.futures.InvalidStateError)
    assert issubclass(errors.ConfigurationError, ValueError)
