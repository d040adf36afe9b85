"""Files run as programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wetlands import Environment
from wetlands.errors import ConfigurationError
from wetlands.task import ExecutionException, TaskStatus

Script = Callable[[str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes a script that can say something by writing to `out`."""

    def script(text: str) -> Path:
        path = tmp_path / "program.py"
        path.write_text(f"import sys\nout = open({str(tmp_path / 'out')!r}, 'w')\n{text}\n")
        return path

    return script


def output(path: Path) -> str:
    return (path.parent / "out").read_text()


def test_a_script_gets_its_arguments_and_its_name(env: Environment, script: Script) -> None:
    path = script("out.write(repr((sys.argv, __name__)))")
    task = env.submit_script(path, args=("--epochs", "10"))
    task.wait_for(5)
    assert task.status is TaskStatus.COMPLETED
    assert output(path) == repr(([str(path), "--epochs", "10"], "__main__"))


def test_the_name_may_be_another(env: Environment, script: Script) -> None:
    path = script("out.write(__name__)")
    env.run_script(path, run_name="not_main")
    assert output(path) == "not_main"


def test_the_result_of_a_script_is_none(env: Environment, script: Script) -> None:
    assert env.submit_script(script("x = 1")).wait_for(5).result is None
    assert env.run_script(script("x = 1")) is None  # type: ignore[func-returns-value]


def test_a_script_may_wait_for_its_start(env: Environment, script: Script) -> None:
    task = env.submit_script(script("out.write('ran')"), start=False)
    assert task.status is TaskStatus.PENDING
    assert task.start().wait_for(5).status is TaskStatus.COMPLETED


@pytest.mark.parametrize("how", ["sys.exit()", "sys.exit(0)", "raise SystemExit"])
def test_exit_status_0_is_success(env: Environment, script: Script, how: str) -> None:
    path = script(f"out.write('ran')\nout.close()\n{how}")
    assert env.submit_script(path).wait_for(5).status is TaskStatus.COMPLETED
    assert output(path) == "ran"


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("sys.exit(3)", "SystemExit: 3"),
        ("sys.exit('my words')", "my words"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("1 / 0", "ZeroDivisionError"),
        ("def (", "SyntaxError"),
        ("import not_a_module", "No module named 'not_a_module'"),
    ],
)
def test_any_other_end_fails_the_script_alone(
    env: Environment, script: Script, how: str, text: str
) -> None:
    task = env.submit_script(script(how)).wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert text in (task.error or "")
    with pytest.raises(ExecutionException):
        env.run_script(script(how))


def test_a_script_finds_its_siblings(env: Environment, script: Script) -> None:
    path = script("import sibling_of_a_script\nout.write(sibling_of_a_script.WORD)")
    (path.parent / "sibling_of_a_script.py").write_text("WORD = 'found'")
    env.run_script(path)
    assert output(path) == "found"


def test_arguments_of_one_script_do_not_reach_the_next(env: Environment, script: Script) -> None:
    path = script("out.write(repr(sys.argv[1:]))")
    for _ in range(4):
        env.run_script(path, args=("secret",))
        env.run_script(path)
        assert output(path) == "[]"


def test_a_changed_script_runs_as_it_is_now(env: Environment, script: Script) -> None:
    for word in ("one", "two", "six"):
        path = script(f"out.write({word!r})")
        env.run_script(path)
        assert output(path) == word


@pytest.mark.parametrize("args", ["--epochs", (1,), [None]])
def test_arguments_must_be_a_sequence_of_strings(
    env: Environment, script: Script, args: Any
) -> None:
    with pytest.raises(ConfigurationError, match="sequence of strings"):
        env.submit_script(script(""), args=args)


def test_a_script_that_is_not_there_is_named(env: Environment, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.py"):
        env.submit_script(tmp_path / "nowhere.py")
