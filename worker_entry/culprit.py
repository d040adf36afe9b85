"""Which part of a value can't be pickled, by its path.

It is looked for by pickling parts: of all parts of a value that fails, one fails alone, and so on
down to what has no such part. What can't be rebuilt is the business of `ghosts`.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

#: Parts that are looked at, at most.
MAX_PARTS = 10_000
#: Characters of a key that are shown.
MAX_KEY = 80

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
        yield from ((index_of(key), part) for key, part in value.items())
        yield from ((f" key {index_of(key)}", key) for key in value)
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


def index_of(key: Any) -> str:
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
