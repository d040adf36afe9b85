"""What a worker imports before its first task: the time of every start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: Each takes longer to import than all of `worker_entry`, and few tasks need it.
HEAVY = {"inspect", "logging", "ast", "asyncio", "tempfile", "multiprocessing", "subprocess"}
#: What a task that fails needs, and what is around the core of pyzmq.
LATER = {"traceback", "zmq", "zmq.constants", "zmq.sugar"}


def _run(code: str, folder: Path = ROOT) -> set[str]:
    """Return the words that a program prints; modules of the folder come first."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_worker_starts_without_what_few_tasks_need() -> None:
    loaded = _run("import sys, worker_entry.worker; print(*sys.modules)")
    assert not (HEAVY | LATER) & loaded


@pytest.mark.parametrize("core", ["", "import zmq\nzmq.what_is_not_there_yet"])
def test_another_layout_of_pyzmq_is_imported_as_a_whole(tmp_path: Path, core: str) -> None:
    files = {
        "__init__.py": "from zmq.backend import Context",
        "constants.py": "",
        "error.py": "class ZMQError(Exception): pass",
        "backend/__init__.py": "Context = Socket = zmq_poll = 'ours'",
        "backend/cython/__init__.py": "",
    }
    if core:  # one that needs more of its package than we know of
        files["backend/cython/_zmq.py"] = core
    for name, text in files.items():
        path = tmp_path / "zmq" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert _run(
        "from worker_entry import zeromq; import sys, zmq; "
        "print(zeromq.Context, zmq.Context, type(zmq).__name__, len(sys.meta_path))",
        tmp_path,
    ) == {"ours", "module", _run("import sys; print(len(sys.meta_path))").pop()}
