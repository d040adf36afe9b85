"""The time that pools count by: monotonic seconds, less those in which this process did not run.

A program that was suspended, by a closed lid or in a debugger, finds every patience at its end when
it goes on, while what its workers said meanwhile lies unread in the socket. Its workers did nothing
wrong; hence such time does not count.
"""

from __future__ import annotations

import time

#: Lateness that no load explains, in seconds.
LATE = 1.0
#: Seconds in which what lies in the socket is read, before any patience ends.
MARGIN = 0.5


class Clock:
    """Monotonic seconds without interruptions. For the holder of the loop's role."""

    def __init__(self) -> None:
        self.lost = 0.0  #: seconds that did not count

    def now(self) -> float:
        """Return the moment; after an interruption it may lie a little before the last one."""
        return time.monotonic() - self.lost

    def real(self, moment: float) -> float:
        """Return when that moment is in the seconds of `time.monotonic()`."""
        return moment + self.lost

    def note(self, due: float) -> None:
        """Take note that something is done now that was due then, in real seconds."""
        late = time.monotonic() - due
        if late > LATE:
            self.lost += late + MARGIN
