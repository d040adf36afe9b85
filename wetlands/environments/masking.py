"""Keeps credentials out of messages, logs and records.

Index addresses carry them as ``https://user:token@host/``. Everything that a tool prints, and
every command and recipe that is shown or stored, goes through `mask` first. A recipe's key is
computed from the masked text as well, so a rotated token does not make another environment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Greedy up to the last "@" before a slash or a space: passwords may contain "@" and ":".
_USERINFO = re.compile(r"(?<=://)[^/\s'\"]+@")
_HIDDEN = "****@"


def mask(text: str) -> str:
    """Return the text with the user part of every address hidden."""
    # git+ssh://git@host names a protocol's fixed user, no secret, and is needed to read the
    # address.
    return _USERINFO.sub(lambda found: found[0] if found[0] == "git@" else _HIDDEN, text)


def without_user(url: str) -> str:
    """Return an address without its user part, for a file that others are to use."""
    return _USERINFO.sub(lambda found: found[0] if found[0] == "git@" else "", url)


def mask_command(command: Sequence[str]) -> tuple[str, ...]:
    """Return the command with the user part of every address hidden."""
    return tuple(mask(word) for word in command)
