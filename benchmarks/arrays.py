"""What workers do with arrays in measurements; theirs import NumPy with the first one."""

from __future__ import annotations

#: What `exchange` returns, by size in bytes.
_others = {}


def echo(value):
    """Return the argument."""
    return value


def exchange(array):
    """Return another array like the argument, the same one every time: nothing is computed."""
    if array.nbytes not in _others:
        _others[array.nbytes] = array.copy()
    return _others[array.nbytes]


def first(array):
    """Look at one element of an array, whatever its size."""
    return int(array.flat[0])


def mark(array):
    """Write one element."""
    array[0] = 1
