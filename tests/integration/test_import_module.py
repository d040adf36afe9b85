"""`import_module()`: a remote module as an object."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.integration.conftest import WORK
from wetlands import Environment
from wetlands.task import ExecutionException


def test_functions_of_a_file_are_methods_that_run_in_a_worker(env: Environment) -> None:
    work = env.import_module(WORK)
    assert work.add(1, 2, c=3) == 6
    assert work.pid() in {task.wait_for(5).result for task in env.map_tasks(WORK, "pid", "abcdef")}


def test_functions_of_an_installed_module_too(env: Environment) -> None:
    assert env.import_module("statistics").mean([1, 3]) == 2


def test_the_host_never_imports_the_module(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "only_there.py").write_text("import sys\ndef f(): return 1")
    assert env.import_module(tmp_path / "only_there.py").f() == 1
    assert "only_there" not in sys.modules


def test_errors_of_its_functions_are_raised(env: Environment) -> None:
    with pytest.raises(ExecutionException, match="ValueError: why"):
        env.import_module(WORK).fail("why")


def test_an_unknown_function_is_an_attribute_error_that_lists_the_known(env: Environment) -> None:
    work = env.import_module(WORK)
    with pytest.raises(AttributeError, match=r"nothing.*add.*echo"):
        _ = work.nothing
    for private in ("_private", "__wrapped__", "RudeError"):
        assert not hasattr(work, private)


def test_its_functions_are_listed_by_dir_and_its_repr_names_it(env: Environment) -> None:
    work = env.import_module(WORK)
    assert {"add", "echo"} <= set(dir(work))
    assert "work.py" in repr(work)


def test_a_module_that_cannot_be_imported_raises(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(ExecutionException, match="ZeroDivisionError"):
        env.import_module(tmp_path / "bad.py")
    with pytest.raises(ExecutionException, match="no_such_module"):
        env.import_module("no_such_module")
    assert env.execute(WORK, "echo", (1,)) == 1


def test_a_function_with_a_parameter_named_name_or_args_can_be_called(
    env: Environment, tmp_path: Path
) -> None:
    (tmp_path / "odd.py").write_text("def f(name, self, args): return name, self, args")
    assert env.import_module(tmp_path / "odd.py").f(name=1, self=2, args=3) == (1, 2, 3)
