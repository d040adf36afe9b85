"""Names of environments: a name is also a folder, on every file system that people have.

So it must be one path component everywhere, and two names that differ only in case (or in how an
accent is composed) are one folder on some machines and two on others: they are refused everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath

from wetlands.errors import ConfigurationError

MAX_LENGTH = 100

_FORBIDDEN = re.compile(r'[/\\<>:"|?*\x00-\x1f\x7f]')
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))]
)


def check_name(name: object) -> str:
    """Return the name if it can be one.

    Raises:
        ConfigurationError: It can't; the message says why and what to write.
    """
    if isinstance(name, PurePath):
        raise ConfigurationError(
            f"environment name is a path ({str(name)!r}): give a plain name to create(), or use "
            "load(name, path) to use an environment that already exists there"
        )
    if not isinstance(name, str):
        raise ConfigurationError(f"environment name must be a str, not {type(name).__name__}")
    fault = _fault(name)
    if fault:
        raise ConfigurationError(
            f"environment name {name!r} {fault}; write a short name such as 'segmentation-2'"
        )
    return name


def _fault(name: str) -> str | None:
    if not name.strip():
        return "is empty"
    if len(name.encode()) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} bytes"
    if bad := _FORBIDDEN.search(name):
        return f"contains {bad.group()!r}"
    if name[0] in ". -" or name[-1] in ". ":
        return "starts or ends with a dot, a space or a dash"
    if name.split(".")[0].lower() in _DEVICES:
        return "is the name of a device on Windows"
    return None


def fold(name: str) -> str:
    """Map names that some file system takes for one and the same to the same text."""
    return unicodedata.normalize("NFC", name).casefold()


def find_twin(name: str, existing: Iterable[str]) -> str | None:
    """Return an existing name that differs from this one, but not on every file system."""
    return next((other for other in existing if other != name and fold(other) == fold(name)), None)
