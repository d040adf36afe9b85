"""`Lock`: what an environment consists of to the last byte, on one platform or several."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wetlands.environments.disk import explained, write_atomically
from wetlands.environments.local_sources import LocalPackage
from wetlands.environments.locks import pylock
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import find_platform, here
from wetlands.environments.project_files import load_toml
from wetlands.errors import ConfigurationError

_FORMATS = "pylock.toml"


@dataclass(frozen=True)
class Lock:
    """Which file of which package, with its sha256, makes an environment.

    Made by `EnvironmentManager.lock`, `Environment.lock` or `Lock.read`. Immutable, hence
    safe to use from any thread.

    Attributes:
        kind: ``"venv"``.
        platforms: The platforms that it is for, for example ``("linux-64", "osx-arm64")``.
        python: The versions of Python that it is for, as a specifier; empty when it does not say.
        local: The names of packages that come from folders of the recipe, and so are not in it;
            None when it does not say.
    """

    kind: str
    platforms: tuple[str, ...]
    python: str
    local: tuple[str, ...] | None = None
    document: dict[str, Any] = field(repr=False, default_factory=dict, hash=False)

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Lock:
        """Return the lock that a file holds: a ``pylock.toml``.

        Raises:
            ConfigurationError: There is no such file, it is no lock, or one that does not say how
                its files are verified.
        """
        file = Path(os.fsdecode(path)).expanduser().absolute()
        if not file.is_file():
            raise ConfigurationError(f"there is no lock {str(file)!r}")
        if not is_lock(file):
            raise ConfigurationError(
                f"{file.name} is no lock that can be read: the formats are {_FORMATS}"
            )
        content = pylock.check(load_toml(file), repr(str(file)))
        return Lock.of_pylock(pylock.absolute(content, file.parent))

    @staticmethod
    def of_pylock(document: dict[str, Any]) -> Lock:
        """Return the lock of a venv; paths in the document are absolute."""
        local = document.get("tool", {}).get("wetlands", {}).get("local")
        return Lock(
            "venv",
            pylock.platforms(document),
            str(document.get("requires-python", "")),
            None if local is None else tuple(local),
            document,
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write it into a file, whole or not at all; return the file.

        Args:
            path: A folder, where it is called ``pylock.toml``, or a file whose name is that of
                such a lock (``pylock.<name>.toml``).

        Raises:
            ConfigurationError: No tool would take a file of this name for a lock.
            ProvisioningError: The file can't be written.
        """
        file = Path(os.fsdecode(path)).expanduser().absolute()
        if file.is_dir():
            file = file / "pylock.toml"
        if not is_lock(file):
            raise ConfigurationError(
                f"a venv's lock is called pylock.toml or pylock.<name>.toml, not {file.name!r}"
            )
        with explained("write the lock", file):
            write_atomically(file, self.text(file.parent))
            file.chmod(0o644)  # unlike what lies under a root, it is made to be shared
        return file

    def beside(self, local: Sequence[LocalPackage]) -> Lock:
        """Return this lock together with packages in folders of this machine."""
        return replace(self, document=pylock.with_folders(self.document, local)) if local else self

    def text(self, folder: Path) -> str:
        """Return it as the content of a file in a folder."""
        return pylock.dump(pylock.relative(self.document, folder))

    def packages(self, platform: str | None = None) -> list[LockedPackage]:
        """Return what it installs on a platform, by default this one.

        Raises:
            ConfigurationError: It is not for this platform.
        """
        wanted = find_platform(platform) if platform else here()
        self.check_platform(wanted.name)
        return pylock.packages(self.document, wanted, pylock.lowest(self.python))

    def check_platform(self, platform: str) -> None:
        """Raise `ConfigurationError` if it is not for a platform."""
        if platform not in self.platforms:
            raise ConfigurationError(
                f"this lock is for {', '.join(self.platforms) or 'no platform'} and not for "
                f"{platform}: make one with manager.lock(recipe, platforms=[..., {platform!r}])"
            )

    @property
    def digest(self) -> str:
        """The sha256 of what it installs: the same for two files that install the same."""
        installs = [self.kind, self.python, self.local, pylock.content(self.document)]
        canonical = json.dumps(installs, sort_keys=True, default=str, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def is_lock(file: Path) -> bool:
    """Tell by the name of a file whether it is a lock that can be read."""
    return file.name.startswith("pylock.") and file.suffix == ".toml"
