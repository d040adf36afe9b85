"""In the helper: whether the files that a package lists stay in its prefix.

py-rattler unpacks nothing outside of a package's own folder in the cache. But it links each file
to where the package's ``info/paths.json`` says (or ``info/files``, in old ones), and there ``..``
would lead out of the prefix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

#: What lists of files with a path out of the prefix have in them; to parse all takes longer.
_SUSPICIOUS = re.compile(rb'\.\.|\\|"_path"\s*:\s*"(?:/|[A-Za-z]:)')


class EscapeError(Exception):
    """A package would write outside of its prefix."""


def check_paths(folder: Path) -> None:
    """Check an extracted package.

    Raises:
        EscapeError: It lists a file outside of its prefix.
    """
    for path in _listed(folder / "info"):
        if _escapes(path):
            raise EscapeError(f"{folder.name} lists the file {path!r}, outside of its environment")


def _listed(info: Path) -> Iterable[str]:
    """Return the paths that need a closer look."""
    try:
        content = (info / "paths.json").read_bytes()
    except FileNotFoundError:
        return _lines(info / "files")
    if not _SUSPICIOUS.search(content):
        return ()
    return (str(entry.get("_path")) for entry in json.loads(content).get("paths", ()))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def _escapes(path: str) -> bool:
    windows = PureWindowsPath(path)  # takes slashes, too
    outside = windows.drive or windows.root or PurePosixPath(path).is_absolute()
    return bool(outside) or ".." in windows.parts
