"""`Lock`: what an environment consists of to the last byte, on one platform or several."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wetlands.environments.disk import explained, write_atomically
from wetlands.environments.locks import formats
from wetlands.environments.locks.addresses import left_out
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import find_platform, here
from wetlands.errors import ConfigurationError


@dataclass(frozen=True)
class Lock:
    """Which file of which package, with its sha256, makes an environment.

    Made by `EnvironmentManager.lock`, `Environment.lock` or `Lock.read`. Immutable, hence safe to
    use from any thread.

    Attributes:
        kind: ``"venv"`` or ``"conda"``.
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
    def of(kind: str, document: dict[str, Any]) -> Lock:
        """Return the lock that a document describes; paths in it are absolute."""
        how = formats.FORMATS[kind]
        return Lock(
            kind, how.platforms(document), how.python(document), how.local(document), document
        )

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Lock:
        """Return the lock that a file holds: ``pylock.toml``, ``conda-lock.yml`` or ``pixi.lock``.

        Raises:
            ConfigurationError: There is no such file, it is no lock, or one that does not say how
                its files are verified.
        """
        file = Path(os.fsdecode(path)).expanduser().absolute()
        if not file.is_file():
            raise ConfigurationError(f"there is no lock {str(file)!r}")
        return Lock.of(*formats.load(file))

    def write(self, path: str | os.PathLike[str], *, addresses: bool = True) -> Path:
        """Write it into a file, whole or not at all; return the file.

        Args:
            path: A folder, where it is called ``pylock.toml`` or ``conda-lock.yml``, or a file
                whose name is that of such a lock (``pylock.<name>.toml``,
                ``<name>.conda-lock.yml``).
            addresses: Whether it says where files come from. Without that (``pylock.toml`` only)
                files are taken that lie beside it, and else those with the same hash that the
                package index of whoever installs them has.

        Raises:
            ConfigurationError: No tool would take a file of this name for a lock of this kind, or
                a ``conda-lock.yml`` is to have no addresses.
            ProvisioningError: The file can't be written.
        """
        how = formats.FORMATS[self.kind]
        file = Path(os.fsdecode(path)).expanduser().absolute()
        if file.is_dir():
            file = file / how.name
        if not how.is_one(file):
            raise ConfigurationError(
                f"the lock of a {self.kind} environment is called {how.name}, not {file.name!r}"
            )
        document = self.document if addresses else self._without_addresses(file.parent)
        with explained("write the lock", file):
            write_atomically(file, how.text(document, file.parent))
            file.chmod(0o644)  # unlike what lies under a root, it is made to be shared
        return file

    def _without_addresses(self, folder: Path) -> dict[str, Any]:
        if self.kind != "venv":
            raise ConfigurationError(
                "a conda-lock.yml can't be written without addresses: its format has no other way "
                "to name a file"
            )
        return left_out(self.document, folder)

    def packages(self, platform: str | None = None) -> list[LockedPackage]:
        """Return what it installs on a platform, by default this one.

        Raises:
            ConfigurationError: It is not for this platform.
        """
        wanted = find_platform(platform) if platform else here()
        self.check_platform(wanted.name)
        return formats.FORMATS[self.kind].packages(self.document, wanted)

    def check_platform(self, platform: str) -> None:
        """Raise `ConfigurationError` if it is not for a platform."""
        if platform not in self.platforms:
            raise ConfigurationError(
                f"this lock is for {', '.join(self.platforms) or 'no platform'} and not for "
                f"{platform}: make one with manager.lock(recipe, platforms=[..., {platform!r}])"
            )

    @property
    def has_pip_part(self) -> bool:
        """Whether it has packages that are not Conda's, here."""
        return any(package.kind == "pip" for package in self.packages())

    def pip_part(self) -> dict[str, Any]:
        """Return what of it is not Conda's, here, as the document of a ``pylock.toml``."""
        return formats.FORMATS[self.kind].pip_part(self.document, here())

    @property
    def digest(self) -> str:
        """The sha256 of what it installs: the same for two files that install the same."""
        how = formats.FORMATS[self.kind]
        installs = [self.kind, self.python, self.local, how.content(self.document)]
        canonical = json.dumps(installs, sort_keys=True, default=str, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
