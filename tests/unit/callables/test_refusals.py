"""What can't travel as source says so, with what to do; and what is nearly that, and can."""

from __future__ import annotations

import functools
import linecache
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.callables.conftest import Program
from wetlands.callables.finding import SourceError
from wetlands.callables.sending import dump_callable
from worker_entry import rebuild
from worker_entry.codec import Codec

CODEC = Codec(5, by_value=False)


def there_and_back(function: Any, version: tuple[int, int] = (3, 13)) -> Any:
    frame = dump_callable(function, 5, None, version)
    found = CODEC.loads([frame]).function
    rebuild.hide_spaces()
    return found


def refused(function: Any, text: str, version: tuple[int, int] = (3, 13)) -> None:
    with pytest.raises(SourceError, match=text):
        dump_callable(function, 5, None, version)


def test_a_file_that_was_edited_since_is_not_believed(program: Program, tmp_path: Path) -> None:
    module = program("def f(x):\n    return x + 1\n")
    path = tmp_path / "program.py"
    for text in (
        "def f(x):\n    return x + 2\n",
        "def f(x):\n    return len(x)\n",
        "\ndef f(x):\n    return x + 1\n",
        "this is no Python\n",
    ):
        path.write_text(text)
        linecache.checkcache(str(path))
        refused(module.f, "was changed since|can't be found")


def test_what_was_executed_from_a_string_has_no_source() -> None:
    namespace: dict[str, Any] = {"__name__": "nowhere"}
    exec("def f(): return 1\nclass C: pass\ndef g(): return C()", namespace)
    refused(namespace["f"], "source of f .*can't be found: put it into a file")


def test_a_class_without_source_is_named(program: Program) -> None:
    module = program("import abc\ndef f(): return C()\n")
    exec("class C: pass", vars(module))
    refused(module.f, "source of class C .* can't be found: define it with a class statement")


def test_lambdas_of_one_line_are_told_apart_or_refused(program: Program) -> None:
    module = program(
        "a, b = lambda x: x + 1, lambda x: x + 2\nc, d = lambda x: x, lambda x: x\n"
        "e, f = lambda x: x * 1, lambda x:  x * 1\n"
    )
    assert [there_and_back(each)(1) for each in (module.a, module.b)] == [2, 3]
    assert there_and_back(module.c)(5) == 5
    refused(module.e, "write a def in place of the lambda")


def test_the_captured_value_that_cannot_be_pickled_is_named(program: Program) -> None:
    module = program(
        "import threading\nlock = threading.Lock()\nfine = [1]\n"
        "def f(): return helper(), fine\ndef helper(): return lock\n"
    )
    refused(module.f, "helper uses 'lock' of type _thread.lock, which can't be pickled")
    refused(functools.partial(len, threading.Lock()), "pickle '_thread.lock'")


def test_a_class_that_needs_variables_of_a_function_says_so() -> None:
    size = 3

    def tag(cls: Any) -> Any:
        return cls

    @tag
    class Sized:
        double = size * 2

    refused(lambda: Sized(), "class .*Sized uses size, tag of the function around it")


@pytest.mark.parametrize(
    ("text", "line", "version"),
    [
        ("def f(x):\n    y = 1\n    if (z := x):\n        return z\n", 3, (3, 7)),
        ("def f(x, /):\n    return x\n", 1, (3, 7)),
        ("def f(x):\n    return 1\\\n     + (lambda y, /: y)(x)\n", 2, (3, 7)),
        ("def f(x):\n    try:\n        pass\n    except* ValueError:\n        pass\n", 2, (3, 10)),
        (
            "class C:\n  def f(self, x):\n    match x:\n      case 1: return 2\nf = C().f\n",
            3,
            (3, 9),
        ),
    ],
)
def test_newer_syntax_is_refused_with_its_line(
    program: Program, text: str, line: int, version: tuple[int, int]
) -> None:
    if sys.version_info < (3, 11) and "except*" in text:
        pytest.skip("the host has no such syntax")
    module = program(text)
    here = f"{module.__file__}, line {line}, in .* and the worker runs Python 3.{version[1]}$"
    refused(module.f, here, version)
    assert callable(there_and_back(module.f))


def notebook(cells: list[str]) -> dict[str, Any]:
    """Run cells as IPython does: compiled under names that only linecache knows."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        name = f"<ipython-input-{number}-{hash(cell) & 0xFFFF:x}>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
        exec(compile(cell, name, "exec"), namespace)
    return namespace


def test_cells_of_a_notebook_travel(
    monkeypatch: pytest.MonkeyPatch, python: tuple[str, str]
) -> None:
    import types

    from tests.support.foreign import run_there

    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    cells = [
        "from dataclasses import dataclass\nSCALE = 2\n",
        "@dataclass\nclass Point:\n    x: int = 1\n",
        "@dataclass\nclass Point:\n    x: int = 5\n",  # run again after a change
        "\ndef f(n):\n    return [Point().x * SCALE, 1 // n]\n",
    ]
    vars(main).update(notebook(cells))
    main.f = types.FunctionType(main.f.__code__, vars(main), "f")
    ok, failed = run_there(*python, main.f, [1], [0])
    assert ok == [10, 1]
    assert ", line 3, in f" in failed
    assert "return [Point().x * SCALE, 1 // n]" in failed


# -- bundles in a worker ---------------------------------------------------------------------------


def bundles(sizes: list[int]) -> rebuild.Bundles:
    return rebuild.Bundles(lambda frame: rebuild.Bundle(lambda: sizes.append(1), (), []))


def test_the_same_bytes_are_rebuilt_once_until_the_surroundings_change() -> None:
    kept = bundles([])
    first = kept.load(b"a", ("folder", 0))
    assert kept.load(b"a", ("folder", 0)) is first
    assert kept.load(b"b", ("folder", 0)) is not first
    assert kept.load(b"a", ("folder", 1)) is not first


def test_what_is_kept_is_bounded_in_bytes_and_the_oldest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild.Bundles, "MAX_KEPT", 10)
    kept = bundles([])
    large: dict[bytes, Callable[..., Any]] = {}
    for frame in (b"a" * 4, b"b" * 4):
        large[frame] = kept.load(frame, None)
    assert kept.load(b"a" * 4, None) is large[b"a" * 4]
    huge = kept.load(b"c" * 5, None)
    assert kept.load(b"c" * 5, None) is huge
    assert kept.load(b"a" * 4, None) is large[b"a" * 4]
    assert kept.load(b"b" * 4, None) is not large[b"b" * 4]
    alone = kept.load(b"d" * 50, None)
    assert kept.load(b"d" * 50, None) is alone


def test_spaces_are_shown_while_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.modules["__main__"]
    space = rebuild.make_space("__main__", None)
    rebuild.make_space("nowhere_else", None)
    assert sys.modules["__main__"] is space
    rebuild.hide_spaces()
    assert sys.modules["__main__"] is before
    assert "nowhere_else" not in sys.modules
