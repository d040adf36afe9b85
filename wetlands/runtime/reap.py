"""Finding and ending what workers leave behind; also a program, which survives its host.

    python -I -S reap.py TAG

It is started by its path, by any Python from 3.7 on: standard library only. Its stdin is a pipe
from the host, which nothing but the host's end closes; lines on it name the workers that live
("+pid") and those that have ended ("-pid"); "q" means that all is well. At the end of the pipe
without it, the process groups of the living workers are killed, then, where `/proc` shows it, every
process that has TAG among its environment variables: what workers started in sessions of their own,
whoever its parent is by now.
"""

from __future__ import annotations

import os
import sys

#: The variable that marks workers and whatever they start: "<host>/<slot>.<incarnation>".
VARIABLE = "WETLANDS_WORKER"
#: On every system; the module that says so takes as long to load as all else of this program.
SIGKILL = 9


def kill_tagged(tag: str) -> int:
    """Kill every process whose tag begins with ``tag``; return how many there were.

    Those of other users can't be read and are passed over. Does nothing without `/proc`.
    """
    wanted = f"{VARIABLE}={tag}".encode()
    found = 0
    for pid in _pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                variables = file.read().split(b"\0")
            if any(variable.startswith(wanted) for variable in variables):
                os.kill(pid, SIGKILL)
                found += 1
        except OSError:
            continue
    return found


def _pids() -> list[int]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    return [int(name) for name in names if name.isdigit() and int(name) != os.getpid()]


def main(tag: str) -> None:
    """Wait for the host's end and clean up after it."""
    workers: set[int] = set()
    for line in sys.stdin:
        if line.startswith("q"):
            return
        change = workers.add if line.startswith("+") else workers.discard
        change(int(line[1:]))
    for pid in workers:
        try:
            os.killpg(pid, SIGKILL)
        except OSError:
            continue
    # What was just being started when it was looked for is found the next time; what sleeps in
    # the kernel is found every time, and can't be waited for.
    for _ in range(20):
        if not kill_tagged(tag):
            return


if __name__ == "__main__":
    main(sys.argv[1])
