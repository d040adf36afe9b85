"""What users write for a Conda package: ``"numpy >=1.26"``, ``"nvidia::cuda-toolkit=11.*"``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from wetlands.errors import ConfigurationError

_SPEC = re.compile(r"(?:(?P<channel>\S+?)::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>.*)", re.DOTALL)
_REST = re.compile(r"[=<>!~\[\d*(^].*", re.DOTALL)


def canonical_spec(text: str) -> str:
    """Return a spec in the form that its spellings share: ``channel::name rest``.

    Raises:
        ConfigurationError: It is none; says what to write.
    """
    channel, name, rest = split_spec(text)
    rest = re.sub(r"\s*([,|])\s*", r"\1", " ".join(rest.split()))
    rest = re.sub(r"([<>=!~])\s+", r"\1", rest)
    spec = f"{name} {rest}".strip()
    return f"{channel}::{spec}" if channel else spec


def split_spec(text: str) -> tuple[str, str, str]:
    """Return channel, name and the rest of a spec; the channel is empty if there is none.

    Raises:
        ConfigurationError: It is no spec.
    """
    found = _SPEC.fullmatch(text.strip())
    rest = found["rest"] if found else ""
    if found is None or (rest and not _REST.fullmatch(rest)):
        raise ConfigurationError(
            f"{text!r} is no Conda package: write a name, with a version if you like, such as "
            "'numpy', 'numpy >=1.26', 'numpy=1.26' or 'nvidia::cuda-toolkit=11.*'"
        )
    return found["channel"] or "", found["name"].lower(), rest


def python_spec(request: str) -> str:
    """Return the spec of a Python, from a canonical version specifier such as ``"==3.11.*"``."""
    # A Conda version may end in ``.*`` without the equal signs that Python's specifiers need.
    versions = re.sub(r"==([\d.]+\.\*)", r"\1", request.replace(" ", ""))
    return f"python {versions}" if versions else "python"


def channels_of(specs: Sequence[str]) -> list[Any]:
    """Return the channels that specs name themselves, each once."""
    found = (split_spec(spec)[0] for spec in specs)
    return list(dict.fromkeys(channel for channel in found if channel))
