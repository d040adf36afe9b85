"""The platforms that locks are made for, and what each is called elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wetlands.environments.entries import strings, this_platform
from wetlands.errors import ConfigurationError


@dataclass(frozen=True)
class Platform:
    """A platform.

    Attributes:
        name: As recipes and locks say it.
        subdir: As Conda says it.
        target: As uv says it. On Linux with the C library that wheels have to make do with, so
            that a lock does not depend on the machine that made it.
        system: ``sys.platform`` there.
        machine: ``platform.machine()`` there.
    """

    name: str
    subdir: str
    target: str
    system: str
    machine: str

    @property
    def marker(self) -> str:
        """The environment marker (PEP 508) that is true there and nowhere else."""
        return f"sys_platform == '{self.system}' and platform_machine == '{self.machine}'"

    def variables(self, python: str) -> dict[str, str]:
        """Return what markers are evaluated with there, for a version of CPython."""
        named = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
        return {
            "sys_platform": self.system,
            "platform_machine": self.machine,
            "platform_system": named[self.system],
            "os_name": "nt" if self.system == "win32" else "posix",
            "python_version": ".".join(python.split(".")[:2]),
            "python_full_version": python if python.count(".") > 1 else f"{python}.0",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "implementation_version": python,
            "platform_release": "",
            "platform_version": "",
            "extra": "",
        }


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform("linux-64", "linux-64", "x86_64-manylinux_2_28", "linux", "x86_64"),
        Platform("linux-arm64", "linux-aarch64", "aarch64-manylinux_2_28", "linux", "aarch64"),
        Platform("osx-64", "osx-64", "x86_64-apple-darwin", "darwin", "x86_64"),
        Platform("osx-arm64", "osx-arm64", "aarch64-apple-darwin", "darwin", "arm64"),
        Platform("win-64", "win-64", "x86_64-pc-windows-msvc", "win32", "AMD64"),
        Platform("win-arm64", "win-arm64", "aarch64-pc-windows-msvc", "win32", "ARM64"),
    )
}

_SUBDIRS = {platform.subdir: platform for platform in PLATFORMS.values()}


def find_platform(name: str) -> Platform:
    """Return a platform by the name that recipes, or Conda, have for it.

    Raises:
        ConfigurationError: There is none of this name.
    """
    found = PLATFORMS.get(name) or _SUBDIRS.get(name)
    if found is None:
        raise ConfigurationError(
            f"there is no platform {name!r}: the names are {', '.join(PLATFORMS)}"
        )
    return found


def here() -> Platform:
    """Return this machine's platform."""
    return PLATFORMS[this_platform()]


def parse_platforms(value: Sequence[str] | None) -> tuple[Platform, ...]:
    """Return the platforms that were asked for, each once; without a wish this machine's.

    Raises:
        ConfigurationError: It is no list, or an entry is no platform.
    """
    found = [find_platform(name) for name in strings(value, "platforms")]
    return tuple(dict.fromkeys(found)) or (here(),)
