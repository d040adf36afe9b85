"""Checks of options: one clear error for a value that can't be right."""

from __future__ import annotations

import math

from wetlands.errors import ConfigurationError


def seconds(name: str, value: float | None) -> float:
    """Return a duration option as seconds, infinite for None.

    Raises:
        ConfigurationError: It is no number, negative, or not a number.
    """
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ConfigurationError(f"{name} must be a number of seconds or None, not {value!r}")
    return float(value)


def count(name: str, value: int) -> int:
    """Return a number of things.

    Raises:
        ConfigurationError: It is no whole number from 1 on.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number from 1 on, not {value!r}")
    return value


def limit(name: str, value: int | None) -> float:
    """Return a number of things as a limit, infinite for None.

    Raises:
        ConfigurationError: It is no whole number from 1 on.
    """
    return math.inf if value is None else count(name, value)


def positive(name: str, value: float | None) -> float:
    """Return a duration option as seconds, infinite for None.

    Raises:
        ConfigurationError: It is no number, or not more than 0.
    """
    if value is None:
        return math.inf
    found = seconds(name, value)
    if found == 0:
        raise ConfigurationError(f"{name} must be more than 0 seconds, or None")
    return found


def byte_count(name: str, value: int | None) -> int | None:
    """Return a number of bytes, or None.

    Raises:
        ConfigurationError: It is no whole number from 0 on.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name} must be a number of bytes or None, not {value!r}")
    return value
