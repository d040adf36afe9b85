"""What to run: from what a user names to what a worker understands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from wetlands.errors import ConfigurationError, SerializationError
from wetlands.result_proxy import Passing, ResultProxy
from worker_entry.codec import Codec, CodecError, type_name

#: A file, an importable module's name, or a function.
TargetLike = str | os.PathLike[str] | Callable[..., Any]


def _call(how: str, target: str, function: str, **more: Any) -> bytes:
    import json  # which those who only import the package need not wait for

    call = {"how": how, "target": target, "function": function, **more}
    return json.dumps(call, separators=(",", ":")).encode()


#: The call that returns its argument, as `_call` writes it.
FETCH = b'{"how":"fetch","target":"","function":""}'


class Target(NamedTuple):
    """A function to call, ready to be sent.

    Attributes:
        frames: What to run, as the worker reads it (see `worker_entry.calling`), and the function
            itself where it goes by value.
        label: For people.
    """

    frames: tuple[bytes, ...]
    label: str

    def keeping(self) -> Target:
        """Return the same, with a result that stays in the worker."""
        return self._with("keep")

    def for_each(self) -> Target:
        """Return the same, called with each of several items; see `worker_entry.journal`."""
        return self._with("each")

    def _with(self, option: str) -> Target:
        import json

        call, *function = self.frames
        changed = _call(**{**json.loads(call), option: True})
        return Target((changed, *function), self.label)


def find_target(
    target: TargetLike, function: str | None, codec: Codec, place: str, version: Sequence[int]
) -> Target:
    """Return what ``submit(target, function)`` means.

    Args:
        target: A file (a path, or a string that looks like one), the name of a module that the
            environment can import, or a callable.
        function: The function's name in it, dots allowed; None for a callable.
        codec: What can cross to the environment.
        place: The environment and its Python, for messages.
        version: Of that Python.

    Raises:
        ConfigurationError: The combination makes no sense, or there is no such file.
        SerializationError: The callable can't be sent to that Python.
    """
    if callable(target) and not isinstance(target, str):
        if function is not None:
            raise ConfigurationError("give either a callable or a module and a function's name")
        return _from_callable(target, codec, place, version)
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


def encode_arguments(
    codec: Codec, args: Any, kwargs: Any, label: str
) -> tuple[Sequence[Any], Sequence[ResultProxy]]:
    """Return the arguments of a call as frames, and the proxies that are among them.

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
        return _dump_call(codec, args, {}, label)
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        raise ConfigurationError(
            f"kwargs must be a mapping of strings to values, not {type_name(kwargs)}"
            + (" with other keys" if isinstance(kwargs, Mapping) else "")
        )
    return _dump_call(codec, args, kwargs, label)


def encode_item(codec: Codec, item: Any, label: str) -> tuple[Sequence[Any], Sequence[ResultProxy]]:
    """Do so for a call whose only argument is an item of `map()`.

    Raises:
        SerializationError: It can't be pickled; the message names what of it.
    """
    return _dump_call(codec, (item,), {}, label)


def _dump_call(
    codec: Codec, args: Sequence[Any], kwargs: Any, label: str
) -> tuple[Sequence[Any], Sequence[ResultProxy]]:
    try:
        if not ResultProxy.any_made:
            return codec.dumps_call(args, kwargs), ()
        with Passing() as proxies:
            return codec.dumps_call(args, kwargs), proxies
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


def _from_callable(
    function: Callable[..., Any], codec: Codec, place: str, version: Sequence[int]
) -> Target:
    # Here, because reading source text takes much to import, and most targets are named.
    from wetlands.callables import origin
    from wetlands.callables.finding import SourceError
    from wetlands.callables.sending import dump_callable

    module = origin.module_of(function)
    name = getattr(function, "__qualname__", "")
    label = f"{getattr(module, '__name__', '?')}:{name or type(function).__name__}"
    if module is not None and module.__name__ != "__main__" and origin.has_name(function):
        return Target((_by_reference(module, name),), label)
    folder = origin.import_folder(origin.anchor(function)) or ""
    try:
        if codec.by_value:
            how, frame = "value", codec.dumps_whole(function)
        else:
            how, frame = "source", dump_callable(function, codec.protocol, folder, version)
    except (CodecError, SourceError) as error:
        text = f"{label} can't be sent to {place}: {error}"
        raise SerializationError(text, where="target") from error
    return Target((_call(how, folder, name), frame), label)


def _by_reference(module: ModuleType, name: str) -> bytes:
    """Name a function of a module of the host.

    Source files of the user's own are loaded as such, with the package that they belong to: the
    environment most likely can't import them by name, and what it finds is another one if it can.
    Anything installed is imported by name.
    """
    from wetlands.callables import origin

    folder = origin.import_folder(module)
    if folder is None:
        return _call("module", module.__name__, name)
    if "." not in module.__name__:
        return _call("file", os.path.abspath(str(module.__file__)), name)
    return _call("package", module.__name__, name, folder=folder)
