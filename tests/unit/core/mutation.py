"""What a broken version of the core is: the source of one module with one piece of text replaced.

It is loaded with the rest of the core as a package of its own.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

#: In the order of their imports. Events and commands are data; mutants and machine share them.
MODULES = (
    "policy",
    "slot",
    "deadlines",
    "retrying",
    "crew",
    "staffing",
    "pace",
    "actions",
    "credit",
    "standstill",
    "worker_events",
    "pool",
)


class Mutant(NamedTuple):
    name: str
    module: str
    old: str
    new: str


def source_of(module: str) -> str:
    path = importlib.import_module(f"wetlands.core.{module}").__file__
    assert path is not None
    return Path(path).read_text(encoding="utf-8")


def mutated_source(mutant: Mutant) -> str:
    source = source_of(mutant.module)
    assert source.count(mutant.old) == 1, f"{mutant.name}: applies {source.count(mutant.old)} times"
    return source.replace(mutant.old, mutant.new)


@contextmanager
def loaded(mutant: Mutant) -> Iterator[dict[str, types.ModuleType]]:
    """Load the core with the mutation, as modules that nobody else can import afterwards."""
    package = "wetlands_core_mutant"
    names = [package, *(f"{package}.{module}" for module in MODULES)]
    sys.modules[package] = types.ModuleType(package)
    try:
        for module in MODULES:
            source = mutated_source(mutant) if module == mutant.module else source_of(module)
            for other in MODULES:
                source = source.replace(
                    f"wetlands.core.{other} import", f"{package}.{other} import"
                )
            name = f"{package}.{module}"
            loading = sys.modules[name] = types.ModuleType(name)
            exec(compile(source, f"<{mutant.name}: {module}.py>", "exec"), loading.__dict__)
        yield {module: sys.modules[f"{package}.{module}"] for module in MODULES}
    finally:
        for name in names:
            sys.modules.pop(name, None)
