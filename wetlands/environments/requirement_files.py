"""Which lines of a requirements file decide what is installed, nested files included.

Only for the key: the installer reads the file itself. Comments and blank lines don't count; every
file named by ``-r`` or ``-c`` and every local folder does, with its content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from wetlands.environments.local_sources import METADATA_FILES, ConfigFile, LocalPackage
from wetlands.errors import ConfigurationError

_COMMENT = re.compile(r"(^|\s)#.*$")
_NESTED = re.compile(r"(?:-[rc]\s*|--(?:requirement|constraint)[\s=]+)(\S.*)")
_EDITABLE = re.compile(r"(?:-e\s*|--editable[\s=]+)(\S.*)")
_EXTRAS = re.compile(r"\[[^\]]*\]\s*$")


def read_requirements(file: Path) -> ConfigFile:
    """Return a requirements file with what decides its outcome.

    Raises:
        ConfigurationError: It, or a file that it names, can't be read.
    """
    content, folders = _scan_file(file, ())
    return ConfigFile(
        "requirements",
        str(file),
        content=tuple(content),
        hashed=any("--hash" in line for line in content),
        folders=tuple(folders),
    )


def _scan_file(file: Path, parents: tuple[Path, ...]) -> tuple[list[str], list[LocalPackage]]:
    if file in parents:
        raise ConfigurationError(f"requirements file {str(file)!r} includes itself")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"can't read requirements file {str(file)!r}: {error}") from error
    lines = text.replace("\\\n", " ").splitlines()
    return scan_lines(lines, file.parent, (*parents, file))


def scan_lines(
    lines: Iterable[str], folder: Path, parents: tuple[Path, ...] = ()
) -> tuple[list[str], list[LocalPackage]]:
    """Return the lines that count, those of nested files in place, and the local packages."""
    content: list[str] = []
    packages: list[LocalPackage] = []
    for raw in lines:
        line = " ".join(_COMMENT.sub("", raw).split())
        nested = _NESTED.fullmatch(line)
        if nested and "://" not in nested[1]:
            more, inner = _scan_file((folder / nested[1].strip()).resolve(), parents)
            content += [line[:3], *more]
            packages += inner
        elif package := _local_package(line, folder):
            packages.append(package)
        elif line:
            content.append(line)
    return content, packages


def _local_package(line: str, folder: Path) -> LocalPackage | None:
    """Return the folder that a line installs, if it names one."""
    editable = _EDITABLE.fullmatch(line)
    target = editable[1] if editable else line.partition(";")[0].strip()
    if " @ " in target:
        target = target.partition(" @ ")[2].strip()
    elif not editable and not target.startswith((".", "/", "file:")):
        return None
    extras = _EXTRAS.search(target)
    path = _path(_EXTRAS.sub("", target), folder)
    if path is None or not any((path / name).is_file() for name in METADATA_FILES):
        return None
    name = path.name + (extras[0].strip() if extras else "")
    return LocalPackage(name, str(path), editable is not None)


def _path(target: str, folder: Path) -> Path | None:
    if target.startswith("file:"):
        from urllib.parse import unquote, urlparse
        from urllib.request import url2pathname  # brings a whole HTTP client with it

        return Path(url2pathname(unquote(urlparse(target).path)))
    return None if "://" in target else (folder / target).resolve()


def absolute_line(line: str, folder: Path) -> str:
    """Return a line that means the same in a file in another folder."""
    nested = _NESTED.fullmatch(line.strip())
    if nested and "://" not in nested[1]:
        option = "-c" if line.strip().startswith(("-c", "--c")) else "-r"
        return f"{option} {(folder / nested[1].strip()).resolve()}"
    return line


def inline_requirements(file: Path, lines: Sequence[str]) -> ConfigFile | None:
    """Return lines inside a file as the requirements file that they would be beside it."""
    if not lines:
        return None
    content, folders = scan_lines(lines, file.parent)
    return ConfigFile(
        "requirements",
        str(file),
        content=tuple(content),
        hashed=any("--hash" in line for line in content),
        folders=tuple(folders),
        inline=tuple(lines),
    )
