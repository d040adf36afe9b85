"""What a pool costs that has nothing to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil

from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.processes import private_memory, switches
from benchmarks.subject import POOL, environment, executor
from benchmarks.timing import Series

WAKING, MEMORY = "wake-ups of an idle pool", "private memory of a worker above bare Python"
_BARE = "import sys; print(flush=True); sys.stdin.read()"


def measure(options: Options) -> list[Series]:
    """Count wake-ups and memory of two workers and of everything that looks after them."""
    if not sys.platform.startswith("linux"):
        print("left out: wake-ups and memory, which are read from /proc")
        return []
    wait = 2.0 if options.smoke else 30.0
    theirs = Series(f"{WAKING}, {POOL}", "a minute")
    with executor():
        _count(theirs, wait / 3)
    ours, memory = Series(WAKING, "a minute"), Series(MEMORY, "MB")
    with environment(2):
        _count(ours, wait)
        bare = _bare_memory()
        for process in _children():
            if "worker_entry" in " ".join(process.cmdline()):
                memory.values.append((private_memory(process.pid) - bare) / 1e6)
    return [ours, theirs, memory]


def _count(series: Series, wait: float) -> None:
    time.sleep(1.0)  # what the last task has stirred up comes to rest
    pids = [os.getpid(), *(child.pid for child in _children())]
    before = switches(pids)
    time.sleep(wait)
    series.values.append((switches(pids) - before) * 60 / wait)


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _bare_memory() -> int:
    command = [sys.executable, "-I", "-c", _BARE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bare:
        assert bare.stdout is not None
        bare.stdout.readline()
        found = private_memory(bare.pid)
        bare.communicate()
    return found


PART = Part(
    "idle",
    "nothing to do",
    measure,
    bars=(Bar(WAKING, WAKING, 0), Bar(MEMORY, MEMORY, 8)),
)
