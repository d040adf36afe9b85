"""Texts of workers on their way into logs."""

from __future__ import annotations

import re

# Of ASCII and of Latin 1, but for tabs and line ends; and what Unicode breaks lines with.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def harmless(text: str) -> str:
    """Return a text that can neither command a terminal nor pass for another record of a log.

    Control characters are escaped as in Python's literals; further lines of a text are marked.
    """
    if text.isprintable():
        return text
    return _CONTROLS.sub(_escaped, text.replace("\r\n", "\n")).replace("\n", "\n  | ")


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")
