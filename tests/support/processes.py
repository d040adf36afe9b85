"""Looking at processes that are none of ours to reap."""

from __future__ import annotations

import psutil


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
