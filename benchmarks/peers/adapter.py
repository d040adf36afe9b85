"""What every pool looks like to the benchmark.

This module runs under the packages of a peer: it has the standard library only.
"""

from __future__ import annotations

import time
from typing import Any

#: Chunks of a map, for pools that leave that to their users.
CHUNKS = 64


class Adapter:
    """A pool behind five calls; what it can't do gives None.

    Subclasses have `start`, `stop`, `submit` and `result`, and `mapped` where the pool has a map of
    its own. They import what they need in `start`, not before.

    Attributes:
        name: For people.
        requirements: The packages that it needs.
        note: What is to be known about how it is used here.
    """

    name: str = ""
    requirements: tuple[str, ...] = ()
    note: str = ""

    def start(self, workers: int) -> None:
        """Start the pool."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it, with all its processes."""
        raise NotImplementedError

    def submit(self, value: Any) -> Any:
        """Submit a no-op that returns its argument; return something for `result`."""
        raise NotImplementedError

    def result(self, handle: Any) -> Any:
        """Wait for the result of a submission."""
        return handle.result()

    def mapped(self, count: int) -> list[Any] | None:
        """Return the results of a no-op over a range."""
        return None

    def submit_one_roundtrip(self, n: int) -> list[float]:
        """Make ``n`` calls one after the other; return the seconds that each took."""
        found = []
        for number in range(n):
            begin = time.perf_counter()
            value = self.result(self.submit(number))
            found.append(time.perf_counter() - begin)
            assert value == number, f"{value!r} came back in place of {number}"
        return found

    def submit_many(self, n: int) -> float | None:
        """Submit ``n`` calls and wait for all of them; return the seconds that it took."""
        begin = time.perf_counter()
        values = [self.result(handle) for handle in [self.submit(number) for number in range(n)]]
        took = time.perf_counter() - begin
        assert values == list(range(n)), "a result is missing, or not in its place"
        return took

    def map(self, n: int) -> float | None:
        """Map over ``n`` items with what the pool has for that; return the seconds, or None."""
        begin = time.perf_counter()
        values = self.mapped(n)
        took = time.perf_counter() - begin
        assert values is None or values == list(range(n)), "a result is missing, or misplaced"
        return None if values is None else took
