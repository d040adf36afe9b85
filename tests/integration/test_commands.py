"""Shell commands, and the environment variables that workers get."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Launch
from wetlands import Environment
from wetlands.errors import ConfigurationError, WorkerStartError

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell")


def output(process: Any) -> str:
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    return str(out)


# -- execute_commands ------------------------------------------------------------------------------


def test_commands_run_with_the_programs_of_the_environment_first(env: Environment) -> None:
    process = env.execute_commands(
        ["python -c 'import sys; print(sys.executable)'"], popen_kwargs=PIPES
    )
    assert os.path.samefile(output(process).strip(), sys.executable)


def test_the_first_command_that_fails_ends_them(env: Environment, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    process = env.execute_commands(["true", "exit 7", f"touch {mark}"], wait=True)
    assert process.returncode == 7
    process = env.execute_commands(["false", f"touch {mark}"], wait=True)
    assert process.returncode == 1
    assert not mark.exists()


def test_without_wait_the_process_is_returned_at_once(env: Environment) -> None:
    process = env.execute_commands(["read line"], popen_kwargs={"stdin": subprocess.PIPE})
    assert process.poll() is None
    process.communicate(b"go\n")
    assert process.returncode == 0


def test_activation_commands_run_before_in_the_same_shell(env: Environment) -> None:
    process = env.execute_commands(["echo $MARK"], ["MARK=from-activation"], popen_kwargs=PIPES)
    assert output(process) == "from-activation\n"


def test_commands_may_be_given_for_systems(env: Environment) -> None:
    mine = {"linux": "linux", "darwin": "mac"}[sys.platform]
    commands = {"all": ["echo all"], mine: ["echo mine"], "windows": ["echo windows"]}
    assert output(env.execute_commands(commands, popen_kwargs=PIPES)) == "all\nmine\n"


def test_one_call_does_not_remember_the_variables_of_another(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("one", "two"):
        monkeypatch.setenv("MARK", value)
        assert output(env.execute_commands(["echo $MARK"], popen_kwargs=PIPES)) == f"{value}\n"


def test_options_of_popen_are_the_callers(env: Environment, tmp_path: Path) -> None:
    process = env.execute_commands(["pwd"], popen_kwargs={**PIPES, "cwd": tmp_path})
    assert os.path.samefile(output(process).strip(), tmp_path)


@pytest.mark.parametrize("commands", ["echo", [1], {"solaris": ["echo"]}, {"all": "echo"}])
def test_commands_that_are_no_lists_of_strings_are_refused(env: Environment, commands: Any) -> None:
    with pytest.raises(ConfigurationError, match="commands"):
        env.execute_commands(commands)


def test_commands_need_no_workers(manager: Any) -> None:
    with manager.load("unlaunched", sys.executable) as env:
        assert output(env.execute_commands(["echo hi"], popen_kwargs=PIPES)) == "hi\n"


# -- variables of workers --------------------------------------------------------------------------


def test_worker_env_is_asked_once_for_each_worker(launch: Launch) -> None:
    asked: list[int] = []

    def variables(number: int) -> dict[str, str]:
        asked.append(number)
        return {"CUDA_VISIBLE_DEVICES": str(number)}

    env = launch(max_workers=2, worker_env=variables)
    assert asked == [0, 1]
    for _ in range(2):
        task = env.submit(WORK, "variable", ("CUDA_VISIBLE_DEVICES",)).wait_for(5)
        assert task.result == str(task.worker.slot)  # type: ignore[union-attr]


def test_a_replacement_gets_the_same_variables(launch: Launch) -> None:
    env = launch(
        ["export ACTIVATED=yes"], worker_env=lambda i: {"MINE": os.urandom(4).hex(), "SLOT": str(i)}
    )
    names = ("MINE", "SLOT", "ACTIVATED")
    before = [env.execute(WORK, "variable", (name,)) for name in names]
    env.submit(WORK, "die", ("exit 1",)).wait_for(5)
    assert [env.execute(WORK, "variable", (name,)) for name in names] == before
    assert before[2] == "yes"


def test_pythonpath_of_worker_env_is_honoured(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "on_the_path.py").write_text("def f(): return 'found'")
    env = launch(worker_env=lambda i: {"PYTHONPATH": str(tmp_path)})
    assert env.execute("on_the_path", "f") == "found"


def test_variables_of_the_host_that_belong_to_its_python_do_not_leak(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "of_the_host.py").write_text("")
    (tmp_path / "startup.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONEXECUTABLE", "/nowhere/python")
    monkeypatch.setenv("CONDA_PREFIX", "/nowhere")
    monkeypatch.setenv("ORDINARY", "kept")
    env = launch()
    found = env.execute(WORK, "variables")
    leaked = {"PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONEXECUTABLE", "CONDA_PREFIX"}
    assert not leaked & set(found)
    assert found["ORDINARY"] == "kept"
    assert not env.execute(WORK, "can_import", ("of_the_host",))


def test_packages_beside_wetlands_are_not_importable(env: Environment) -> None:
    root = str(Path(__file__).parents[2])
    code = "import sys; print(*sys.path, sep='\\n')"
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, **PIPES)
    if root in done.stdout.splitlines():
        pytest.skip("wetlands is installed in editable mode, which makes all beside it importable")
    assert root not in env.execute(WORK, "path")


def test_programs_of_the_environment_come_first_on_path(env: Environment) -> None:
    first = env.execute(WORK, "variables")["PATH"].split(os.pathsep)[0]
    assert os.path.samefile(first, Path(sys.executable).parent)


def test_what_activation_commands_export_reaches_workers(launch: Launch, tmp_path: Path) -> None:
    commands = {"all": [f"export MARK='two words\n€' FOLDER={tmp_path}"], "windows": ["exit 1"]}
    env = launch(commands, max_workers=2)
    assert env.execute(WORK, "variable", ("MARK",)) == "two words\n€"
    assert env.execute(WORK, "variable", ("FOLDER",)) == str(tmp_path)


def test_worker_env_wins_over_activation_commands(launch: Launch) -> None:
    env = launch(["export MARK=activation"], worker_env=lambda i: {"MARK": "worker"})
    assert env.execute(WORK, "variable", ("MARK",)) == "worker"


def test_an_activation_command_that_fails_is_shown_with_its_output(launch: Launch) -> None:
    with pytest.raises(WorkerStartError, match="my last words") as caught:
        launch(["echo my last words >&2", "exit 5"])
    assert "status 5" in str(caught.value)
    assert "my last words" in caught.value.log_tail


def test_workers_run_without_a_shell_in_between(env: Environment) -> None:
    import psutil

    for pid in {task.wait_for(5).result for task in env.map_tasks(WORK, "pid", "abcd")}:
        assert psutil.Process(pid).parent().pid == os.getpid()  # type: ignore[union-attr]


def test_the_token_is_on_no_command_line_and_in_no_variable(env: Environment) -> None:
    import psutil

    pid = env.execute(WORK, "pid")
    (link,) = [link for link in _links(env) if link.process.pid == pid]
    process = psutil.Process(pid)
    text = " ".join([*process.cmdline(), *process.environ().values()])
    assert link.token not in text


def _links(env: Environment) -> Any:
    return env._pool._driver._workers.values()  # type: ignore[union-attr]
