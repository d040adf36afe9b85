"""``ready.json``: what a finished prefix is, so that it can be used again without asking anything.

Its presence is the promise that the prefix is whole. It is believed without a lock: it is written
last and removed first, both in one step. What can still happen to a whole prefix (its base Python
is uninstalled, the root is moved, someone removes the folder) is checked each time by looking at
files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wetlands.environments import probing
from wetlands.environments.disk import read_json, write_json
from wetlands.environments.layout import Layout
from wetlands.environments.prefix import Prefix
from wetlands.environments.probing import Interpreter, fingerprint_of
from wetlands.errors import ConfigurationError, EnvironmentConflictError

LAYOUT = 1


class Record(NamedTuple):
    """The content of a marker.

    Attributes:
        name: The environment's name.
        key: Its recipe's key.
        recipe: Its recipe's identity.
        lock: The sha256 of its lock.
        interpreter: Its Python.
        base: When and how large the Python was that it was made from.
        additions: What was installed later, call by call.
        variables: Its recipe's environment variables, which may hold secrets.
    """

    name: str
    key: str
    recipe: Mapping[str, Any]
    lock: str
    interpreter: Interpreter
    base: list[int]
    additions: Sequence[Any] = ()
    variables: Mapping[str, str] = {}

    def prefix(self, layout: Layout) -> Prefix:
        """Return the environment that it describes."""
        return Prefix(
            self.name, layout.prefix, self.interpreter, managed=True, key=self.key,
            variables=self.variables,
        )  # fmt: skip


def write_record(layout: Layout, record: Record) -> None:
    """Declare the prefix whole."""
    from datetime import datetime, timezone

    from wetlands.environments import uv
    from wetlands.environments.recipe import LAYOUT as RECIPE_LAYOUT

    content = {
        **record._asdict(),
        "layout": LAYOUT,
        "interpreter": _to_json(record.interpreter),
        "tools": {"uv": uv.version(), "recipe layout": RECIPE_LAYOUT},
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    write_json(layout.marker, content)


def read_record(layout: Layout) -> Record | None:
    """Return what the marker says, None without one that can be read.

    Raises:
        EnvironmentConflictError: It was written by a version with another layout.
    """
    content = read_json(layout.marker)
    if content is None:
        return None
    if content.get("layout") != LAYOUT:
        raise EnvironmentConflictError(
            f"environment {layout.folder.name!r} in {str(layout.folder)!r} was made by another "
            f"version of wetlands (layout {content.get('layout')!r}; this one reads {LAYOUT}): use "
            "that version, another root, or create it again with replace_existing=True"
        )
    try:
        written = {**Record._field_defaults, **content}  # older ones have fewer
        parts = {name: written[name] for name in Record._fields}
        return Record(**{**parts, "interpreter": _from_json(parts["interpreter"])})
    except (KeyError, TypeError, ValueError):
        return None  # damaged: as good as not there


def find_intact(layout: Layout, record: Record, cache: Path) -> Record | None:
    """Return the record, brought up to date, if the prefix can still be used; None if not."""
    interpreter = record.interpreter
    if interpreter.executable != layout.python:
        return None  # the root was moved, and scripts in the prefix name the old place
    try:
        if fingerprint_of(interpreter.base_executable or layout.python) == record.base:
            return record if layout.python.exists() else None
        fresh = probing.probe(layout.python, cache=cache)
    except (OSError, ConfigurationError):
        return None
    # An update within the minor version leaves its venvs in order.
    return record._replace(interpreter=fresh) if fresh.abi == interpreter.abi else None


def _to_json(interpreter: Interpreter) -> dict[str, Any]:
    values = interpreter._asdict()
    return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def _from_json(values: Mapping[str, Any]) -> Interpreter:
    parts = dict(values)
    for key in ("executable", "prefix", "base_executable"):
        parts[key] = Path(parts[key]) if parts[key] else None
    parts["version"] = tuple(parts["version"])
    return Interpreter(**parts)
