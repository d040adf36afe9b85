"""``python -m benchmarks.peers.driver NAME``: one pool, driven by lines of JSON.

Each line on stdin is ``[method, argument]``, or ``[method]``; each line on stdout is
``{"value": ...}`` or ``{"error": ...}``. It ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.peers.adapter import Adapter
from benchmarks.peers.adapters import ADAPTERS

CALLS = ("start", "submit_one_roundtrip", "submit_many", "map", "stop")


def answer(adapter: Adapter, line: str) -> dict[str, Any]:
    """Do what a line asks for."""
    try:
        method, *arguments = json.loads(line)
        if method not in CALLS:
            raise ValueError(f"{method!r} is none of {', '.join(CALLS)}")
        call: Callable[..., Any] = getattr(adapter, method)
        return {"value": call(*arguments)}
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def main(arguments: Sequence[str]) -> None:
    """Answer until the input ends."""
    # Pools print what they like, and their processes inherit what is called stdout here.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    adapter = ADAPTERS[arguments[0]]()
    for line in sys.stdin:
        print(json.dumps(answer(adapter, line)), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
