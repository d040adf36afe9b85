"""A look at a process: whether a signal has stopped it, and what it has done so far.

On Linux one read of `/proc/<pid>/stat` (proc_pid_stat(5)), 20 microseconds or so, and one of
`status` in the rare case that it is stopped; elsewhere psutil.
Only a stop by a signal counts (T), not that of a tracer (t): a debugger that is at a worker wants
it as it is. Other POSIX systems don't tell one from the other, and Windows knows no such signals.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import psutil

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Sight(NamedTuple):
    """What a look at a process finds.

    Attributes:
        stopped: Whether it stands still because of a signal. Some tools stop and continue a
            process many times a second to slow it down: it moves, as the others show.
        seconds: Processor time that it has taken, of all its threads.
        switches: Of a process that is stopped, how often its main thread has got, and lost, a
            processor, where the system tells.
    """

    stopped: bool = False
    seconds: float = 0.0
    switches: tuple[bytes, ...] = ()


def look_at(pid: int) -> Sight:
    """Return what is seen of a process; if it is gone, nothing."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name before that is in brackets, and may have anything in it.
            fields = file.read().rpartition(b")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        if fields[0] != b"T":
            return Sight(False, seconds)
        return Sight(True, seconds, _switches(pid))
    except (OSError, IndexError):
        pass
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            stopped = os.name == "posix" and process.status() == psutil.STATUS_STOPPED
        return Sight(stopped, times.user + times.system)
    except (psutil.Error, OSError):  # it is gone, or there is no descriptor left to look with
        return Sight()


def _switches(pid: int) -> tuple[bytes, ...]:
    with open(f"/proc/{pid}/status", "rb") as file:
        return tuple(line for line in file if b"ctxt_switches" in line)
