"""What workers say cannot be mistaken for what it is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wetlands.runtime.texts import harmless


@given(text=st.text())
def test_any_text_is_printable_lines_of_which_the_later_ones_are_marked(text: str) -> None:
    lines = harmless(text).split("\n")
    controls = [mark for line in lines for mark in line if ord(mark) < 32 and mark != "\t"]
    assert controls == []
    assert all(line.startswith("  | ") for line in lines[1:])
    assert len("\n".join(lines).splitlines()) <= len(lines)


@given(text=st.text(alphabet=st.characters(categories=["L", "N", "P", "S"])))
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_escapes_are_those_of_python() -> None:
    assert harmless("a\x1b[2J\x07\tb\r\nc") == "a\\x1b[2J\\x07\tb\n  | c"
