"""A module of an environment, as an object of the host."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any


class ModuleProxy:
    """The functions of a remote module as methods that run in a worker and return the result."""

    def __init__(
        self,
        module: str | os.PathLike[str],
        names: Sequence[str],
        execute: Callable[..., Any],
    ) -> None:
        self._module = module
        self._names = tuple(names)
        self._execute = execute

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__") or name not in self._names:
            there = ", ".join(self._names) or "none"
            raise AttributeError(f"{self._module} has no function {name!r}. Functions: {there}")
        return functools.partial(self._call, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names]

    def __repr__(self) -> str:
        return f"<remote module {self._module}>"

    def _call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return self._execute(self._module, name, args, kwargs)
