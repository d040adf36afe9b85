"""What to run: from what a user names to what a worker understands."""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wetlands.errors import ConfigurationError, SerializationError
from worker_entry.codec import Codec, CodecError, type_name

#: A file, an importable module's name, or a function.
TargetLike = str | os.PathLike[str] | Callable[..., Any]


@dataclass(frozen=True)
class Target:
    """A function to call, ready to be sent.

    Attributes:
        frames: What to run, as the worker reads it (see `worker_entry.worker`), and the function
            itself where it goes by value.
        label: For people.
    """

    frames: tuple[bytes, ...]
    label: str


def find_target(target: TargetLike, function: str | None, codec: Codec, place: str) -> Target:
    """Return what ``submit(target, function)`` means.

    Args:
        target: A file (a path, or a string that looks like one), the name of a module that the
            environment can import, or a callable.
        function: The function's name in it, dots allowed; None for a callable.
        codec: What can cross to the environment.
        place: The environment and its Python, for messages.

    Raises:
        ConfigurationError: The combination makes no sense, or there is no such file.
        SerializationError: The callable can't be sent to that Python.
    """
    if callable(target) and not isinstance(target, str):
        if function is not None:
            raise ConfigurationError("give either a callable or a module and a function's name")
        return _from_callable(target, codec, place)
    if not isinstance(function, str) or not function:
        raise ConfigurationError(
            f"the function to run in {target!r} must be given by its name, not as {function!r}"
        )
    if isinstance(target, os.PathLike) or (isinstance(target, str) and _looks_like_file(target)):
        path = existing_file(target)
        return Target((_call("file", path, function),), f"{Path(path).name}:{function}")
    if isinstance(target, str) and all(part.isidentifier() for part in target.split(".")):
        return Target((_call("module", target, function),), f"{target}:{function}")
    raise ConfigurationError(
        f"the target must be a file, a module's name or a callable, not {target!r}"
    )


def find_script(path: str | os.PathLike[str], args: Sequence[str], run_name: str) -> Target:
    """Return what ``submit_script(path, args, run_name)`` means.

    Raises:
        ConfigurationError: There is no such file, or the arguments are no strings.
    """
    if isinstance(args, str) or not all(isinstance(arg, str) for arg in args):
        raise ConfigurationError(
            f"a script's args must be a sequence of strings, not {type_name(args)}"
            + ("" if isinstance(args, str) else " with other items")
        )
    found = existing_file(path)
    call = _call("script", found, "", args=list(args), run_name=run_name)
    return Target((call,), Path(found).name)


def find_functions(target: str | os.PathLike[str]) -> Target:
    """Return the request for the names of the functions of a file or module."""
    is_file = isinstance(target, os.PathLike) or _looks_like_file(target)
    found = existing_file(target) if is_file else str(target)
    return Target((_call("list", found, "file" if is_file else "module"),), f"{found}:*")


def encode_arguments(codec: Codec, args: Any, kwargs: Any, label: str) -> list[Any]:
    """Return the arguments of a call as frames.

    Raises:
        ConfigurationError: ``args`` is no tuple or list, or ``kwargs`` no mapping of strings.
        SerializationError: One of them can't be pickled; the message names it.
    """
    if not isinstance(args, (tuple, list)):
        # Without the value here and below: it may be large, or a secret.
        raise ConfigurationError(
            f"args must be a tuple or list, not {type_name(args)}; for one argument: (x,)"
        )
    if kwargs is None:
        kwargs = {}
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        raise ConfigurationError(
            f"kwargs must be a mapping of strings to values, not {type_name(kwargs)}"
            + (" with other keys" if isinstance(kwargs, Mapping) else "")
        )
    try:
        return codec.dumps_call(args, kwargs)
    except CodecError as error:
        raise SerializationError(f"{label} can't be called: {error}") from error


def existing_file(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file.

    Raises:
        ConfigurationError: There is none.
    """
    found = os.path.abspath(os.fspath(path))
    if not os.path.isfile(found):
        raise ConfigurationError(f"there is no file {found}")
    return found


def _looks_like_file(target: str) -> bool:
    return target.endswith(".py") or os.sep in target or (os.altsep or os.sep) in target


def _call(how: str, target: str, function: str, **more: Any) -> bytes:
    call = {"how": how, "target": target, "function": function, **more}
    return json.dumps(call, separators=(",", ":")).encode()


def _from_callable(function: Callable[..., Any], codec: Codec, place: str) -> Target:
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    name = getattr(function, "__qualname__", "")
    label = f"{getattr(module, '__name__', '?')}:{name or type(function).__name__}"
    if module is not None and _lookup(module, name) is function:
        if module.__name__ != "__main__":
            return Target((_by_reference(module, name),), label)
        if not codec.by_value and getattr(module, "__file__", None):
            return Target((_call("file", os.path.abspath(str(module.__file__)), name),), label)
    if not codec.by_value:
        raise SerializationError(
            f"{label} can't be sent to {place}: functions that are no attribute of a module "
            "(lambdas, closures, methods, functions typed into a prompt) only cross between equal "
            "minor versions of Python. Put it at the top of a file, or give the file and its name.",
            where="target",
        )
    try:
        return Target((_call("value", "", name), codec.dumps_whole(function)), label)
    except CodecError as error:
        raise SerializationError(
            f"{label} can't be sent to {place}: {error}", where="target"
        ) from error


def _by_reference(module: Any, name: str) -> bytes:
    """Name a function of a module of the host.

    Source files of the user's own are loaded as such, with the package that they belong to: the
    environment most likely can't import them by name, and what it finds is another one if it can.
    Anything installed is imported by name.
    """
    file = getattr(module, "__file__", None)
    if inspect.ismodule(module) and file and not _installed(file):
        path, dotted = os.path.abspath(file), module.__name__
        tail = os.path.join(*dotted.split("."))
        if path.endswith(os.sep + tail + ".py"):
            if "." not in dotted:
                return _call("file", path, name)
            return _call("package", dotted, name, folder=path[: -len(tail) - 4])
    return _call("module", module.__name__, name)


def _installed(file: str) -> bool:
    path = os.path.abspath(file)
    return any(path.startswith(folder + os.sep) for folder in _package_folders())


@functools.lru_cache(maxsize=1)
def _package_folders() -> frozenset[str]:
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    return frozenset(folder for folder in map(sysconfig.get_path, keys) if folder)


def _lookup(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
