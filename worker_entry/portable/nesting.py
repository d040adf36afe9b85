"""How deep arrays of objects lie in one another, among those that an untrusted side sent.

NumPy frees an array with all that it holds by recursion, without a look at its stack: some ten
thousand of them, each in the next, end the process. All arrays are looked at when the pickle has
been read, and not while each is built, since a pickle may put one into another afterwards.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterator

#: How many arrays may lie in one another.
MAX_DEPTH = 100


def check(arrays: list[Any]) -> None:
    """Refuse arrays that are nested too deep, and take them apart.

    Args:
        arrays: All that were made, whether they are still used or not.

    Raises:
        ValueError: They are nested too deep, or in themselves.
    """
    inner: dict[int, set[int]] = {id(_owner(array)): set() for array in arrays}
    for array in arrays:
        inner[id(_owner(array))].update(id(_owner(part)) for part in _parts(array))
    if not _is_deep(inner):
        return
    import numpy as np

    for array in arrays:
        array[...] = np.zeros((), array.dtype)
    raise ValueError(f"arrays of objects are nested more than {MAX_DEPTH} deep")


def _is_deep(inner: dict[int, set[int]]) -> bool:
    """Take layer after layer off, from the outside; those in a ring never become the outermost."""
    holders = Counter(key for keys in inner.values() for key in keys)
    layer = [key for key in inner if not holders[key]]
    left = len(inner)
    for _ in range(MAX_DEPTH):
        left -= len(layer)
        within = [key for outer in layer for key in inner[outer] if key in inner]
        holders.subtract(within)
        layer = [key for key in set(within) if not holders[key]]
    return left > 0


def _parts(array: Any) -> Iterator[Any]:
    """Give what could hold objects in the memory of NumPy: arrays, and scalars of structures."""
    import numpy as np

    if array.dtype.names:
        for name in array.dtype.names:
            yield from _parts(array[name])
    elif array.dtype.char == "O":
        for part in array.ravel().tolist():
            if isinstance(part, (np.ndarray, np.void)) and part.dtype.hasobject:
                yield part


def _owner(part: Any) -> Any:
    base = getattr(part, "base", None)
    return part if base is None else base
