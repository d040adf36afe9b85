"""What a worker imports before its first task: the time of every start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

#: Each takes longer to import than all of `worker_entry`, and few tasks need it.
HEAVY = {"inspect", "logging", "ast", "asyncio", "tempfile", "multiprocessing", "subprocess"}


def test_a_worker_starts_without_what_few_tasks_need() -> None:
    code = (
        "import sys, zmq; before = set(sys.modules); import worker_entry.worker; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())
