"""How much memory processes take, and whether the kernel has ended some for want of it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

#: Where groups lie and which of their files has the count, by the controllers that
#: ``/proc/self/cgroup`` names; none in version 2.
_COUNTERS = {
    "": ("sys/fs/cgroup", "memory.events"),
    "memory": ("sys/fs/cgroup/memory", "memory.oom_control"),
}


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

    None where that is not told: without control groups (of version 2, or 1), or outside Linux.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for group in groups:
        _, controllers, place = group.split(":", 2)
        if controllers in _COUNTERS:
            mount, file = _COUNTERS[controllers]
            try:
                counts = (root / mount / place.lstrip("/") / file).read_text().splitlines()
                return int(dict(line.split() for line in counts)["oom_kill"])
            except (OSError, ValueError, KeyError):
                continue
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
