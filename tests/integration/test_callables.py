"""Functions of this process in workers of other minor versions of Python."""

from __future__ import annotations

import functools
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.pythons import SUPPORTED, interpreters
from wetlands import Environment, EnvironmentManager
from wetlands.errors import SerializationError
from wetlands.task import TaskStatus

HOST = f"{sys.version_info[0]}.{sys.version_info[1]}"
USUAL = ("3.8", HOST, "3.13")
LIMIT = 10


@pytest.fixture(
    scope="module",
    params=[
        minor if minor in USUAL else pytest.param(minor, marks=pytest.mark.long)
        for minor in SUPPORTED
    ],
)
def env(request: pytest.FixtureRequest, manager: EnvironmentManager) -> Iterator[Environment]:
    if request.param not in interpreters():
        pytest.skip(f"Python {request.param} is not installed here")
    with manager.load(f"callables-{request.param}", interpreters()[request.param]) as env:
        env.launch()
        yield env


def is_host(env: Environment) -> bool:
    return f"{env.interpreter.version[0]}.{env.interpreter.version[1]}" == HOST


@dataclass
class Item:
    number: int
    note: str | None = None

    def doubled(self) -> Item:
        return Item(2 * self.number, self.note)


def helper(x: int) -> int:
    return x + LIMIT


def test_a_nested_function_with_globals_and_a_closure(env: Environment) -> None:
    factor = 3

    def scale(x: int, *, task: Any) -> list[Any]:
        task.update("here", current=1, maximum=1)
        return [helper(x) * factor, sys.version_info[:2]]

    task = env.submit(scale, args=(1,)).wait_for(5)
    assert task.result == [33, env.interpreter.version[:2]]
    assert task.message == "here"


def test_map_sends_lambdas_and_partials(env: Environment) -> None:
    offset = 5
    assert list(env.map(lambda x: x + offset, range(4))) == [5, 6, 7, 8]
    assert list(env.map(functools.partial(pow, 2), range(4))) == [1, 2, 4, 8]


def test_an_error_shows_the_line_of_the_host(env: Environment) -> None:
    def fails(x: int) -> float:
        return 1 / (x - LIMIT)  # this line

    task = env.submit(fails, args=(LIMIT,)).wait_for(5)
    number = fails.__code__.co_firstlineno + 1
    assert task.error == "ZeroDivisionError: division by zero"
    assert f'  File "{__file__}", line {number}, in fails' in task.traceback
    assert "    return 1 / (x - LIMIT)  # this line" in task.traceback
    assert not any("worker_entry" in line for line in task.traceback)


def test_a_failure_of_the_rebuilding_fails_that_task_alone(env: Environment) -> None:
    only_here = types.ModuleType("only_here")

    def uses_it() -> Any:
        return only_here.x

    sys.modules["only_here"] = only_here
    only_here.__spec__ = sys.__spec__  # or cloudpickle would send the module by value
    try:
        task = env.submit(uses_it).wait_for(5)
    finally:
        del sys.modules["only_here"]
    assert task.status is TaskStatus.FAILED
    assert "the function can't be rebuilt in this environment" in (task.error or "")
    assert "No module named 'only_here'" in (task.error or "")
    assert env.execute(lambda: 1) == 1


def test_what_a_function_keeps_stays_between_tasks_of_the_same_function(env: Environment) -> None:
    if is_host(env):
        pytest.skip("by value, each task gets a copy of its own")
    seen: list[int] = []

    def remember(x: int) -> list[int]:
        seen.append(x)
        return seen

    assert env.execute(remember, args=(1,)) == [1]
    assert env.execute(remember, args=(2,)) == [1, 2]
    seen.append(5)  # another closure is another function
    assert env.execute(remember, args=(3,)) == [5, 3]


def test_globals_are_those_of_the_moment_of_submission(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit() -> int:
        return LIMIT

    assert env.execute(limit) == 10
    monkeypatch.setattr(sys.modules[__name__], "LIMIT", 11)
    assert env.execute(limit) == 11


def test_instances_of_its_classes_are_arguments_and_results(env: Environment) -> None:
    if is_host(env):
        pytest.skip("by value, a class of a module is a reference")

    def double(item: Item) -> list[Any]:
        return [item.doubled(), isinstance(item, Item)]

    assert env.execute(double, args=(Item(4, "n"),)) == [Item(8, "n"), True]


def test_what_cannot_be_captured_is_named_at_submit(env: Environment) -> None:
    def ended() -> Any:
        return generator

    generator = (n for n in range(3))
    with pytest.raises(SerializationError, match="generator") as caught:
        env.submit(ended)
    assert caught.value.where == "target"
    if not is_host(env):
        assert "ended uses 'generator' of type generator" in str(caught.value)


def test_syntax_that_the_worker_lacks_is_refused_at_submit(env: Environment) -> None:
    def modern(x: Any) -> int:
        match x:
            case 1:
                return 2
        return 3

    if env.interpreter.version >= (3, 10):
        assert env.execute(modern, args=(1,)) == 2
        return
    line = modern.__code__.co_firstlineno + 1
    with pytest.raises(SerializationError, match="Pattern matching") as caught:
        env.submit(modern, args=(1,))
    assert f"{__file__}, line {line}, in " in str(caught.value)
    minor = ".".join(map(str, env.interpreter.version[:2]))
    assert f"the worker runs Python {minor}" in str(caught.value)


SCRIPT = """
import sys
from dataclasses import dataclass
import helpers
from helpers import Thing, twice
from wetlands import EnvironmentManager

BASE = 100

@dataclass
class Reading:
    value: int

def shifted(x):
    return x + BASE

def work(reading: Reading, thing):
    import deferred
    assert isinstance(thing, Thing)
    return Reading(twice(shifted(reading.value)) + helpers.one() + deferred.two()), thing

if __name__ == "__main__":
    with EnvironmentManager(sys.argv[1], progress=False) as manager:
        env = manager.load("there", sys.argv[2])
        env.launch()
        print(env.execute(work, args=(Reading(1), Thing(5))))
        print(list(env.map(lambda n: shifted(n), [1, 2])))
        print(env.execute(Thing(7).get))
"""


def test_a_script_sends_its_functions_and_those_of_files_beside_it(
    env: Environment, manager: EnvironmentManager, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "deferred.py").write_text("def two(): return 2\n")
    (tmp_path / "helpers.py").write_text(
        "import dataclasses\n@dataclasses.dataclass\nclass Thing:\n    n: int\n"
        "    def get(self): return self.n\n"
        "def one(): return 1\ndef twice(x): return 2 * x\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py", str(manager.root), str(env.interpreter.executable)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "(Reading(value=205), Thing(n=5))",
        "[101, 102]",
        "7",
    ]


def test_a_file_that_it_imports_is_loaded_again_when_it_changes(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changing.py").write_text("def value(): return 1\n")
    (tmp_path / "around.py").write_text(
        "import changing\ndef make():\n    def f(): return changing.value()\n    return f\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import around  # type: ignore[import-not-found]

    try:
        function = around.make()
        assert env.execute(function) == 1
        (tmp_path / "changing.py").write_text("def value(): return 2\n")
        assert env.execute(function) == 2
    finally:
        for name in ("around", "changing"):
            del sys.modules[name]


def test_functions_among_arguments_travel_or_are_told_how_to(env: Environment) -> None:
    def apply(function: Any, x: int) -> Any:
        return function(x)

    assert env.execute(functools.partial(apply, lambda x: x + LIMIT), args=(1,)) == 11
    if is_host(env):
        assert env.execute(apply, args=(lambda x: x + LIMIT, 1)) == 11
        return
    with pytest.raises(SerializationError, match=r"args\[0\].*submit functools.partial\("):
        env.submit(apply, args=(lambda x: x + LIMIT, 1))


def test_a_function_of_the_main_program_among_arguments_is_told_how_to_travel(
    env: Environment, tmp_path: Path
) -> None:
    if is_host(env):
        pytest.skip("by value, it travels")
    script = tmp_path / "program.py"
    script.write_text(
        "import sys\nfrom wetlands import EnvironmentManager\n"
        "def add(x): return x + 1\n"
        "def apply(f, x): return f(x)\n"
        "with EnvironmentManager(sys.argv[1]).load('there', sys.argv[2]) as env:\n"
        "    env.launch()\n"
        "    print(env.submit(apply, args=(add, 1)).wait_for().error)\n"
    )
    command = [sys.executable, str(script), str(tmp_path), str(env.interpreter.executable)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "args[0]: __main__.add can't be imported in environment 'there'" in told
    assert "submit functools.partial(" in told
