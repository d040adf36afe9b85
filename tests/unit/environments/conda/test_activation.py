"""Activation scripts: run once, their effect kept, and run again when that may be another."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wetlands.environments.conda.activation import activated, deactivated

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the scripts are those of POSIX")

Activate = Callable[..., dict[str, str]]


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    prefix = tmp_path / "the prefix"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "etc" / "conda" / "activate.d").mkdir(parents=True)
    (prefix / "etc" / "conda" / "env_vars.d").mkdir(parents=True)
    return prefix


@pytest.fixture
def activate(prefix: Path, tmp_path: Path) -> Activate:
    def run(**environ: str) -> dict[str, str]:
        base = {"PATH": f"{prefix}/bin:{os.defpath}", **environ}
        return activated(prefix, base, Path(sys.executable), tmp_path / "cache")

    return run


def script(prefix: Path, text: str, name: str = "one.sh") -> None:
    """Write a script that also notes each time that it runs."""
    noting = f'echo run >> "{prefix}/runs"\n'
    (prefix / "etc/conda/activate.d" / name).write_text(noting + text, encoding="utf-8")


def runs(prefix: Path) -> int:
    return len((prefix / "runs").read_text("utf-8").splitlines())


def test_what_is_no_conda_environment_is_left_as_it_is(tmp_path: Path) -> None:
    assert activated(tmp_path, {"A": "1"}, Path(sys.executable), None) == {"A": "1"}


def test_variables_need_no_shell(prefix: Path, activate: Activate) -> None:
    folder = prefix / "etc/conda/env_vars.d"
    (folder / "a.json").write_text('{"FIRST": "a", "SECOND": "a"}', encoding="utf-8")
    (folder / "b.json").write_text('{"SECOND": "b"}', encoding="utf-8")
    (folder / "c.json").write_text("broken", encoding="utf-8")
    state = '{"env_vars": {"FIRST": "mine", "GONE": "***unset***"}}'
    (prefix / "conda-meta" / "state").write_text(state, encoding="utf-8")
    found = activate()
    assert (found["FIRST"], found["SECOND"]) == ("mine", "b")
    assert "GONE" not in found
    assert found["CONDA_PREFIX"] == found["CONDA_DEFAULT_ENV"] == str(prefix)


def test_scripts_run_in_order_and_once(prefix: Path, activate: Activate) -> None:
    script(prefix, 'export HOME_OF_IT="$CONDA_PREFIX/share"\nexport ORDER=1\n', "a.sh")
    script(prefix, 'export ORDER="${ORDER}2"\nfalse\necho noise\nunset DROPPED\n', "b.sh")
    first = activate(DROPPED="x")
    assert first["HOME_OF_IT"] == f"{prefix}/share"
    assert first["ORDER"] == "12"
    assert "DROPPED" not in first
    assert activate(DROPPED="x") == first
    assert runs(prefix) == 2


def test_what_is_put_around_a_path_is_put_around_the_next_one(
    prefix: Path, activate: Activate
) -> None:
    script(prefix, 'export PATH="/before:$PATH:/after"\nexport LIBS="/mine${LIBS:+:$LIBS}"\n')
    activate(LIBS="/a:/b")
    again = activate(LIBS="/c", PATH="/x:/y")
    assert again["PATH"] == "/before:/x:/y:/after"
    assert again["LIBS"] == "/mine:/c"
    assert runs(prefix) == 1


def test_scripts_run_again_where_the_result_may_be_another(
    prefix: Path, activate: Activate
) -> None:
    script(prefix, 'export LEVEL="1$LEVEL"\n')
    assert activate(LEVEL="1")["LEVEL"] == "11"
    assert activate(LEVEL="2")["LEVEL"] == "12"
    assert runs(prefix) == 2
    script(prefix, 'export LEVEL="changed"\n')
    assert activate(LEVEL="2")["LEVEL"] == "changed"
    assert runs(prefix) == 3


def test_what_the_hosts_own_environment_did_is_undone(
    prefix: Path, activate: Activate, tmp_path: Path
) -> None:
    undo = prefix / "etc/conda/deactivate.d"
    undo.mkdir()
    script(prefix, 'export OF_IT="$CONDA_PREFIX/share"\nexport LEVEL="x$LEVEL"\n')
    (undo / "one.sh").write_text('unset OF_IT\nexport LEVEL="${LEVEL#x}"\n', encoding="utf-8")
    (prefix / "etc/conda/env_vars.d/a.json").write_text('{"FIRST": "a", "SECOND": "b"}', "utf-8")
    inside = activate(LEVEL="1", OTHER="stays")
    assert inside["LEVEL"] == "x1"
    inside["SECOND"] = "changed since"
    outside = deactivated(prefix, inside, Path(sys.executable), tmp_path / "cache")
    gone = {"OF_IT", "FIRST", "CONDA_PREFIX"}
    assert not gone & set(outside)
    assert (outside["LEVEL"], outside["OTHER"]) == ("1", "stays")
    assert outside["SECOND"] == "changed since"
    assert outside["PATH"] == inside["PATH"]
    assert deactivated(prefix, inside, Path(sys.executable), tmp_path / "cache") == outside
    assert deactivated(tmp_path, inside, Path(sys.executable), None) == inside
