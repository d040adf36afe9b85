"""Which part of a value can't cross, by its path.

What can't be pickled is looked for by pickling parts: of all parts of a value that fails, one
fails alone, and so on down to what has no such part.

What can't be rebuilt is looked for in a value made of *ghosts*: the pickle is read once more, with
a stand-in for each function and class that it names. None of them is called, so nothing happens a
second time; the tree that they form has the shape of the value, and the first ghost whose name is
not found here, or may not be, is the culprit. The pickle is read by the unpickler that is written
in Python, which lets itself be told how.
"""

from __future__ import annotations

import itertools
import pickle as _pickle
from io import BytesIO
from typing import Any, Callable, Iterator

#: Parts that are looked at, at most.
MAX_PARTS = 10_000
#: Characters of a key that are shown.
MAX_KEY = 80
#: Bytes of a pickle that is read a second time, at most.
MAX_PICKLE = 64 * 1024 * 1024

Step = Iterator["tuple[str, Any]"]


def find_unpicklable(value: Any, path: str, fails: Callable[[Any], bool]) -> tuple[str, Any]:
    """Return the path of the innermost part that fails, and the part."""
    seen = {id(value)}
    left = MAX_PARTS
    while True:
        for step, part in parts_of(value):
            left -= 1
            if left < 0:
                return path, value
            if id(part) not in seen and fails(part):
                seen.add(id(part))
                path, value = path + step, part
                break
        else:
            return path, value


def parts_of(value: Any) -> Step:
    """Give the parts of a value that pickle would look at, with how their paths go on."""
    if isinstance(value, dict):
        yield from ((_index(key), part) for key, part in value.items())
        yield from ((f" key {_index(key)}", key) for key in value)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((f".{field}", part) for field, part in zip(value._fields, value))
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{place}]", part) for place, part in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((" item", part) for part in value)
    elif isinstance(value, BaseException):
        yield from ((f".args[{place}]", part) for place, part in enumerate(value.args))
        yield from ((f".{name}", getattr(value, name)) for name in ("__cause__", "__context__"))
    elif type(value).__name__ == "ndarray" and value.dtype.hasobject:
        yield from ((f"[{place}]", part) for place, part in enumerate(value.ravel().tolist()))
    elif _is_pickled_by_its_attributes(type(value)):
        yield from ((f".{name}", part) for name, part in _attributes(value))


def _index(key: Any) -> str:
    text = repr(key)
    return f"[{text}]" if len(text) <= MAX_KEY else f"[{text[:MAX_KEY]}...]"


def _is_pickled_by_its_attributes(cls: Any) -> bool:
    state = getattr(cls, "__getstate__", None)
    return (
        cls.__reduce__ is object.__reduce__
        and cls.__reduce_ex__ is object.__reduce_ex__
        and (state is None or state is getattr(object, "__getstate__", None))
    )


def _attributes(value: Any) -> Step:
    yield from list(getattr(value, "__dict__", {}).items())
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                yield name, getattr(value, name)


# -- what can't be rebuilt -------------------------------------------------------------------------


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
    try:
        value = _Reader(BytesIO(bytes(pickle)), buffers=itertools.repeat(bytearray())).load()
    except TypeError:  # Python 3.7 knows no buffers
        value = _Reader(BytesIO(bytes(pickle))).load()
    start = [(roots, value)] if isinstance(roots, str) else list(zip(roots, value))
    found: dict[tuple[str, str], Exception | None] = {}
    for path, part in _walk(start):
        place = getattr(part, "place", None)
        if place is None or not _is_ghost(part):
            continue
        if place not in found:
            found[place] = _error_of(find, place)
        error = found[place]
        if error is not None:
            return path, ".".join(place), error
    return None


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
    if module.startswith("worker_entry.portable."):
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
    yield from ((_index(key), part) for key, part in ghost.pairs)
