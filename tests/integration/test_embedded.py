"""Hosts that are no ``python``, but a program of another language with Python in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import psutil
import pytest

from tests.integration.conftest import WORK
from tests.support.pythons import base_python
from tests.support.waiting import wait_until
from wetlands.runtime import folder

SOURCE = Path(__file__).parent / "modules" / "embedding.c"
ROOT = Path(__file__).parents[2]

#: What the program has its Python do. It has no `sys.executable` of its own, as often.
CODE = """
import logging, sys
logging.disable(logging.WARNING)  # of workers that die
sys.executable = {executable}
from wetlands import EnvironmentManager
manager = EnvironmentManager({root!r}, progress=False)
env = manager.load("embedded", {python!r})
env.launch(max_workers=2)
assert list(env.map({work!r}, "echo", range(50))) == list(range(50))
assert env.submit({work!r}, "die", ("SIGKILL",)).wait_for(20).exception.signal == "SIGKILL"
assert env.execute({work!r}, "echo", (5,)) == 5
{end}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled for the Python that runs the tests."""
    compiler = shutil.which("cc")
    library = Path(sysconfig.get_config_var("LIBDIR") or "", f"libpython{_version()}.so")
    include = sysconfig.get_config_var("INCLUDEPY") or ""
    if compiler is None or not library.exists() or not Path(include, "Python.h").exists():
        pytest.skip("a C compiler and a Python that can be embedded are not here")
    file = tmp_path_factory.mktemp("embedding") / "program"
    places = [f"-I{include}", f"-L{library.parent}", f"-Wl,-rpath,{library.parent}"]
    libraries = [f"-lpython{_version()}", "-lpthread"]
    subprocess.run([compiler, "-o", file, SOURCE, *places, *libraries], check=True)
    return file


def _version() -> str:
    return str(sysconfig.get_config_var("LDVERSION"))


@pytest.mark.parametrize(
    ("how", "exits", "executable"),
    [
        ("finalize", True, "''"),
        ("thread", False, "None"),
        ("leave", False, "sys.executable"),
    ],
)
def test_an_embedded_host_works_and_leaves_nothing(
    program: Path, tmp_path: Path, how: str, exits: bool, executable: str
) -> None:
    code = CODE.format(
        root=str(tmp_path / "root"),
        work=str(WORK),
        python=sys.executable,
        executable=executable,
        end="env.exit()" if exits else "",
    )
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    host = subprocess.Popen(
        [program, base_python(), code, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        assert host.stdout is not None
        line = host.stdout.readline()
        assert line == "the program goes on\n", host.communicate()[1]
        started = psutil.Process(host.pid).children(recursive=True)
        if how == "leave":
            assert started  # Python is still there, and so are its workers
        else:
            assert [child for child in started if child.is_running()] == []
        out, err = host.communicate("\n", timeout=10)
    finally:
        host.kill()
        host.communicate()
    assert (host.returncode, out, err) == (0, "", "")
    wait_until(lambda: not any(child.is_running() for child in started), timeout=2)
    folder._sweep(folder._parent())  # as the next host does, when this one had no time for it
