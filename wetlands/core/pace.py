"""How long tasks of a kind take: what decides how many of them a worker is given at once."""

from __future__ import annotations

import math
from collections import OrderedDict

#: What one more run counts for in the mean, and after how many the mean is believed.
WEIGHT = 0.125
BELIEVED_AFTER = 3
#: Kinds that are remembered.
KINDS = 1000


class Paces:
    """Running means of the seconds that tasks of each kind take.

    Unlike a mean of all runs it follows a function whose work changes, and one that takes a
    thousand times as long as the others do moves it at once. One thread may change it, any may ask.
    """

    def __init__(self) -> None:
        self._means: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._means)

    def note(self, kind: str, seconds: float) -> None:
        """Take note of a run; one of infinite length is never forgotten."""
        mean, runs = self._means.get(kind, (seconds, 0))
        if math.inf in (mean, seconds):
            mean = seconds = math.inf  # their difference is no number
        else:
            mean += (seconds - mean) * WEIGHT
        self._means[kind] = (mean, min(runs + 1, BELIEVED_AFTER))
        if runs == 0 and len(self._means) > KINDS:
            self._means.popitem(last=False)

    def forget(self, kind: str) -> None:
        """Believe nothing of a kind any more, for a while."""
        if self._means.get(kind, (math.inf, 0))[0] < math.inf:
            del self._means[kind]

    def expect(self, kind: str | None) -> float:
        """Return the seconds that a task of the kind takes most likely; infinite if unknown."""
        if kind is None:
            return math.inf
        mean, runs = self._means.get(kind, (math.inf, 0))
        return mean if runs >= BELIEVED_AFTER else math.inf
