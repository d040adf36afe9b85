"""How much memory the parts of a value take together, among those that an untrusted side sent.

What is built once is no larger than what was sent for it, which its builder sees to. But a pickle
can name one large part as often as it likes, for a few bytes each time, and have a copy made of
it; and some values are as long as their sender says, without any bytes: a range, an index of
pandas. So all that goes into calls and comes out of them is added up.
"""

from __future__ import annotations

from typing import Any, Callable

#: Bytes of parts for each byte that came.
FACTOR = 64
#: Bytes that any message may take.
SLACK = 256 * 1024 * 1024


class TooLargeError(Exception):
    """A value takes more memory than a message of its size could ask for."""


class Budget:
    """What one message may take.

    Args:
        size: Bytes that came.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = SLACK + FACTOR * size

    def counting(self, build: Any) -> Any:
        """Return the same function, its arguments and results counted; a constant as it is."""
        return self._counted(build) if callable(build) else build

    def _counted(self, build: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*parts: Any) -> Any:
            self._spend(parts)
            made = build(*parts)
            self._spend((made,))
            return made

        return counted

    def _spend(self, parts: tuple[Any, ...]) -> None:
        for part in parts:
            self._left -= _size(part)
        if self._left < 0:
            raise TooLargeError(
                f"{self._size} bytes that came make a value of more than {FACTOR} times as much "
                f"and {SLACK >> 20} MiB"
            )


def _size(part: Any) -> int:
    """Return bytes, roughly; at least those that a copy of it would take."""
    if isinstance(part, (str, bytes, bytearray)):
        return len(part)
    if isinstance(part, (dict, set, frozenset)):
        return 64 * len(part)
    try:
        # Not for pandas' own: it asks about every object, and a range of its has no bytes.
        return int(part.nbytes) if type(part).__module__ == "numpy" else 8 * len(part)
    except (AttributeError, TypeError):  # a number, or an array without dimensions
        return 8
