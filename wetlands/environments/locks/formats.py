"""The formats of locks, behind one face each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from wetlands.environments.locks import conda_lock, pixi_lock, pylock
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import Platform
from wetlands.environments.project_files import load_toml
from wetlands.errors import ConfigurationError

Document = dict[str, Any]

NAMES = "pylock.toml, conda-lock.yml, pixi.lock"


class Format(Protocol):
    """What can be asked of a lock, whatever its format."""

    name: str

    def is_one(self, file: Path) -> bool:
        """Whether a file is called like a lock of this format."""

    def load(self, file: Path) -> Document:
        """Return the document in a file, its paths made absolute."""

    def text(self, document: Document, folder: Path) -> str:
        """Return a document as the content of a file in a folder."""

    def platforms(self, document: Document) -> tuple[str, ...]:
        """Return the platforms that it is for."""

    def python(self, document: Document) -> str:
        """Return the versions of Python that it is for, as a specifier."""

    def local(self, document: Document) -> tuple[str, ...] | None:
        """Return the names of local packages that it was made with, if it says."""

    def packages(self, document: Document, platform: Platform) -> list[LockedPackage]:
        """Return what it installs on a platform."""

    def pip_part(self, document: Document, platform: Platform) -> Document:
        """Return what uv is to install, as the document of a ``pylock.toml``."""

    def content(self, document: Document) -> object:
        """Return what decides what it installs."""


class _Pylock:
    name = "pylock.toml"

    def is_one(self, file: Path) -> bool:
        return file.name.startswith("pylock.") and file.suffix == ".toml"

    def load(self, file: Path) -> Document:
        return pylock.absolute(pylock.check(load_toml(file), repr(str(file))), file.parent)

    def text(self, document: Document, folder: Path) -> str:
        shared = pylock.without_credentials(document)
        return pylock.dump(pylock.relative(shared, folder))

    def platforms(self, document: Document) -> tuple[str, ...]:
        return pylock.platforms(document)

    def python(self, document: Document) -> str:
        return str(document.get("requires-python", ""))

    def local(self, document: Document) -> tuple[str, ...] | None:
        noted = document.get("tool", {}).get("wetlands", {}).get("local")
        return None if noted is None else tuple(noted)

    def packages(self, document: Document, platform: Platform) -> list[LockedPackage]:
        return pylock.packages(document, platform, pylock.lowest(self.python(document)))

    def pip_part(self, document: Document, platform: Platform) -> Document:
        return document

    def content(self, document: Document) -> object:
        return pylock.content(document)


class _CondaLock:
    name = "conda-lock.yml"

    def is_one(self, file: Path) -> bool:
        return file.suffix in (".yml", ".yaml") and file.stem.endswith("conda-lock")

    def load(self, file: Path) -> Document:
        return conda_lock.check(_load_yaml(file), repr(str(file)))

    def text(self, document: Document, folder: Path) -> str:
        return conda_lock.dump(document)

    def platforms(self, document: Document) -> tuple[str, ...]:
        return conda_lock.platforms(document)

    def python(self, document: Document) -> str:
        versions = {
            tuple(entry["version"].split(".")[:2])
            for entry in document["package"]
            if (entry["manager"], entry["name"]) == ("conda", "python")
        }
        return "" if len(versions) != 1 else f"=={'.'.join(versions.pop())}.*"

    def local(self, document: Document) -> tuple[str, ...] | None:
        noted = conda_lock.notes(document).get("wetlands-local")
        return None if noted is None else tuple(filter(None, noted.split(",")))

    def packages(self, document: Document, platform: Platform) -> list[LockedPackage]:
        return conda_lock.packages(document, platform)

    def pip_part(self, document: Document, platform: Platform) -> Document:
        found = [each for each in self.packages(document, platform) if each.kind == "pip"]
        return pylock.of_files(found)

    def content(self, document: Document) -> object:
        return conda_lock.content(document)


FORMATS: Mapping[str, Format] = {"venv": _Pylock(), "conda": _CondaLock()}


def load(file: Path) -> tuple[str, Document]:
    """Return the kind of environment that a file is a lock of, and its document.

    Raises:
        ConfigurationError: It is no lock, or one that can't be trusted.
    """
    if file.name == "pixi.lock":
        return "conda", pixi_lock.convert(_load_yaml(file), file)
    for kind, how in FORMATS.items():
        if how.is_one(file):
            return kind, how.load(file)
    raise ConfigurationError(f"{file.name} is no lock that can be read: the formats are {NAMES}")


def is_lock(file: Path) -> bool:
    """Tell by the name of a file whether it is a lock that can be read."""
    return file.name == "pixi.lock" or any(how.is_one(file) for how in FORMATS.values())


def _load_yaml(file: Path) -> object:
    import yaml

    # The loader in C takes a tenth of the time: a lock may have ten thousand lines.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{str(file)!r} is no valid YAML: {error}") from error
