"""What a function or class takes along, read off its text and the object itself."""

from __future__ import annotations

import builtins
import sys
import weakref
from collections.abc import Iterable, Iterator
from types import CellType, FunctionType, ModuleType
from typing import Any

from wetlands.callables.finding import SourceError, find_class, find_function
from wetlands.callables.names import Names, used_names
from worker_entry.source import Snippet

#: What annotations in a class may mean to those who read them as text.
_TYPING = frozenset(("typing", "typing_extensions", "dataclasses"))

#: While a function or class lives: the code that it had when its text was looked for, and that.
_known: weakref.WeakKeyDictionary[Any, tuple[Any, Snippet, Names]] = weakref.WeakKeyDictionary()


def analyze(thing: Any) -> tuple[Snippet, Names]:
    """Return the text of a function or class and the names in it; remembered.

    Raises:
        SourceError: There is no text.
    """
    code = getattr(thing, "__code__", None)
    found = _known.get(thing)
    if found is None or found[0] is not code:
        snippet = find_class(thing) if isinstance(thing, type) else find_function(thing)
        found = _known[thing] = (code, snippet, used_names(snippet))
    return found[1:]


def has_source(cls: type) -> bool:
    """Whether the text of a class can be found."""
    try:
        analyze(cls)
    except SourceError:
        return False
    return True


def globals_around(cls: type) -> dict[str, Any]:
    """Return the globals that the statement of a class saw."""
    module = sys.modules.get(cls.__module__)
    return {"__name__": cls.__module__} if module is None else vars(module)


def taken(namespace: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what there is of the names, in a fixed order."""
    return {name: namespace[name] for name in sorted(names) if name in namespace}


def hints(values: dict[str, Any]) -> dict[str, Any]:
    """Return those values of annotations in a class that dataclasses look for."""
    return {name: value for name, value in values.items() if _is_of_typing(value)}


def _is_of_typing(value: Any) -> bool:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return name in _TYPING


def submodules(dotted: Iterable[str], namespace: dict[str, Any]) -> list[ModuleType]:
    """Return the loaded submodules that expressions like ``package.module.name`` go through."""
    found: list[ModuleType] = []
    for path in sorted(dotted):
        first, *rest = path.split(".")
        module = namespace.get(first)
        for part in rest:
            name = f"{module.__name__}.{part}" if isinstance(module, ModuleType) else ""
            module = sys.modules.get(name)
            if module is not None and module not in found:
                found.append(module)
    return found


def method_cells(cls: type, file: str) -> dict[str, CellType]:
    """Return the variables of the functions around a class that its methods use, by name.

    Methods that come from another file were made by a decorator, and are made again.
    """
    cells: dict[str, CellType] = {}
    for function in _functions_of(cls, file):
        cells.update(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    cells.pop("__class__", None)
    return cells


def _functions_of(cls: type, file: str) -> Iterator[FunctionType]:
    for value in vars(cls).values():
        for each in (value, *(getattr(value, name, None) for name in ("__func__", "fget", "fset"))):
            if isinstance(each, FunctionType) and each.__code__.co_filename == file:
                yield each


def base_cells(cls: type, names: tuple[str, ...], namespace: dict[str, Any]) -> dict[str, CellType]:
    """Return base classes that are no globals, as variables of the function around the class."""
    if len(names) != len(cls.__bases__):
        return {}
    known = {**vars(builtins), **namespace}
    # A global that is no class (NamedTuple) stands for the base that it was replaced with.
    return {
        name: CellType(base)
        for name, base in zip(names, cls.__bases__, strict=True)
        if name and known.get(name) is not base and isinstance(known.get(name, base), type)
    }
