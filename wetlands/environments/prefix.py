"""`Prefix`: what the layers above know of an environment on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wetlands.environments.probing import Interpreter


class Prefix(NamedTuple):
    """An environment that lies ready on disk.

    Attributes:
        name: Its name.
        path: The folder that it consists of.
        interpreter: Its Python.
        managed: Whether it was created here; an adopted one is never changed or removed for its
            recipe's sake.
        key: Its recipe's key; empty for an adopted one.
        variables: Environment variables of its recipe.
    """

    name: str
    path: Path
    interpreter: Interpreter
    managed: bool
    key: str = ""
    variables: Mapping[str, str] = {}
