"""What people write for "which Python": ``"3.10"``, ``"==3.10.*"``, ``">=3.9,<3.12"``, ``"=3.11"``.

All forms become one PEP 440 specifier, so that two spellings of one wish share a recipe key. A
request of fewer than three numbers means the whole series: ``"3.11"``, ``"=3.11"`` and
``"==3.11"`` are any 3.11, because nobody who writes them means the release 3.11.0 alone.
"""

from __future__ import annotations

import re

from wetlands.errors import ConfigurationError

_PLAIN = re.compile(r"(?:==?)?\s*(\d+(?:\.\d+){0,2})(?:\.\*)?")
_HOW = "write a version or a range as text, for example '3.10', '==3.10.*' or '>=3.9,<3.12'"


def parse_python(value: object) -> str:
    """Return the canonical specifier of a request; the empty text stands for no wish.

    Raises:
        ConfigurationError: The request can't be understood.
    """
    if value is None or value == "":
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ConfigurationError(
            f"dependencies['python'] is the number {value!r}: {_HOW} (as a number, 3.10 is 3.1)"
        )
    if not isinstance(value, str):
        raise ConfigurationError(f"dependencies['python'] is a {type(value).__name__}: {_HOW}")
    return _specifier(value.strip())


def _specifier(text: str) -> str:
    if plain := _PLAIN.fullmatch(text):
        version = plain.group(1)
        return f"=={version}" if version.count(".") == 2 else f"=={version}.*"

    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        raise ConfigurationError(f"dependencies['python'] is {text!r}: {_HOW}") from None


def fits(request: str, version: tuple[int, int, int]) -> bool:
    """Tell whether a version satisfies a canonical request."""
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(request).contains(".".join(map(str, version)), prereleases=True)
