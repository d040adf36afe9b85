"""Where a value contains itself in a way that can't be pickled, for the message.

Pickle knows rings through what is made empty and filled later: lists, dicts, the attributes of
objects. What is made of its parts in one go, an array of objects above all, can't lie in one.
"""

from __future__ import annotations

from typing import Any, Iterator

from worker_entry.culprit import MAX_PARTS, parts_of

#: Types of which rings can't be pickled.
_WHOLE = frozenset(("ndarray", "tuple", "frozenset"))
#: Parts that lie in one another, at most: a longer ring is not found.
MAX_DEPTH = 300


def find_ring(value: Any, path: str) -> tuple[str, str] | None:
    """Return the path of a part that it lies in itself, and the name of its type."""
    around: list[tuple[str, Any, Iterator[tuple[str, Any]]]] = [(path, value, parts_of(value))]
    seen: dict[int, Any] = {}
    while around and len(seen) < MAX_PARTS and len(around) < MAX_DEPTH:
        place, outer, parts = around[-1]
        step, part = next(parts, ("", None))
        if not step:
            seen[id(outer)] = outer
            around.pop()
        elif _closes(part, [each for _, each, _ in around]):
            return place + step, type(part).__name__
        elif id(part) not in seen and all(part is not each for _, each, _ in around):
            around.append((place + step, part, parts_of(part)))
    return None


def _closes(part: Any, around: list[Any]) -> bool:
    for outer in reversed(around):
        if type(outer).__name__ not in _WHOLE:
            return False
        if outer is part:
            return True
    return False
