"""Creations that are killed, at any point, and what the next one finds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.conda.channel import Channel
from wetlands import EnvironmentManager

pytestmark = [
    pytest.mark.index,
    pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX"),
]

CREATOR = Path(__file__).parents[1] / "environments" / "creator.py"
REPOSITORY = Path(__file__).parents[3]


@contextlib.contextmanager
def creator(root: Path, wish: dict[str, object]) -> Iterator[subprocess.Popen[str]]:
    """Run a process that creates an environment; its lines are its events."""
    process = subprocess.Popen(
        [sys.executable, str(CREATOR), "create", str(root), "env", json.dumps(wish)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        yield process


def kill_at(process: subprocess.Popen[str], line: int, *, helpers_too: bool) -> bool:
    """Kill a process at its n-th event; tell whether it was still there."""
    assert process.stdout is not None
    for _ in range(line):
        if not process.stdout.readline():
            return False
    helpers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    for helper in helpers if helpers_too else ():
        with contextlib.suppress(psutil.NoSuchProcess):
            helper.kill()
    process.stdout.read()
    process.wait()
    psutil.wait_procs(helpers, timeout=30)
    return True


@pytest.mark.parametrize(
    "helpers_too", [True, pytest.param(False, marks=pytest.mark.long)], ids=["all", "host"]
)
@pytest.mark.parametrize(
    "line", [3, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2, *range(4, 14)))]
)
def test_what_a_killed_creation_leaves_is_mended_by_the_next(
    conda_channel: Channel, tmp_path: Path, line: int, helpers_too: bool
) -> None:
    wish = {"conda": ["needs-old", "actvars"], "channels": [conda_channel.url], "pip": ["idna"]}
    with creator(tmp_path, wish) as process:
        assert kill_at(process, line, helpers_too=helpers_too)
    with EnvironmentManager(tmp_path, progress=False) as manager:
        env = manager.create("env", wish)
        assert env.verify().ok
        env.launch()
        assert env.execute("toolbox", "old_api") == "1.0"
        assert env.execute("os", "getenv", ("ACTVARS_HOME",)) == f"{env.path}/share/actvars"
        litter = [path for path in (tmp_path / "pkgs").glob(".*") if path.is_dir()]
        assert not litter
