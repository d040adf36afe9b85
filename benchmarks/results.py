"""Runs on disk: saved as JSON, added to, loaded, and compared."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Series

FILE = "run.json"


@dataclass
class Run:
    """Everything that was measured, and on what.

    Attributes:
        about: The machine and the versions; one entry for each time that series were added.
        series: By name.
        parts: The names of the series of each part.
    """

    about: list[dict[str, Any]] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, part: str, found: Iterable[Series]) -> None:
        """Add what a part has measured, in place of what it measured before."""
        for name in self.parts.pop(part, []):
            self.series.pop(name, None)
        found = list(found)
        self.series.update({one.name: one for one in found})
        self.parts[part] = [one.name for one in found]

    def of(self, part: str) -> dict[str, Series]:
        """Return the series of a part."""
        return {name: self.series[name] for name in self.parts.get(part, [])}

    def save(self, path: Path) -> None:
        """Write everything as JSON, with every single value."""
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = {
            "about": self.about,
            "parts": self.parts,
            "series": [asdict(one) for one in self.series.values()],
        }
        path.write_text(json.dumps(plain, indent=1), "utf-8")


def load(path: Path) -> Run:
    """Read a run, from its file or from the folder that it is in.

    Raises:
        ValueError: There is none.
    """
    file = path / FILE if path.is_dir() else path
    try:
        plain = json.loads(file.read_text("utf-8"))
        series = {one["name"]: Series(**one) for one in plain["series"]}
        return Run(plain["about"], series, plain["parts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no saved run of the benchmarks: {error}") from None


def about() -> dict[str, Any]:
    """Describe this moment and this machine."""
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
    }
