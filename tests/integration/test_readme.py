"""What README and the documentation show is run: their commands, and their Python.

Python blocks of a page continue each other, as they do for a reader. A comment above a block, which
is invisible to readers, says what is special: ``<!-- file: NAME -->`` is a module that the others
use, ``<!-- fragment -->`` can't run by itself and is only compiled.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.readme import Block, blocks
from tests.support.two_worlds import assert_segmented

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]

pytestmark = pytest.mark.index


def run(command: list[str], cwd: Path, **environ: str) -> str:
    # A home of its own: environments of the default root must not land in the developer's.
    home = {"HOME": str(cwd), "XDG_DATA_HOME": str(cwd / "data"), **environ}
    not_theirs = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
    kept = {name: os.environ[name] for name in os.environ if name not in not_theirs}
    kept.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
    kept.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    kept.setdefault("PIP_NO_COMPILE", "1")  # most of what is installed is never imported
    kept.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    kept.setdefault("PYENV_ROOT", str(Path.home() / ".pyenv"))
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, **home},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    program = []
    for block in blocks(page):
        kind, _, name = block.role.partition(": ")
        assert kind in ("", "file", "fragment"), f"{page.name}:{block.line}: {block.role!r}"
        if kind == "file":
            (tmp_path / name).write_text(block.text, encoding="utf-8")
        if block.language == "python":
            compile(block.text, f"{page.name}:{block.line}", "exec", dont_inherit=True)
            program += [placed(block)] if kind == "" else []
    if program:
        (tmp_path / "page.py").write_text("".join(program), encoding="utf-8")
        run([sys.executable, "page.py"], tmp_path, PYTHONPATH=str(REPOSITORY))


def placed(block: Block) -> str:
    """Return the block behind a line that helps to find it when it fails."""
    return f"# -- line {block.line}\n{block.text}\n"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that are under version control, as they are now."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no clone")
    target = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():  # may be deleted, but still in the index
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
    return target


@pytest.fixture(scope="module")
def commands() -> list[str]:
    return [block.text.strip() for block in blocks(README) if block.language == "sh"]


def test_the_setup_is_two_commands(commands: list[str]) -> None:
    assert len(commands) == 2
    assert all(len(command.splitlines()) == 1 for command in commands)
    assert not any("activate" in command for command in commands)
    first_screen = README.read_text(encoding="utf-8").splitlines()[:45]
    assert all(command in first_screen for command in commands)


@pytest.mark.slow
def test_the_first_command_runs_the_main_example(
    clone: Path, commands: list[str], root: Path
) -> None:
    command = ["sh", "-c", python_of_tests(commands[0])]
    out = run(command, clone, XDG_DATA_HOME=str(root.parent))
    assert_segmented(out, clone / "two_worlds.png")


def test_the_second_command_is_the_one_that_continuous_integration_runs(
    clone: Path, commands: list[str]
) -> None:
    assert commands[1] in (clone / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.long  # in every run, test_requirements.py compares what is imported with what is named
def test_the_second_command_finds_all_it_needs_for_the_tests(
    clone: Path, commands: list[str]
) -> None:
    # The tests themselves are what is running right now: here all are collected, with what they
    # import, and a few quick ones are run.
    assert commands[1].endswith("-m pytest")
    out = run(["sh", "-c", python_of_tests(commands[1]) + " -q -n 0 -k test_names"], clone)
    assert re.search(r"^\d\d passed, \d{4} deselected in ", out, re.M), out


def python_of_tests(command: str) -> str:
    """Return the command, with the Python that runs the tests in the place of python3."""
    assert command.startswith("python3 ")
    return f"'{sys.executable}' {command.removeprefix('python3 ')}"
