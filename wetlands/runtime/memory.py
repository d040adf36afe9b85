"""How much memory processes take, and whether the kernel has ended some for want of it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def own_memory(pid: int) -> int:
    """Return the bytes that a process has for itself; 0 if it is gone.

    On Linux without mapped files and shared memory: arrays that workers share with their host are
    nobody's own. Elsewhere its resident set.
    """
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            fields = file.read().split()
        return (int(fields[1]) - int(fields[2])) * _PAGE
    except (OSError, IndexError):
        pass
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def kills_for_memory(root: Path = Path("/")) -> int | None:
    """Return how many processes of this process's control group the kernel has ended for memory.

    None where that is not told: without control groups (version 2), or outside Linux.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        (place,) = [line[3:] for line in groups if line.startswith("0::")]
        events = (root / "sys/fs/cgroup" / place.lstrip("/") / "memory.events").read_text()
        counts = dict(line.split() for line in events.splitlines())
        return int(counts["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None


class MemoryKills:
    """Tells whether the kernel has ended a process for memory since it was last asked."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._seen = kills_for_memory(root)

    def happened(self) -> bool:
        """Say whether one was ended since the last call; asked when a worker was killed."""
        count, before = kills_for_memory(self._root), self._seen
        self._seen = count
        return count is not None and before is not None and count > before
