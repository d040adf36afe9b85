"""Types of users that cross in a form of their own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from wetlands.errors import ConfigurationError
from worker_entry.portable import registry
from worker_entry.portable.registry import Registration


def register_portable(
    type: type | str,  # noqa: A002  (the public name of the parameter)
    reduce: Callable[[Any], tuple[Any, ...]] | str,
    rebuild: Callable[..., Any] | str,
) -> None:
    """Say how values of a type cross the border, in both directions.

    Counts for exactly that type, not for those that derive from it, and before any form that it has
    otherwise. Environments that are launched later are told the names, so that results cross, too;
    for those that run already, it counts for arguments alone. Safe to call from any thread, and
    again for the same type.

    Args:
        type: The class, or its name, ``"module:Class"``.
        reduce: Takes a value apart into a tuple, of plain data or of other values that cross. A
            function, or its name, ``"module:function"``. One that can't be imported by name (a
            lambda, one of a script) serves arguments; results of that type are then pickled as
            they would be without it.
        rebuild: Makes a value of that tuple's items: ``"module:function"``, importable on the
            side to which a value goes, or the function itself.

    Raises:
        ConfigurationError: One of them is something else, or a function for ``rebuild`` has no
            name by which it can be imported.
    """
    name = type if isinstance(type, str) else _name_of_type(type)
    if not isinstance(reduce, str) and not callable(reduce):
        raise ConfigurationError(f"reduce must be a function or its name, not {reduce!r}")
    found = rebuild if isinstance(rebuild, str) else _importable(rebuild)
    if found is None:
        raise ConfigurationError(
            f"rebuild must be 'module:function', or a function that can be imported: {rebuild!r}"
        )
    for text in (name, found, reduce):
        if isinstance(text, str) and not _is_name(text):
            raise ConfigurationError(f"{text!r} is no name of the form 'module:name'")
    registry.add(Registration(name, reduce, found))


def told() -> list[tuple[str, str, str]]:
    """Return the registrations that make sense in another process, as names alone."""
    found = []
    for entry in registry.known():
        reduce = entry.reduce if isinstance(entry.reduce, str) else _importable(entry.reduce)
        if reduce is not None:
            found.append((entry.type_name, reduce, entry.rebuild))
    return found


def _name_of_type(cls: object) -> str:
    if not isinstance(cls, type):
        raise ConfigurationError(f"type must be a class or 'module:Class', not {cls!r}")
    return registry.name_of(cls)


def _importable(function: Any) -> str | None:
    """Return the name of a function, if that is where it is found in any process."""
    module = getattr(function, "__module__", None)
    if not callable(function) or module in (None, "__main__") or module not in sys.modules:
        return None
    found: Any = importlib.import_module(module)
    for part in getattr(function, "__qualname__", "").split("."):
        found = getattr(found, part, None)
    return registry.name_of(function) if found is function else None


def _is_name(text: str) -> bool:
    module, colon, path = text.partition(":")
    parts = [*module.split("."), *path.split(".")]
    return bool(colon) and all(part.isidentifier() for part in parts)
