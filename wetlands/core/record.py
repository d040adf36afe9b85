"""Events and commands that occur with every task: immutable to the type checker alone.

What makes a dataclass frozen when the program runs costs as much for each field as everything else
does for the whole object, and a task that does nothing is made of five of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**options):
        return lambda function: function


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make a dataclass with slots of a class; nobody changes its instances."""
    return dataclass(slots=True)(cls)
