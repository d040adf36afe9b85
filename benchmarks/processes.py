"""What Linux tells about processes, in /proc."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable
from pathlib import Path

_SWITCHES = re.compile(r"^(?:non)?voluntary_ctxt_switches:\s*(\d+)", re.MULTILINE)
_PRIVATE = re.compile(r"^Private_(?:Clean|Dirty):\s*(\d+) kB", re.MULTILINE)


def private_memory(pid: int) -> int:
    """Return the bytes of memory that a process shares with no other one."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(amount) for amount in _PRIVATE.findall(text)) * 1024


def switches(pids: Iterable[int]) -> int:
    """Return how often threads of processes were put to sleep or interrupted, to this moment.

    The calling thread is left out.
    """
    own = threading.get_native_id()
    found = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            if int(thread.name) != own:
                with contextlib.suppress(OSError):  # a thread that has just ended
                    text = (thread / "status").read_text()
                    found += sum(int(count) for count in _SWITCHES.findall(text))
    return found
