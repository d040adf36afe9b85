"""Where functions and classes come from, and whether a worker can import them."""

from __future__ import annotations

import functools
import inspect
import os
import site
import sys
import sysconfig
from types import FunctionType, MethodType, ModuleType
from typing import Any


def module_of(thing: Any) -> ModuleType | None:
    """Return the host's module in which something was defined, if it is still there."""
    name = getattr(thing, "__module__", None)
    found = sys.modules.get(name) if isinstance(name, str) else None
    return found if inspect.ismodule(found) else None


def look_up(module: Any, name: str) -> Any:
    """Return ``module.name``, where the name may have dots; None if there is none."""
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def has_name(thing: Any) -> bool:
    """Whether a function or class is what its module knows by its name."""
    module = module_of(thing)
    name = getattr(thing, "__qualname__", None)
    return module is not None and isinstance(name, str) and look_up(module, name) is thing


def is_installed(module: ModuleType) -> bool:
    """Whether the module is part of Python or of a package, and not code of the user's own."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        # Built-in and frozen modules, and namespace packages. What was made by hand has no spec.
        return module.__name__ != "__main__" and getattr(module, "__spec__", None) is not None
    path = os.path.abspath(file)
    return any(path.startswith(folder + os.sep) for folder in _package_folders())


@functools.lru_cache(maxsize=1)
def _package_folders() -> frozenset[str]:
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {folder for folder in map(sysconfig.get_path, keys) if folder}
    return frozenset({*found, *site.getsitepackages(), site.getusersitepackages()})


def import_folder(module: ModuleType | None) -> str | None:
    """Return the folder from which a module of the user's own can be imported by its name.

    That of the main program is where its own imports come from; without a file, as in a notebook,
    it is the current folder. None: a module of a package, or one that has no such folder.
    """
    if module is None or (module.__name__ != "__main__" and is_installed(module)):
        return None
    file = getattr(module, "__file__", None)
    name = getattr(getattr(module, "__spec__", None), "name", None) or module.__name__
    if not isinstance(file, str):
        return os.getcwd() if name == "__main__" else None
    path = os.path.abspath(file)
    if name == "__main__":
        return os.path.dirname(path)
    parts = os.path.join(*name.split("."))
    for tail in (f"{parts}.py", os.path.join(parts, "__init__.py")):
        if path.endswith(os.sep + tail):
            return path[: -len(tail) - 1]
    return None


def anchor(thing: Any) -> ModuleType | None:
    """Return the module of the user's own code in a callable: its imports are to work there."""
    for _ in range(100):  # wrappers can be cyclic
        if isinstance(thing, functools.partial):
            thing = thing.func
        elif isinstance(thing, MethodType):
            thing = thing.__func__
        elif isinstance(thing, FunctionType):
            inner = getattr(thing, "__wrapped__", None)
            if inner is None:
                return sys.modules.get(thing.__globals__.get("__name__", ""), module_of(thing))
            thing = inner
        else:
            return module_of(thing if isinstance(thing, type) else type(thing))
    return None


def public_name(thing: Any) -> tuple[str, str] | None:
    """Return the shortest public `(module, name)` of what is defined in a private module.

    Private modules are moved between versions: `pathlib._local.Path` was `pathlib.Path`.
    """
    parts, name = thing.__module__.split("."), thing.__qualname__
    if not any(part.startswith("_") for part in parts):
        return None
    for length in range(1, len(parts)):
        module = ".".join(parts[:length])
        if look_up(sys.modules.get(module), name) is thing:
            return module, name
    return None
