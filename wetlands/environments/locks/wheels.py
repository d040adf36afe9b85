"""Which of the wheels of a package a platform gets."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wetlands.environments.locks.platforms import Platform

if TYPE_CHECKING:
    from packaging.tags import Tag

#: How old a C library and a macOS the targets of the resolver are; see `platforms`.
_GLIBC, _MACOS = 28, (14, 0)


def best_wheel(
    wheels: Sequence[dict[str, Any]], platform: Platform, python: tuple[int, int]
) -> dict[str, Any] | None:
    """Return the wheel that fits best, None when none does.

    Args:
        wheels: The tables of a lock.
        platform: Where it is to be installed.
        python: Major and minor version of CPython there.
    """
    ranks = _ranks(platform, python)
    rated = ((_rank(wheel, ranks), wheel) for wheel in wheels)
    fitting = [(rank, wheel) for rank, wheel in rated if rank is not None]
    return min(fitting, key=lambda each: each[0])[1] if fitting else None


def _rank(wheel: dict[str, Any], ranks: dict[Tag, int]) -> int | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        tags = parse_wheel_filename(name_of(wheel))[3]
    except InvalidWheelFilename:
        return None
    return min((ranks[tag] for tag in tags if tag in ranks), default=None)


def name_of(table: dict[str, Any]) -> str:
    """Return the name of the file that a table of a lock is about."""
    place = table.get("name") or table.get("path") or table.get("url", "")
    return str(place).partition("#")[0].partition("?")[0].replace("\\", "/").rpartition("/")[2]


@functools.lru_cache(maxsize=16)
def _ranks(platform: Platform, python: tuple[int, int]) -> dict[Tag, int]:
    from packaging import tags

    wanted = _platform_tags(platform)
    ordered = [
        *tags.cpython_tags(python, platforms=wanted),
        *tags.compatible_tags(python, f"cp{python[0]}{python[1]}", wanted),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(ordered)))}


def _platform_tags(platform: Platform) -> list[str]:
    from packaging import tags

    if platform.system == "darwin":
        return list(tags.mac_platforms(_MACOS, platform.machine))
    if platform.system == "win32":
        return [f"win_{platform.machine.lower()}"]
    old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    found: list[str] = []
    for minor in range(_GLIBC, 4, -1):
        found.append(f"manylinux_2_{minor}_{platform.machine}")
        if minor in old:
            found.append(f"{old[minor]}_{platform.machine}")
    return [*found, f"linux_{platform.machine}"]
