"""What host and helper say to one another: JSON, a line each.

The host writes a request to the helper's standard input. The helper answers on standard output
with any number of lines that tell of its progress, then one with its answer or with what went
wrong. After an answer it takes the next request; after a failure, and when its input ends, it ends.
Lines that are no JSON object are what py-rattler itself printed, a panic for instance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Every line of ours starts with this; ``1`` is the version of what follows.
MARK = "wetlands-conda-1 "


@dataclass(frozen=True)
class Progress:
    """How far the helper is.

    Attributes:
        step: ``"solve"``, ``"check"``, ``"download"`` or ``"link"``.
        package: The package that it is about; empty for all.
        done: Bytes, or packages when linking.
        total: How many there will be; None if that is not known.
    """

    step: str
    package: str = ""
    done: int = 0
    total: int | None = None


@dataclass(frozen=True)
class Failure:
    """What went wrong.

    Attributes:
        kind: ``"solver"``, ``"network"``, ``"credentials"``, ``"hash"``, ``"disk"`` or ``"other"``.
        message: What py-rattler says.
    """

    kind: str
    message: str


def encode(kind: str, value: Mapping[str, Any]) -> str:
    """Return a line; ``kind`` is "progress", "answer" or "failure"."""
    return MARK + json.dumps({kind: value})


def decode(line: str) -> tuple[str, dict[str, Any]] | None:
    """Return kind and value of a line, None if it is none of ours."""
    if not line.startswith(MARK):
        return None
    try:
        content = json.loads(line[len(MARK) :])
    except ValueError:
        return None
    return next(iter(content.items())) if isinstance(content, dict) and content else None
