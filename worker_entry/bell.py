"""The worker's end of the bell: a pipe by which it tells its host that it has noted something.

See `wetlands.runtime.bell`.
"""

from __future__ import annotations

import os

from worker_entry.streams import identity


class Bell:
    """Is rung for the host. For one thread at a time.

    Args:
        number: The descriptor; -1 if there is none.
        mark: What to write: who has rung.
    """

    def __init__(self, number: int = -1, mark: bytes = b"") -> None:
        self._number = number
        self._mark = mark
        self._identity = identity(number) if number >= 0 else None

    def is_whole(self) -> bool:
        """Whether the descriptor is still ours: tasks may close what they do not know."""
        return self._identity is not None and identity(self._number) == self._identity

    def ring(self) -> bool:
        """Ring; say whether the host will hear it."""
        if not self.is_whole():
            return False
        try:
            return os.write(self._number, self._mark) == len(self._mark)
        except OSError:  # it is full, or the host is gone
            return False
