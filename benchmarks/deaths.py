"""From the death of a worker to the news of it."""

from __future__ import annotations

import os
import signal
import time

from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.subject import WORK, environment
from benchmarks.timing import Series, seconds

FAILED = "SIGKILL of a busy worker to its task FAILED"


def measure(options: Options) -> list[Series]:
    """Time how long the task of a killed worker takes to fail."""
    failed = Series(FAILED, "ms")
    with environment() as env:
        for _ in range(2 if options.smoke else 20):
            task = env.submit(WORK, "sleep", (60,))
            while task.message is None:  # a task that had not begun would run elsewhere
                time.sleep(0.001)
            assert task.worker is not None
            os.kill(task.worker.pid, signal.SIGKILL)
            failed.add(seconds(task.wait_for))
    return [failed]


PART = Part("deaths", "when workers die", measure, bars=(Bar(FAILED, FAILED, 500),))
