"""A callable with all that it uses, as one pickle; `worker_entry.rebuild` is the other side.

What can be imported in the worker goes by reference, as in any pickle. Functions and classes that
can't go as source text, with the values of the globals that they use, of their closures and of
default arguments, as these are at this moment. It is all one pickle, so that what several of them
share is shared again. The pickler's memo deals with cycles, but for one: what the statement of a
class needs comes before the class is there, and may refer to it. References to a class that is
being built are put off until the end (the *tail*).

Rejected: taking classes apart into their attributes, as cloudpickle does. It needs no text of the
statement, but functions that decorators made (the `__init__` of a dataclass) have none either.
"""

from __future__ import annotations

import builtins
import io
import pickle
import sys
from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

from wetlands.callables import origin, others
from wetlands.callables.analysis import (
    analyze,
    base_cells,
    globals_around,
    has_source,
    hints,
    method_cells,
    submodules,
    taken,
)
from wetlands.callables.finding import SourceError
from wetlands.callables.names import Names
from wetlands.callables.others import Space, State, Tail, Whole
from worker_entry import rebuild
from worker_entry.portable.table import Table
from worker_entry.source import Snippet


class Bundler(pickle.Pickler):
    """Pickles one callable with what it uses.

    Args:
        file: Where to.
        protocol: Of pickle.
        folder: From where the worker imports modules of the user's own.

    Attributes:
        snippets: The definitions that go as source.
        values: What was captured, each with words that name it.
        spaces: What stands for the modules of the functions, by their names.
    """

    def __init__(self, file: io.BytesIO, protocol: int, folder: str | None) -> None:
        super().__init__(file, protocol)
        self.dispatch_table = Table(protocol)
        self.dispatch_table.refresh()
        self.snippets: list[Snippet] = []
        self.values: list[tuple[str, Any]] = []
        self.protocol = protocol
        self._folder = folder
        self.spaces: dict[str, Space] = {}
        self._building: list[type] = []
        self._late: list[tuple[Any, ...]] = []

    def dump_bundle(self, function: Any) -> None:
        """Write the bundle of a callable.

        Raises:
            SourceError: The source of something can't be found.
            Exception: Something can't be pickled.
        """
        self.dump(Whole(function))

    def reducer_override(self, thing: Any) -> Any:
        """See `pickle`."""
        kind = type(thing)
        if kind is FunctionType:
            return self._function(thing)
        if issubclass(kind, type):
            return self._class(thing)
        reduce = _REDUCERS.get(kind)
        return NotImplemented if reduce is None else reduce(self, thing)

    # -- functions --------------------------------------------------------------------------------

    def _function(self, function: FunctionType) -> Any:
        if self.is_importable(function):
            return _by_name(function)
        owner = self._owner(function)
        if owner is not None:
            return getattr, (owner, function.__name__)
        snippet, names = analyze(function)
        self.snippets.append(snippet)
        space = self._space(function.__globals__)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        values = self._globals_of(function, names, set(cells)) if isinstance(space, Space) else {}
        state = {
            "globals": self._finished(snippet.qualname, space, values),
            "modules": submodules(names.dotted, function.__globals__),
            "cells": self._contents(snippet.qualname, cells),
            "defaults": function.__defaults__,
            "kwdefaults": function.__kwdefaults__,
            "module": function.__module__,
            "name": function.__name__,
            "attributes": vars(function),
        }
        arguments = (tuple(snippet), space, cells)
        return rebuild.make_function, arguments, state, None, None, rebuild.fill_function

    def _globals_of(self, function: FunctionType, names: Names, free: set[str]) -> dict[str, Any]:
        values = taken(function.__globals__, names.later - free)
        for name, hint in taken(function.__globals__, names.hinted - free).items():
            # An argument may be an instance of it; if it is not, no harm may come of the hint.
            if isinstance(hint, type) and not self.is_importable(hint) and has_source(hint):
                values[name] = hint
        return values

    def _owner(self, function: FunctionType) -> type | None:
        """Return the class that has this as a method: it goes with its class."""
        path = function.__qualname__.rpartition(".")[0]
        owner = origin.look_up(origin.module_of(function), path) if path else None
        found = isinstance(owner, type) and vars(owner).get(function.__name__) is function
        return owner if found else None

    # -- classes ----------------------------------------------------------------------------------

    def _class(self, cls: type) -> Any:
        if self.is_importable(cls):
            return _by_name(cls)
        outer, _, name = cls.__qualname__.rpartition(".")
        owner = origin.look_up(origin.module_of(cls), outer) if outer else None
        if isinstance(owner, type) and vars(owner).get(name) is cls:
            return getattr, (owner, name)
        if cls in self._building:
            raise SourceError(f"class {cls.__qualname__} is used in its own definition")
        snippet, names = analyze(cls)
        self.snippets.append(snippet)
        return self._class_from(cls, snippet, names)

    def _class_from(self, cls: type, snippet: Snippet, names: Names) -> Any:
        self._building.append(cls)
        where = f"class {cls.__qualname__}"
        module_globals = globals_around(cls)
        space = self._space(module_globals)
        cells = {**method_cells(cls, snippet.file), **base_cells(cls, names.bases, module_globals)}
        first = {name: cell for name, cell in cells.items() if name in names.first}
        rest = {name: cell for name, cell in cells.items() if name not in names.first}
        needed = taken(module_globals, names.first - set(cells))
        _check_complete(cls, names.first - {*needed, *cells, snippet.name})
        needed.update(hints(taken(module_globals, names.hinted - set(cells))))

        def make_state() -> dict[str, Any]:
            later = taken(module_globals, names.later - set(cells))
            return {
                "space": space,
                "globals": self._finished(where, space, later),
                "modules": submodules(names.dotted, module_globals),
                "cells": self._contents(where, rest),
            }

        names_first = self._finished(where, space, needed)
        modules = submodules(names.dotted, module_globals)
        contents = self._contents(where, first)
        arguments = (tuple(snippet), space, names_first, modules, cells, contents)
        state = State(cls, make_state)
        return rebuild.make_class, arguments, state, None, None, rebuild.fill_class

    # -- what both need ---------------------------------------------------------------------------

    def is_importable(self, thing: Any) -> bool:
        """Whether the worker finds this by its name."""
        module = origin.module_of(thing)
        if module is None:
            return False
        if module.__name__ == "builtins" or module.__name__.startswith("worker_entry."):
            return True
        if not origin.has_name(thing) or module.__name__ in ("__main__", *self.spaces):
            return False
        if origin.is_installed(module):
            return True
        return self._folder is not None and origin.import_folder(module) == self._folder

    def _space(self, module_globals: Any) -> Any:
        """Return what stands for these globals; those of a package are the worker's own."""
        name = str(module_globals.get("__name__"))
        module = sys.modules.get(name)
        if module is not None and vars(module) is module_globals and origin.is_installed(module):
            return module
        if name not in self.spaces:
            self.spaces[name] = Space(name, module_globals.get("__package__"))
        return self.spaces[name]

    def _finished(self, where: str, space: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values without classes that are not whole yet, which are put off."""
        self.values += [(f"{where} uses {name!r}", value) for name, value in values.items()]
        late = {name for name, value in values.items() if self._is_unfinished(value)}
        self._late += [(rebuild.fill_space, space, name, values[name]) for name in sorted(late)]
        return {name: value for name, value in values.items() if name not in late}

    def _contents(self, where: str, cells: dict[str, CellType]) -> list[tuple[CellType, Any]]:
        """Return cells with what is in them, except for what is put off."""
        found: list[tuple[CellType, Any]] = []
        for name, cell in cells.items():
            try:
                value = cell.cell_contents
            except ValueError:  # it is empty
                continue
            self.values.append((f"{where} uses {name!r}", value))
            if self._is_unfinished(value):
                self._late.append((rebuild.fill_cell, cell, value))
            else:
                found.append((cell, value))
        return found

    def _is_unfinished(self, value: Any) -> bool:
        return any(value is cls for cls in self._building)

    # -- others -----------------------------------------------------------------------------------

    def _whole(self, whole: Whole) -> Any:
        return rebuild.make_bundle, (whole.function, Tail())

    def _tail(self, tail: Tail) -> Any:
        late, self._late = self._late, []
        if late:
            return rebuild.same, ((late, Tail()),)
        return rebuild.same, (list(self.spaces.values()),)

    def _state(self, state: State) -> Any:
        self._building.remove(state.cls)
        return rebuild.same, (state.make(),)


_REDUCERS: dict[type, Callable[[Any, Any], Any]] = {
    Whole: Bundler._whole,
    Tail: Bundler._tail,
    State: Bundler._state,
    **others.REDUCERS,
}


def _by_name(thing: Any) -> Any:
    public = origin.public_name(thing)
    return NotImplemented if public is None else (rebuild.find_public, public)


def _check_complete(cls: type, missing: frozenset[str]) -> None:
    unknown = sorted(name for name in missing if not hasattr(builtins, name))
    if unknown:
        raise SourceError(
            f"the statement of class {cls.__qualname__} uses {', '.join(unknown)} of the function "
            "around it, which can't be had any more: define the class at the top of its file"
        )
