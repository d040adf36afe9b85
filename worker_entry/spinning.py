"""When to look again and again for what is about to come, instead of sleeping until it is there.

To be woken takes some tens of microseconds, as long as the shortest of tasks do, and a round trip
has six of that. Who expects something within that time is better off looking for it, for a moment.
If it does not come in time, because others need the processor or because there is nothing to come,
that moment is lost; so nobody looks the next time, then not the next three times, then seven, and
so on: at worst one time in 32 is wasted. Mutexes spin adaptively for the same reason (Karlin and
others, "Empirical Studies of Competitive Spinning for a Shared-Memory Multiprocessor", SOSP 1991).
"""

from __future__ import annotations

import os
from time import monotonic, sleep
from typing import Callable

#: How long to look, in seconds: a little longer than the other side takes if it is awake.
MOMENT = 0.0005
#: The same for each byte that has to be copied meanwhile, in caches full of other things: as long
#: as it takes if the other side has to be woken, or nobody would begin to look. Beyond `_LONGER`,
#: to be woken costs little in comparison.
_BYTE = 1 / 1e9
_LONGER = 0.002
#: The longest that nobody looks, as a power of two.
MOST = 5

#: What is asked once in so many turns.
RARELY = 8

#: Lets others have the processor that need it.
_give_way = getattr(os, "sched_yield", None) or (lambda: sleep(0))


def moment(carried: int = 0) -> float:
    """Return how long to look, in seconds, for an answer to so many bytes."""
    return MOMENT + min(carried * _BYTE, _LONGER)


class Spinning:
    """Looks, and remembers whether it was worth it. For one thread at a time."""

    def __init__(self) -> None:
        self._vain = 0
        self._pause = 0

    def is_worth_it(self) -> bool:
        """Say whether to look this time."""
        if self._pause > 0:
            self._pause -= 1
            return False
        return True

    def look(
        self,
        comes: Callable[[], object],
        until: float,
        *,
        arrives: Callable[[], object] = bool,
        is_wanted: Callable[[], object] = bool,
    ) -> bool:
        """Ask again and again whether something comes; say whether it did.

        Args:
            comes: Whether it is there.
            until: When to give up, in monotonic seconds.
            arrives: As ``comes``, but asked less often: what is rarer, or takes long to find out.
            is_wanted: Whether to give up, as there is something else to do.
        """
        found, turn = bool(comes()), 0
        while not found and not is_wanted() and monotonic() < until:
            _give_way()
            turn += 1
            found = bool(comes() or (turn % RARELY == 0 and arrives()))
        self._vain = 0 if found else min(self._vain + 1, MOST)
        self._pause = (1 << self._vain) - 1
        return found
