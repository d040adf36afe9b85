"""Module files: changed on disk, of the same name, with siblings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.conftest import WORK, Gate
from wetlands import Environment
from wetlands.errors import ConfigurationError
from wetlands.task import TaskStatus


def test_a_changed_file_is_imported_again_before_the_next_task(
    env: Environment, tmp_path: Path
) -> None:
    path = tmp_path / "changing.py"
    for value in range(10, 30):  # of one size, and within one second
        path.write_text(f"def f(): return {value}")
        tasks = [env.submit(path, "f") for _ in range(6)]  # both workers
        assert {task.wait_for(5).result for task in tasks} == {value}


def test_a_changed_sibling_is_imported_again_too(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text("import helper_that_changes as h\ndef f(): return h.WORD")
    for word in ("one", "two", "six"):
        (tmp_path / "helper_that_changes.py").write_text(f"WORD = {word!r}")
        tasks = [env.submit(tmp_path / "user.py", "f") for _ in range(4)]
        assert {task.wait_for(5).result for task in tasks} == {word}


def test_a_running_task_keeps_the_code_it_started_with(
    env: Environment, tmp_path: Path, gate: Gate
) -> None:
    path = tmp_path / "keeping.py"
    text = f"import sys; sys.path.append({str(WORK.parent)!r})\nimport work\n"
    path.write_text(text + "def f(folder): work.hold(folder); return old()\ndef old(): return 1")
    task = env.submit(path, "f", (gate.path,))
    gate.wait_started()
    path.write_text("def f(folder): return 2")
    assert env.execute(path, "f", (gate.path,)) == 2
    gate.release()
    assert task.wait_for(5).result == 1


def test_two_files_of_one_name_in_two_folders_do_not_collide(
    env: Environment, tmp_path: Path
) -> None:
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"WORD = 'helper of {name}'")
        paths.append(tmp_path / name / "same.py")
        paths[-1].write_text(f"import helper\ndef f(): return {name!r}, helper.WORD")
    for _ in range(6):
        for name, path in zip("ab", paths, strict=True):
            assert env.execute(path, "f") == (name, f"helper of {name}")


@pytest.mark.parametrize("stem", ["json", "work", "numpy", "with-a-dash", "two words", "été"])
def test_a_file_may_have_any_name(env: Environment, tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.py"
    path.write_text("import json, os\ndef f(): return json.loads(json.dumps([1]))")
    assert env.execute(path, "f") == [1]
    assert env.execute("json", "dumps", (1,)) == "1"


def test_an_import_inside_a_function_finds_siblings(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("def f():\n    import sibling_late\n    return 1")
    (tmp_path / "sibling_late.py").write_text("")
    assert env.execute(tmp_path / "late.py", "f") == 1
    assert env.execute(WORK, "can_import", ("sibling_late",)) is False


def test_the_path_does_not_grow_with_calls(env: Environment, tmp_path: Path) -> None:
    for i in range(10):
        (tmp_path / f"module_{i}").mkdir()
        path = tmp_path / f"module_{i}" / "m.py"
        path.write_text("import sys\ndef f(): return len(sys.path)")
    lengths = {
        env.execute(tmp_path / f"module_{i}" / "m.py", "f") for _ in range(3) for i in range(10)
    }
    assert len(lengths) == 1


def test_a_broken_file_fails_until_it_is_repaired(env: Environment, tmp_path: Path) -> None:
    path = tmp_path / "repaired.py"
    path.write_text("def f(: return 1")
    task = env.submit(path, "f").wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert "SyntaxError" in (task.error or "")
    path.write_text("def f(): return 1")
    assert [env.submit(path, "f").wait_for(5).result for _ in range(4)] == [1] * 4


def test_nothing_is_written_beside_a_module(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "clean.py").write_text("def f(): return 1")
    env.execute(tmp_path / "clean.py", "f")
    assert os.listdir(tmp_path) == ["clean.py"]


def test_a_function_that_is_not_there_is_named_with_those_that_are(
    env: Environment, tmp_path: Path
) -> None:
    (tmp_path / "small.py").write_text("def one(): pass\ndef two(): pass\nVALUE = 1")
    for name in ("three", "VALUE"):
        error = env.submit(tmp_path / "small.py", name).wait_for(5).error or ""
        assert f"has no function {name}" in error
        assert "one, two" in error


def test_a_file_that_is_not_there_raises_at_submit(env: Environment, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.py"):
        env.submit(tmp_path / "nowhere.py", "f")


def test_a_file_that_vanished_after_submit_fails_its_task(env: Environment, tmp_path: Path) -> None:
    path = tmp_path / "vanishing.py"
    path.write_text("def f(): return 1")
    task = env.submit(path, "f", start=False)
    path.unlink()
    assert "there is no file" in (task.start().wait_for(5).error or "")


def test_a_module_that_is_not_installed_fails_its_task(env: Environment) -> None:
    error = env.submit("no_such_module", "f").wait_for(5).error or ""
    assert "no_such_module" in error
    assert env.execute(WORK, "echo", (1,)) == 1
