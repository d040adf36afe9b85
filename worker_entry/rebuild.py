"""Functions that came as source, put together again.

A bundle is an ordinary pickle. It names the functions below, which make of snippets what the host
has, so values and definitions refer to each other as in any pickle, and what was shared or cyclic
stays so.

Functions of one module of the host share one *space* here, a module object that holds those of its
globals that they use. While a task runs it is in `sys.modules`: by it, pickles of arguments and
results name classes of `__main__`, on either side.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import sys
from types import FunctionType, ModuleType
from typing import Any, Callable, NamedTuple

from worker_entry.source import Snippet, compile_function, define_class, show_text

# -- what pickles name: functions and classes -----------------------------------------------------


def make_function(snippet: Snippet, space: ModuleType, cells: dict[str, Any]) -> FunctionType:
    """Make a function that still lacks its globals, defaults and the contents of its cells."""
    snippet = Snippet(*snippet)
    show_text(snippet)
    code = compile_function(snippet, cells)
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, vars(space), code.co_name, None, closure)
    made.__qualname__ = snippet.qualname
    return made


def fill_function(function: FunctionType, state: dict[str, Any]) -> None:
    """Give a function what it lacks; its submodules were imported with the state."""
    function.__globals__.update(state["globals"])
    for cell, value in state["cells"]:
        cell.cell_contents = value
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__module__ = state["module"]
    function.__name__ = state["name"]
    function.__dict__.update(state["attributes"])


def make_class(
    snippet: Snippet,
    space: ModuleType,
    names: dict[str, Any],
    modules: list[ModuleType],
    cells: dict[str, Any],
    filled: Any,
) -> Any:
    """Run the statement that defines a class.

    Args:
        snippet: Its text.
        space: Its globals.
        names: Those of them that the statement needs.
        modules: Submodules that are to be imported.
        cells: Variables of the function around it.
        filled: Those of them that the statement needs, with their values.
    """
    snippet = Snippet(*snippet)
    show_text(snippet)
    vars(space).update(names)
    for cell, value in filled:
        cell.cell_contents = value
    return define_class(snippet, space, cells)


def fill_class(cls: Any, state: dict[str, Any]) -> None:
    """Give the methods of a class the globals and cells that they use."""
    vars(state["space"]).update(state["globals"])
    for cell, value in state["cells"]:
        cell.cell_contents = value


def make_cell() -> Any:
    """Make an empty cell; `types.CellType` came with Python 3.8."""

    cell = _around(None).__closure__[0]
    del cell.cell_contents
    return cell


def _around(content: Any) -> Any:
    return lambda: content


def fill_cell(cell: Any, value: Any) -> None:
    """Put a value into a cell."""
    cell.cell_contents = value


def fill_space(space: ModuleType, name: str, value: Any) -> None:
    """Put a global into a space."""
    vars(space)[name] = value


def make_cached(function: Any, maxsize: int | None, typed: bool) -> Any:
    """Make the like of what `functools.lru_cache` made of a function."""
    return functools.lru_cache(maxsize, typed)(function)


def same(value: Any) -> Any:
    """Return the value."""
    return value


# -- what pickles name: modules -------------------------------------------------------------------


def find_module(*names: str) -> Any:
    """Import a module, the first, with submodules of it that are used; return it."""
    for name in names:
        if name not in sys.modules:
            importlib.import_module(name)
    return sys.modules[names[0]]


def find_public(module: str, name: str) -> Any:
    """Return what an importable module knows by this name."""
    return getattr(importlib.import_module(module), name)


def make_space(name: str, package: str | None) -> ModuleType:
    """Make the module object that holds the globals of functions from one module of the host."""
    space = ModuleType(name)
    space.__package__ = package
    space.__dict__["__builtins__"] = builtins
    _show(space)
    return space


# -- a whole bundle -------------------------------------------------------------------------------


class Bundle(NamedTuple):
    """What a function frame holds.

    Attributes:
        function: The callable.
        rest: What could not be done on the way, as `(function, *arguments)`; then more of it.
        spaces: The module objects that were made.
    """

    function: Callable[..., Any]
    rest: Any
    spaces: list[ModuleType]


def make_bundle(function: Any, tail: Any) -> Bundle:
    """Finish a bundle: `tail` is the work that was put off, nested, and the spaces at its end."""
    while isinstance(tail, tuple):
        items, tail = tail
        for do, *arguments in items:
            do(*arguments)
    return Bundle(function, (), tail)


_hidden: dict[str, ModuleType | None] = {}


def _show(space: ModuleType) -> None:
    _hidden.setdefault(space.__name__, sys.modules.get(space.__name__))
    sys.modules[space.__name__] = space


def hide_spaces() -> None:
    """Let `sys.modules` be what it was before there were spaces."""
    while _hidden:
        name, module = _hidden.popitem()
        if module is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = module


class Bundles:
    """The bundles that were rebuilt, by their bytes. For the main thread only.

    The same bytes are rebuilt once: what a function keeps in its globals stays from task to task,
    as for functions of files. The last bundle is always kept, further ones as long as all
    together, pickled, are smaller than `MAX_KEPT`.
    """

    MAX_KEPT = 64 * 1024 * 1024

    def __init__(self, loads: Callable[[bytes], Bundle]) -> None:
        self._loads = loads
        self._kept: dict[tuple[Any, bytes], Bundle] = {}

    def load(self, frame: bytes, surroundings: Any) -> Callable[..., Any]:
        """Return the function of a bundle, and show its spaces.

        Args:
            frame: The bundle.
            surroundings: What tells of the modules that it may have imported; when that changes,
                it is rebuilt.

        Raises:
            Exception: It can't be rebuilt here.
        """
        key = (surroundings, bytes(frame))
        bundle = self._kept.pop(key, None)
        if bundle is None:
            bundle = self._loads(frame)
        self._kept[key] = bundle  # at the end: the oldest goes first
        self._trim()
        for space in bundle.spaces:
            _show(space)
        return bundle.function

    def _trim(self) -> None:
        size = sum(len(frame) for _, frame in self._kept)
        while size > self.MAX_KEPT and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            size -= len(oldest[1])
            del self._kept[oldest]
