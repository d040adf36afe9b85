"""Which Python a request gets, among those that a machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from wetlands.environments import interpreters
from wetlands.environments.interpreters import Interpreter, choose
from wetlands.environments.python_request import fits
from wetlands.errors import InterpreterNotFoundError


def python(
    version: str, where: str = "", *, implementation: str = "CPython", free: bool = False
) -> Interpreter:
    major, minor, micro = map(int, version.split("."))
    place = Path(f"/{where or version}/bin/python")
    abi = f"cp{major}{minor}{'t' if free else ''}"
    return Interpreter(
        place,
        place.parent.parent,
        (major, minor, micro),
        implementation,
        abi,
        "linux_x86_64",
        5,
        None,
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Interpreter]:
    """The Pythons of a machine, the host's own first."""
    found = [python("3.11.7", "host")]
    monkeypatch.setattr(interpreters, "find_interpreters", lambda *, cache=None: list(found))
    monkeypatch.setattr(interpreters, "_probe_base", lambda path, cache: found[0])
    return found


def test_without_a_wish_it_is_the_hosts_own(machine: list[Interpreter]) -> None:
    machine.append(python("3.13.1"))
    assert choose("") == machine[0]


def test_it_is_the_newest_micro_of_the_newest_minor_that_fits(machine: list[Interpreter]) -> None:
    machine += [
        python("3.9.1"),
        python("3.10.4"),
        python("3.10.13"),
        python("3.10.9"),
        python("3.12.1"),
    ]
    assert choose(">=3.9,<3.11").version == (3, 10, 13)


def test_equals_are_decided_by_the_source_the_host_first(machine: list[Interpreter]) -> None:
    machine += [python("3.11.7", "managed"), python("3.12.1", "first"), python("3.12.1", "second")]
    assert choose("==3.11.*") == machine[0]
    assert choose("==3.12.*") == machine[2]


def test_a_free_threaded_build_is_taken_only_if_there_is_no_other(
    machine: list[Interpreter],
) -> None:
    machine += [python("3.13.1", "free", free=True), python("3.13.0")]
    assert choose("==3.13.*").version == (3, 13, 0)
    del machine[-1]
    assert choose("==3.13.*").abi == "cp313t"


def test_none_that_fits_is_an_error_that_lists_those_found(machine: list[Interpreter]) -> None:
    machine += [python("3.6.15"), python("3.9.1", "pypy", implementation="PyPy")]
    with pytest.raises(InterpreterNotFoundError) as caught:
        choose("==3.9.*")
    assert caught.value.request == "==3.9.*"
    assert len(caught.value.found) == 3
    assert "CPython 3.11.7 (/host/bin/python)" in str(caught.value)
    assert "uv python install 3.9" in str(caught.value)


def test_a_python_that_workers_cannot_run_on_is_not_taken(machine: list[Interpreter]) -> None:
    machine.append(python("3.6.15"))
    with pytest.raises(InterpreterNotFoundError, match="too old"):
        choose("==3.6.*")


@pytest.mark.parametrize(
    ("request_", "version", "expected"),
    [
        ("==3.10.*", (3, 10, 13), True),
        ("==3.1.*", (3, 10, 13), False),
        ("<3.12,>=3.9", (3, 12, 0), False),
        ("~=3.10", (3, 13, 0), True),
        ("", (3, 7, 0), True),
        (">=3.13", (3, 13, 0), True),
    ],
)
def test_versions_are_compared_as_numbers(
    request_: str, version: tuple[int, int, int], expected: bool
) -> None:
    assert fits(request_, version) is expected


@pytest.mark.parametrize(
    ("path", "stub"),
    [
        ("/home/me/.pyenv/shims/python3.10", True),
        ("/home/me/AppData/Local/Microsoft/WindowsApps/python.exe", True),
        ("/home/me/.pyenv/versions/3.10.1/bin/python", False),
        ("/shims/x/bin/python", False),
    ],
)
def test_shims_are_never_started(path: str, stub: bool) -> None:
    assert interpreters._is_stub(Path(path)) is stub


def test_a_frozen_application_is_not_taken_for_a_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.frozen", True, raising=False)
    assert list(interpreters._host_only()) == []
