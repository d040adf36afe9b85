"""`CondaPackage`: one package that a solver chose, or that a lock lists."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wetlands.errors import ConfigurationError

#: What names a folder of the package cache, and none elsewhere.
_STEM = re.compile(r"[\w!+-][\w!+.=-]*")


@dataclass(frozen=True)
class CondaPackage:
    """A package of a channel, as exactly as it can be named.

    Attributes:
        name: Its name.
        version: Its version.
        build: Its build string, for example ``"py311_0"``.
        url: Where its archive lies, without credentials; ``file://`` for one on this machine.
        sha256: The archive's hash, 64 hexadecimal digits; empty where the channel has none.
        md5: Likewise, 32 digits. One of the two is needed to install it.
        size: The archive's size in bytes, None if it is not known.
        subdir: The channel's folder: a platform such as ``"linux-64"``, or ``"noarch"``.
        channel: The channel's address, without credentials.
        depends: What it needs, as match specs.
        constrains: What it does not go along with, as match specs.
        build_number: Decides between builds of one version.
        noarch: ``"python"`` or ``"generic"`` if it is for every platform.
        python_site_packages_path: Where a Python keeps its packages, if not as usual.
        license: Its licence, as the channel says.
        timestamp: When it was built, in milliseconds since 1970.
    """

    name: str
    version: str
    build: str
    url: str
    sha256: str = ""
    md5: str = ""
    size: int | None = None
    subdir: str = "noarch"
    channel: str = ""
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    build_number: int = 0
    noarch: str | None = None
    python_site_packages_path: str | None = None
    license: str | None = None
    timestamp: int | None = None

    def __post_init__(self) -> None:
        if not _STEM.fullmatch(self.stem):
            raise ConfigurationError(
                f"{self.stem!r} is no name, version and build of a Conda package"
            )

    @property
    def file_name(self) -> str:
        """The name of its archive."""
        return self.url.rpartition("/")[2].partition("#")[0]

    @property
    def stem(self) -> str:
        """The name of its folder in the package cache."""
        return f"{self.name}-{self.version}-{self.build}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, without what is empty."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if value not in (None, "", ())}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> CondaPackage:
        """Return what `to_json` was given; unknown keys are passed over.

        Raises:
            ConfigurationError: Something in it is missing or of a wrong type.
        """
        known = {field.name for field in dataclasses.fields(CondaPackage)}
        parts = {key: value for key, value in values.items() if key in known}
        for key in ("depends", "constrains"):
            parts[key] = tuple(parts.get(key) or ())
        if not all(isinstance(parts.get(key), str) for key in ("name", "version", "build", "url")):
            raise ConfigurationError(f"this is no description of a Conda package: {values!r}")
        return CondaPackage(**parts)
