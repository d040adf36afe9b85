"""What workers do with arrays in measurements; theirs import NumPy with the first one."""

from __future__ import annotations


def echo(value):
    """Return the argument."""
    return value


def first(array):
    """Look at one element of an array, whatever its size."""
    return int(array.flat[0])


def mark(array):
    """Write one element."""
    array[0] = 1
