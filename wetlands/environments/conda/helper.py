"""The helper process: does what it is asked to with py-rattler, and ends when nobody asks any more.

It ends by `os._exit`, because the threads of py-rattler can crash an interpreter that is being
taken down. What it has to say is flushed before that.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from wetlands.environments.conda import messages


def main() -> None:
    """Do what standard input asks for, a line each, up to its end; never returns."""
    status = 1
    try:
        asyncio.run(_serve())
        status = 0
    except BaseException:  # whatever it is, it must get out before the end
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


async def _serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        # Not all of them at once: to load one takes as long as the rest of a small request.
        module = importlib.import_module(f"{__package__}.helper_{request['operation']}")
        try:
            answer = await module.run(request)
        except Exception as error:
            fail(error)
        say("answer", answer)


def say(kind: str, value: Mapping[str, Any]) -> None:
    """Write one line to the host."""
    sys.stdout.write(messages.encode(kind, value) + "\n")
    sys.stdout.flush()


def fail(error: Exception) -> NoReturn:
    """Tell the host of an error and end; for any thread."""
    say("failure", {"kind": _kind(error), "message": str(error).strip()})
    os._exit(0)  # py-rattler may still be at it


class StallError(Exception):
    """Nothing comes over the network any more."""


class HashError(Exception):
    """An archive is not the one that it should be."""


_SIGNS = {
    "hash": ("hash mismatch", "sha256 mismatch", "md5 mismatch"),
    "credentials": ("401 ", "403 ", "unauthorized", "forbidden"),
    "disk": ("no space left", "disk quota exceeded", "os error 28", "os error 122"),
    "network": (
        "error sending request", "dns error", "tcp connect error", "connection re", "timed out",
        "http status", "error decoding response body", "error reading a body",
    ),
}  # fmt: skip
#: Of errors whose classes need not be loaded here.
_NAMES = {"SolverError": "solver", "EscapeError": "escape"}


def _kind(error: Exception) -> str:
    if isinstance(error, HashError):
        return "hash"
    if isinstance(error, StallError):
        return "network"
    if type(error).__name__ in _NAMES:
        return _NAMES[type(error).__name__]
    text = str(error).lower()
    return next((kind for kind, signs in _SIGNS.items() if any(s in text for s in signs)), "other")
