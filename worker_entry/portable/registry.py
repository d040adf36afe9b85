"""Types that users gave a portable form.

A registration is three names: of the type, of the function that takes its values apart, and of the
one that rebuilds them. Names can be told to workers, which look for the functions when a value of
that type is there to be sent. A function that has no name which can be imported (a lambda, one of a
script) serves the side on which it was registered, and is not told.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable

from worker_entry.named import NamedTuple


class Registration(NamedTuple):
    """How values of one type travel.

    Attributes:
        type_name: `module:qualified name` of the type.
        reduce: Takes a value apart into a tuple of arguments; or its name, `module:function`.
        rebuild: Name of what makes a value of these arguments, `module:function`.
    """

    type_name: str
    reduce: Callable[[Any], tuple[Any, ...]] | str
    rebuild: str


_known: dict[str, Registration] = {}
_changes = 0


def add(registration: Registration) -> None:
    """Use a registration from now on, in place of an earlier one of the type."""
    global _changes
    _known[registration.type_name] = registration
    _changes += 1


def generation() -> int:
    """Return a number that changes with every registration."""
    return _changes


def known() -> list[Registration]:
    """Return all registrations."""
    return list(_known.values())


def find(cls: type) -> Callable[[Any], Any] | None:
    """Return what takes values of exactly this type apart, for a pickler."""
    registration = _known.get(name_of(cls)) if _known else None
    if registration is None:
        return None
    rebuild = registration.rebuild
    reduce = registration.reduce
    if isinstance(reduce, str):
        reduce = load(reduce)

    def reduced(value: Any) -> Any:
        arguments = reduce(value)
        if type(arguments) is not tuple:
            raise TypeError(
                f"what takes values of {registration.type_name} apart must return a tuple of "
                f"arguments for {rebuild}, not {type(arguments).__name__}"
            )
        return build_registered, (rebuild, *arguments)

    return reduced


def build_registered(rebuild: str, *arguments: Any) -> Any:
    """Make a value of its parts with the function of that name."""
    return load(rebuild)(*arguments)


def load(name: str) -> Callable[..., Any]:
    """Return the function `module:name`.

    Raises:
        ImportError, AttributeError: There is none.
    """
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def name_of(thing: Any) -> str:
    """Return `module:qualified name` of a type or function."""
    return f"{thing.__module__}:{thing.__qualname__}"
