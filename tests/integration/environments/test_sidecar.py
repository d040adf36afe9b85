"""pyzmq for every kind of Python, beside its environments, once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wetlands.environments.interpreters import Interpreter
from wetlands.environments.registry import Registry
from wetlands.environments.sidecar import tag_of
from wetlands.errors import EnvironmentBuildError

pytestmark = pytest.mark.index


@pytest.mark.parametrize("minor", ["3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_each_python_can_import_its_sidecar(
    registry: Registry, python_of: Callable[[str], Interpreter], minor: str
) -> None:
    python = python_of(minor)._replace(pyzmq=None)
    folder = registry.sidecar(python)
    assert folder is not None
    assert folder.name == tag_of(python)
    program = "import sys; sys.path.append(sys.argv[1]); import zmq; print(zmq.__file__)"
    command = [str(python.executable), "-I", "-c", program, str(folder)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output.startswith(str(folder))


def test_a_python_with_its_own_pyzmq_needs_none(
    registry: Registry, python_of: Callable[[str], Interpreter]
) -> None:
    assert registry.sidecar(python_of("3.11")._replace(pyzmq="27.0")) is None


def test_it_is_installed_once_and_again_when_it_is_not_whole(
    tmp_path: Path, python_of: Callable[[str], Interpreter]
) -> None:
    python = python_of("3.11")._replace(pyzmq=None)
    messages: list[str] = []

    def get() -> Path | None:
        return Registry(tmp_path).sidecar(python, lambda event: messages.append(event.message))

    with ThreadPoolExecutor(3) as threads:
        folder, *others = threads.map(lambda _: get(), range(3))
    assert folder is not None
    assert others == [folder, folder]
    installed = "installing pyzmq for cp311 workers"
    assert messages.count(installed) == 1

    (folder / "zmq" / "__init__.py").unlink()  # where a kill may leave it
    get()
    marker = folder.with_name(folder.name + ".json")
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "layout": 99}))
    get()
    shutil.rmtree(folder)
    get()
    assert messages.count(installed) == 4


def test_without_a_wheel_the_error_says_what_to_do(
    tmp_path: Path, python_of: Callable[[str], Interpreter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    python = python_of("3.11")._replace(pyzmq=None)
    with pytest.raises(
        EnvironmentBuildError, match="add 'pyzmq' to the environment's own packages"
    ):
        Registry(tmp_path).sidecar(python)
    assert not (tmp_path / "sidecar" / tag_of(python)).exists()
