"""Values that stay in the worker, because the host asked for a handle in place of the value.

One for a process, like `sys.modules`: what unpickles the arguments of a call finds a value here by
the number of the task that returned it. For the main thread only: what a value does when it goes
must not happen on another one.
"""

from __future__ import annotations

from typing import Any, Iterable

_values: dict[int, Any] = {}


class ReleasedError(LookupError):
    """The value that a handle stands for is not here any more."""


def keep(number: int, value: Any) -> None:
    """Keep the result of a task."""
    _values[number] = value


def find(number: int) -> Any:
    """Return the result of a task: what a handle in the arguments of a call becomes.

    Raises:
        ReleasedError: It was released.
    """
    try:
        return _values[number]
    except KeyError:
        raise ReleasedError("the value behind a result proxy was released before") from None


def drop(numbers: Iterable[Any]) -> None:
    """Forget values that nobody in the host has a handle of any more."""
    for number in numbers:
        if isinstance(number, int):
            _values.pop(number, None)
