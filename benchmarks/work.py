"""What workers run in measurements; nothing but the standard library."""

from __future__ import annotations

import os
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


def meet(folder, count):
    """Return when so many workers are here at the same time."""
    path = os.path.join(folder, str(os.getpid()))
    with open(path, "w"):
        pass
    while len(os.listdir(folder)) < count:
        time.sleep(0.001)


def hold(path):
    """Stay busy until somebody opens and closes the named pipe for writing."""
    with open(path, "rb") as pipe:
        pipe.read()


def spin(seconds):
    """Compute for so long; return who did, and from when to when on the machine's clock."""
    begin = time.monotonic()
    end = begin + seconds
    while time.monotonic() < end:
        pass
    return os.getpid(), begin, time.monotonic()


def pid(_=None):
    """Return the number of the worker's process, after a moment in which others take their turn."""
    time.sleep(0.002)
    return os.getpid()


def hold_gil(seconds, *, task):
    """Say that the work has begun, then sleep in C code without letting go of the GIL."""
    import ctypes

    task.update("begun")
    ctypes.PyDLL(None).sleep(seconds)
