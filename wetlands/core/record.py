"""Events and commands: classes with slots, immutable to the type checker alone.

`dataclasses` would compile six functions for each class, which made them half of what the first
launch of a program loads, and check each assignment when the program runs, which costs as much for
a field as everything else does for the whole object; a task that does nothing is made of five.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**options):
        return lambda function: function


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Return the class with slots, a constructor, equality, a hash and a text, by its annotations.

    Its base is `object`, and nobody changes its instances. Defaults are shared.
    """
    names = tuple(cls.__annotations__)
    body = {name: value for name, value in vars(cls).items() if name not in _REPLACED}
    defaults = {name: body.pop(name) for name in names if name in body}
    body.update(__slots__=names, __match_args__=names, __qualname__=cls.__qualname__)
    body.update(__init__=_constructor(names, defaults), __repr__=_text)
    return type(cls.__name__, (), {"__eq__": _equals, "__hash__": _hash, **body})


#: What a class has of its own accord, and its successor gets anew.
_REPLACED = ("__dict__", "__weakref__")


def _constructor(names: tuple[str, ...], defaults: dict[str, Any]) -> Any:
    parameters = [f"{name}=_default_{name}" if name in defaults else name for name in names]
    lines = [f"    self.{name} = {name}" for name in names] or ["    pass"]
    text = "\n".join((f"def __init__({', '.join(('self', *parameters))}):", *lines))
    made: dict[str, Any] = {}
    exec(text, {f"_default_{name}": value for name, value in defaults.items()}, made)
    return made["__init__"]


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__slots__])


def _equals(self: Any, other: object) -> bool:
    return type(other) is type(self) and _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _text(self: Any) -> str:
    named = [f"{name}={getattr(self, name)!r}" for name in self.__slots__]
    return f"{type(self).__qualname__}({', '.join(named)})"
