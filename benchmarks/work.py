"""What workers run in measurements."""

from __future__ import annotations

import time


def noop(value=None):
    """Return the argument."""
    return value


def report(value, *, task=None):
    """Report progress once, where that is possible, and return the argument."""
    if task is not None:
        task.update("here", current=1, maximum=1)
    return value


def sleep(seconds, *, task):
    """Say that the work has begun, and do none for a while."""
    task.update("begun")
    time.sleep(seconds)
