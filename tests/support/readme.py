"""The fenced blocks of a page, and what its author says about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<role>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: What stands after the fence.
        role: What the comment right above says: ``"file: NAME"`` for a module that the other
            blocks use, ``"fragment"`` for what can't run by itself, else nothing.
        line: Where its text begins.
    """

    language: str
    role: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return all blocks, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            match["language"],
            match["role"] or "",
            match["text"],
            text.count("\n", 0, match.start("text")) + 1,
        )
        for match in _BLOCK.finditer(text)
    ]
