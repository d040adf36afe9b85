"""The table that says where the buffers of a value lie: one entry for each of them, in order.

Layout of an entry, little-endian, without gaps::

    kind       1 byte     0: the buffer comes as a frame of its own, and what follows is 0
                          1: it lies in a segment
                          2: the same, and what the receiver writes stays with him
                          3: as 1, in an array of the sender's, who goes on using it
    place      1 byte     the number of the folder in which the segment lies
    length     1 byte     of the segment's name
    number     4 bytes    the lease that is meant
    offset     8 bytes    of the buffer in the data of the segment
    size       8 bytes    of the buffer
    name                  the segment's file, in ASCII

Not JSON, which takes ten times as long, and the types of whose fields would have to be looked at.
"""

from __future__ import annotations

import struct
from typing import Tuple

_HEAD = struct.Struct("<BBBIQQ")
_INLINE, _LYING, _PRIVATE, _SHARED = range(4)

#: An entry for a buffer that comes as a frame of its own.
INLINE = _HEAD.pack(_INLINE, 0, 0, 0, 0, 0)
#: The folder's number, the name, the lease's number, whether to map it privately, offset and size,
#: and whether the sender goes on using it.
Place = Tuple[int, str, int, bool, int, int, bool]


def write_entry(
    place: int,
    name: str,
    number: int,
    private: bool,
    offset: int,
    size: int,
    shared: bool = False,
) -> bytes:
    """Return the entry of a buffer that lies in a segment."""
    kind = _PRIVATE if private else _SHARED if shared else _LYING
    return _HEAD.pack(kind, place, len(name), number, offset, size) + name.encode()


def read_table(table: bytes) -> list[Place | None]:
    """Return the entries of a table; None for a buffer that comes as a frame.

    Raises:
        ValueError: It makes no sense.
    """
    found: list[Place | None] = []
    at, end = 0, len(table)
    try:
        while at < end:
            kind, place, length, number, offset, size = _HEAD.unpack_from(table, at)
            at += _HEAD.size + length
            if kind == _INLINE and not length:
                found.append(None)
                continue
            if not _LYING <= kind <= _SHARED or at > end:
                raise ValueError("the table of buffers makes no sense")
            name = table[at - length : at].decode("ascii")
            found.append((place, name, number, kind == _PRIVATE, offset, size, kind != _LYING))
    except struct.error:
        raise ValueError("the table of buffers makes no sense") from None
    return found
