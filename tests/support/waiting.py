"""Waiting for conditions, with a deadline, in place of sleeping; and how long things take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(condition: Callable[[], Any], timeout: float = 10.0, *, fail: bool = True) -> bool:
    """Wait until the condition holds; say whether it did, or fail the test if it did not."""
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not condition():
        if time.monotonic() > deadline:
            if fail:
                raise AssertionError(f"not within {timeout:g} s: {condition}")
            return False
        time.sleep(pause)
        pause = min(0.05, pause * 1.5)
    return True


def best_is_below(limit: float, seconds: Callable[[], float], attempts: int = 3) -> bool:
    """Say whether something takes less than so many seconds, if nothing else takes its time.

    Other tests run on the same cores: so only all attempts together can be too slow.
    """
    return any(seconds() < limit for _ in range(attempts))
