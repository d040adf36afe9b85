"""What a bundle makes of things that are no functions or classes, and of its own stand-ins."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CellType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from wetlands.callables.finding import SourceError
from worker_entry import rebuild

if TYPE_CHECKING:
    from wetlands.callables.bundle import Bundler


class Space:
    """Stands for the module object that the worker makes for functions of one module."""

    def __init__(self, name: str, package: str | None) -> None:
        self.arguments = (name, package)


class Whole:
    """Stands for the whole bundle."""

    def __init__(self, function: Any) -> None:
        self.function = function


class Tail:
    """Stands for what has been put off by the time that it is pickled."""


class State:
    """Stands for what a class is given later; when that is pickled, the class is whole."""

    def __init__(self, cls: type, make: Callable[[], dict[str, Any]]) -> None:
        self.cls = cls
        self.make = make


def _space(bundler: Bundler, space: Space) -> Any:
    return rebuild.make_space, space.arguments


def _module(bundler: Bundler, module: ModuleType) -> Any:
    if module.__name__ in bundler.spaces:
        return rebuild.same, (bundler.spaces[module.__name__],)
    if module.__name__ == "__main__":
        raise SourceError("the module __main__ itself can't be sent: use what is in it by name")
    return rebuild.find_module, (module.__name__,)


def _cell(bundler: Bundler, cell: CellType) -> Any:
    return rebuild.make_cell, ()


def _type_variable(bundler: Bundler, variable: TypeVar) -> Any:
    if bundler.is_importable(variable):
        return NotImplemented
    return TypeVar, (variable.__name__, *variable.__constraints__)


def _cached(bundler: Bundler, wrapper: Any) -> Any:
    if bundler.is_importable(wrapper):
        return NotImplemented
    options = wrapper.cache_parameters()
    return rebuild.make_cached, (wrapper.__wrapped__, options["maxsize"], options["typed"])


#: By type: what takes a thing apart, as `pickle.Pickler.reducer_override` would.
REDUCERS: dict[type, Callable[[Any, Any], Any]] = {
    Space: _space,
    ModuleType: _module,
    CellType: _cell,
    TypeVar: _type_variable,
    type(functools.lru_cache(len)): _cached,
}
