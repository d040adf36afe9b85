"""What local packages and config files contribute to a recipe's key: their content.

A package that is installed as a copy is another one when any of its files changes, so the whole
source tree is hashed (without what version control, builds and editors leave there). An editable
one is a link: its code may change freely, and only the files that decide its metadata and
dependencies count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wetlands.environments.masking import mask
from wetlands.errors import ConfigurationError

METADATA_FILES = ("pyproject.toml", "setup.py", "setup.cfg")

_LITTER = {
    *(
        "__pycache__",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        ".tox",
        ".nox",
        ".eggs",
        "build",
        "dist",
    ),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".idea", ".vscode", ".ipynb_checkpoints"),
    *("dist", "node_modules"),
}


class LocalPackage(NamedTuple):
    """A package in a folder; ``name`` may carry extras, ``path`` is absolute."""

    name: str
    path: str
    editable: bool

    @staticmethod
    def at(name: str, path: str | os.PathLike[str], *, editable: bool) -> LocalPackage:
        """Check the folder and make its path absolute.

        Raises:
            ConfigurationError: There is no such folder, or no package in it.
        """
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise ConfigurationError(f"local package {name!r}: there is no folder {str(folder)!r}")
        if not any((folder / file).is_file() for file in METADATA_FILES):
            raise ConfigurationError(
                f"local package {name!r}: {str(folder)!r} holds no package (a pyproject.toml or a "
                "setup.py is needed)"
            )
        return LocalPackage(name, str(folder), editable)

    def requirement(self) -> str:
        """Return the line of a requirements file that installs it."""
        if self.editable:
            _, bracket, extras = self.name.partition("[")
            return f"-e {Path(self.path).as_uri()}{bracket}{extras}"
        return f"{self.name} @ {Path(self.path).as_uri()}"

    def identity(self) -> dict[str, Any]:
        """Return what makes it itself: content, and for a link the folder."""
        folder = Path(self.path)
        if self.editable:
            return {"name": self.name, "path": self.path, "metadata": _digest(_metadata(folder))}
        return {"name": self.name, "content": _digest(_tree(folder))}


class ConfigFile(NamedTuple):
    """A file that the installer reads itself.

    Attributes:
        kind: ``"requirements"`` or ``"project"``.
        path: Where it is, absolute.
        extras: Optional dependencies of a project that are wanted.
        groups: Dependency groups of a project that are wanted.
        content: What in it, and in files that it names, decides the outcome.
        hashed: Whether it pins hashes of its own, which then are verified.
        folders: Local packages that it installs.
        inline: The lines of requirements that stand inside a file of another format.
    """

    kind: str
    path: str
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    hashed: bool = False
    folders: tuple[LocalPackage, ...] = ()
    inline: tuple[str, ...] = ()

    def identity(self) -> dict[str, Any]:
        """Return what makes it itself; its place and its comments don't."""
        import hashlib

        text = mask("\n".join(self.content)).encode()
        return {
            "kind": self.kind,
            "extras": self.extras,
            "groups": self.groups,
            "content": hashlib.sha256(text).hexdigest(),
            "local": [folder.identity() for folder in self.folders],
        }


def _metadata(folder: Path) -> Iterator[tuple[str, Path]]:
    for name in METADATA_FILES:
        if (folder / name).is_file():
            yield name, folder / name


def _tree(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name not in _LITTER and not name.endswith(".egg-info")
        )
        for name in sorted(files):
            path = Path(parent, name)
            if not name.endswith((".pyc", ".pyo", "~")) and path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _digest(files: Iterator[tuple[str, Path]]) -> str:
    import hashlib  # only here: it takes longer to load than all that comes before

    total = hashlib.sha256()
    for name, path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()
