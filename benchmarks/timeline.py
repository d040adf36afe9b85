"""Who worked when: how busy workers were, and whether one idled while tasks waited."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

#: The worker's pid, and from when to when it worked, in seconds on one clock.
Span = tuple[int, float, float]


def busy_share(spans: Iterable[Span], workers: int) -> float:
    """Return the share of the workers' time that was spent on tasks, in percent.

    Up to the beginning of the last task: after that, there is nothing left to share out.
    """
    spans = list(spans)
    first, last = _period(spans)
    worked = sum(max(0.0, min(end, last) - begin) for _, begin, end in spans)
    return 100 * worked / (workers * (last - first)) if last > first else 100.0


def longest_pause(spans: Iterable[Span], workers: int) -> float:
    """Return for how many seconds at most a worker did nothing while there were tasks to begin."""
    spans = list(spans)
    first, last = _period(spans)
    of_worker: dict[int, list[Span]] = defaultdict(list)
    for span in spans:
        of_worker[span[0]].append(span)
    if len(of_worker) < workers:
        return last - first
    return max(_pause(sorted(own, key=_begin), first, last) for own in of_worker.values())


def _pause(spans: list[Span], first: float, last: float) -> float:
    ends = [first, *(end for _, _, end in spans)]
    begins = [*(begin for _, begin, _ in spans), last]
    return max(begin - end for begin, end in zip(begins, ends, strict=True))


def _period(spans: list[Span]) -> tuple[float, float]:
    begins = [_begin(span) for span in spans]
    return min(begins), max(begins)


def _begin(span: Span) -> float:
    return span[1]
