"""``python -m benchmarks.queue_memory COUNT`` prints the bytes that a queued no-op takes.

In a process of its own: elsewhere, memory that was freed before would be used again, and not seen.
"""

from __future__ import annotations

import os
import sys

from benchmarks.gate import Gate
from benchmarks.processes import private_memory
from benchmarks.subject import WORK, environment


def bytes_of_a_task(count: int) -> float:
    """Queue tasks behind busy workers; return what each of them adds to the host's memory."""
    with environment() as env, Gate() as gate:
        held = gate.hold(lambda path: env.submit(WORK, "hold", (path,)))
        before = private_memory(os.getpid())
        tasks = [env.submit(WORK, "noop", (i,)) for i in range(count)]
        taken = private_memory(os.getpid()) - before
        gate.open()
        for task in (*held, *tasks):
            task.wait_for()
    return taken / count


if __name__ == "__main__":
    print(bytes_of_a_task(int(sys.argv[1])))
