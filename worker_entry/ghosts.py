"""Which part of a value can't be rebuilt, by its path.

It is looked for in a value made of *ghosts*: the pickle is read once more, with a stand-in for each
function and class that it names. None of them is called, so nothing happens a second time; the tree
that they form has the shape of the value, and the first ghost whose name is not found here, or may
not be, is the culprit. The pickle is read by the unpickler that is written in Python, which lets
itself be told how.

Where no name is missing, one of our own functions may have refused its part. Then these are called
again, the inner ones first, and nothing of a user's.
"""

from __future__ import annotations

import importlib
import itertools
import pickle as _pickle
from io import BytesIO
from typing import Any, Callable, Sequence

from worker_entry.culprit import Step, index_of, parts_of

#: Bytes of a pickle that is read a second time, at most.
MAX_PICKLE = 64 * 1024 * 1024
#: Where what makes portable values is.
_OURS = "worker_entry.portable."


class _Ghost:
    """Stands for whatever the pickle would have made."""

    place = ("", "")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        ghost = object.__new__(cls)
        ghost.__dict__.update(given=args, state=None, items=[], pairs=[])
        return ghost

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.__dict__["state"] = state

    def __call__(self, *args: Any) -> Any:
        return type(self)(*self.given, *args)  # type: ignore[attr-defined]

    def append(self, item: Any) -> None:
        self.__dict__["items"].append(item)

    add = append

    def extend(self, items: Any) -> None:
        self.__dict__["items"].extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__["pairs"].append((key, value))


_Unpickler: Any = vars(_pickle)["_Unpickler"]


class _Reader(_Unpickler):  # type: ignore[misc]
    def find_class(self, module: str, name: str) -> Any:
        return type(name, (_Ghost,), {"place": (module, name)})

    def get_extension(self, code: int) -> None:
        self.stack.append(self.find_class("copyreg", str(code)))

    def persistent_load(self, pid: Any) -> Any:
        return None


def find_missing(
    pickle: Any, roots: str | tuple[str, ...], find: Callable[[str, str], Any]
) -> tuple[str, str, Exception] | None:
    """Return the path of what a name of the pickle is missing for, the name, and what is wrong.

    Args:
        pickle: What could not be rebuilt.
        roots: What the value is called; or the items of the tuple that it is.
        find: Looks up a module and a name in it; raises an Exception where it can't.
    """
    if len(pickle) > MAX_PICKLE:
        return None
    found: dict[tuple[str, str], Exception | None] = {}
    for path, part in _walk(_read(pickle, roots, itertools.repeat(bytearray()))):
        place = getattr(part, "place", None)
        if place is None or not _is_ghost(part):
            continue
        if place not in found:
            found[place] = _error_of(find, place)
        error = found[place]
        if error is not None:
            return path, ".".join(place), error
    return None


def find_failing(
    pickle: Any, roots: str | tuple[str, ...], error: BaseException, buffers: Sequence[Any]
) -> str | None:
    """Return the path of what one of our functions could not make.

    Args:
        pickle: What could not be rebuilt.
        roots: As for `find_missing`.
        error: What was raised then.
        buffers: Those of the pickle.
    """
    if len(pickle) > MAX_PICKLE or not _is_of_ours(error.__traceback__):
        return None
    made: dict[int, Any] = {}
    for path, part in reversed(list(_walk(_read(pickle, roots, buffers)))):
        try:
            _make(part, made)
        except _UnknownError:
            continue
        except Exception as raised:
            if (type(raised), str(raised)) == (type(error), str(error)):
                return path
    return None


class _UnknownError(Exception):
    """There is something of a user's in it."""


def _is_of_ours(traceback: Any) -> bool:
    while traceback is not None:
        if _is_our_module(traceback.tb_frame.f_globals.get("__name__", "")):
            return True
        traceback = traceback.tb_next
    return False


def _is_our_module(module: str) -> bool:
    # The registry calls what users have registered.
    return module.startswith(_OURS) and not module.endswith(".registry")


def _make(part: Any, made: dict[int, Any]) -> Any:
    """Return what a part stands for."""
    if id(part) in made:
        return made[id(part)]
    if _is_ghost(part):
        if isinstance(part, type) or not _is_our_module(part.place[0]):
            raise _UnknownError
        function = getattr(importlib.import_module(part.place[0]), part.place[1])
        found = function(*[_make(one, made) for one in part.given])
    elif type(part) in (list, tuple):
        found = type(part)(_make(one, made) for one in part)
    elif type(part) is dict:
        found = {_make(key, made): _make(one, made) for key, one in part.items()}
    else:
        return part
    made[id(part)] = found
    return found


def _read(pickle: Any, roots: str | tuple[str, ...], buffers: Any) -> list[tuple[str, Any]]:
    """Return the trees of ghosts that a pickle makes, with what they are called."""
    try:
        value = _Reader(BytesIO(bytes(pickle)), buffers=buffers).load()
    except TypeError:  # Python 3.7 knows no buffers
        value = _Reader(BytesIO(bytes(pickle))).load()
    return [(roots, value)] if isinstance(roots, str) else list(zip(roots, value))


def _is_ghost(part: Any) -> bool:
    return isinstance(part, _Ghost) or (isinstance(part, type) and issubclass(part, _Ghost))


def _error_of(find: Callable[[str, str], Any], place: tuple[str, str]) -> Exception | None:
    try:
        find(*place)
    except Exception as error:
        return error
    return None


def _walk(start: list[tuple[str, Any]]) -> Step:
    """Give all parts with their paths, the outer ones first."""
    stack = start[::-1]
    seen: set[int] = set()
    while stack:
        path, part = stack.pop()
        if id(part) in seen or isinstance(part, (str, bytes, int, float)):
            continue
        seen.add(id(part))
        yield path, part
        steps = _ghost_parts(part) if isinstance(part, _Ghost) else _plain_parts(part)
        stack += [(path + step, inner) for step, inner in steps][::-1]


def _plain_parts(part: Any) -> Step:
    return parts_of(part) if isinstance(part, (dict, list, tuple, set, frozenset)) else iter(())


def _ghost_parts(ghost: Any) -> Step:
    module, name = ghost.place
    given = ghost.given
    if module.startswith(_OURS):
        # Parts of a value that its user knows nothing of, but for items and values.
        inner = given[0] if name == "build_items" else list(given)
        named = name == "build_items"
        yield from ((f"[{place}]" if named else "", part) for place, part in enumerate(inner))
    else:
        yield from ((f"[{place}]", part) for place, part in enumerate(given))
    states = ghost.state if isinstance(ghost.state, tuple) else (ghost.state,)
    for state in states:
        if isinstance(state, dict):
            yield from ((f".{key}", part) for key, part in state.items())
        elif state is not None:
            yield "", state
    yield from ((f"[{place}]", part) for place, part in enumerate(ghost.items))
    yield from ((index_of(key), part) for key, part in ghost.pairs)
