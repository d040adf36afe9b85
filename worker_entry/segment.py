"""One segment: a file that one process fills and others map, and who of them holds it.

Why mapped files. A buffer that goes through a socket is copied four times; through memory that both
sides map it is copied once. A page that is touched for the first time costs ten times what copying
into it costs, hence segments are kept and used again (`segment_pool`), and so are their maps
(`attachments`). `multiprocessing.shared_memory` is out: a worker's exit deletes the host's memory.

Who may write. A segment has one *owner*, the process that made it: the host, or one worker. It
fills the segment, sends its name, and must not touch it again while anybody holds it. That is said
in the segment itself and not in messages: whoever lets go does so with one store into memory, which
a finalizer may do in any thread and under any lock, which waits for no message, and which an owner
that is out of memory sees at once. (Messages were rejected for that: an idle worker sends none, and
the ones that end a failed or a canceled task carry no value.)

Layout::

    taken      512 unsigned 32-bit numbers, one for each seat
    released   512 of them
    data       from byte 4096

Seat 0 is the host's, seat n + 1 that of the worker in slot n. A seat *holds* the segment while its
two numbers differ. In a segment of the host, a worker counts up its own `taken` when it maps the
data, and its `released` follows when the last array on them is collected. In a segment of a worker,
the worker sets the host's `taken` to the number of the lease before it sends the name, since the
host may look at a result much later; the host sets `released` to it when it is done. Either way
`taken` of seat 0 is the number of the present lease, which every reference repeats: one that is out
of date is refused. Until a worker has taken what it was sent, the host itself keeps the segment;
see `segment_carrier`. The seats of a dead worker are cleared by the host.

Space is allocated with `posix_fallocate`: in a file that was only made long, a write to the map
kills the process once the file system is full (SIGBUS).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sys
from typing import Any

#: Bytes before the data.
HEADER = 4096
#: How many seats there are; the last one is no one's, and marks a segment as retired.
SEATS = 512
RETIRED = SEATS - 1
#: Where buffers begin, relative to each other: a cache line.
ALIGNMENT = 64

_LAST = 2**32 - 1  # number
_MAP_FIXED = 0x10
_MAP_NORESERVE = 0x4000 if sys.platform.startswith("linux") else 0
#: Bytes copied at once: the copy holds the GIL, which others may want in between.
_PIECE = 4 * 1024 * 1024

_libc: Any = None


class Segment:
    """A mapped segment, on either side.

    Attributes:
        place: The number of the folder that it lies in.
        name: Its file's name.
        path: Its file.
        room: Bytes for data.
        map: The whole of it.
        address: Of the data in this process.
        words: The header's numbers: ``taken``, then ``released``.
    """

    def __init__(self, place: int, folder: str, name: str, room: int, descriptor: int) -> None:
        self.place = place
        self.name = name
        self.path = os.path.join(folder, name)
        self.room = room
        self.map = map_file(descriptor, HEADER + room)
        self.address = address_of(self.map) + HEADER
        self._data = memoryview(self.map)
        self.words: Any = self._data[:HEADER].cast("I")

    @property
    def number(self) -> int:
        """The number of the present lease."""
        return int(self.words[0])

    def next_number(self) -> int:
        """Return the number of the lease after the present one; never 0."""
        return int(self.words[0]) % _LAST + 1

    def held(self) -> bool:
        """Whether any seat holds it."""
        return self.map[: HEADER // 2] != self.map[HEADER // 2 : HEADER]

    def retired(self) -> bool:
        """Whether its owner has done with it for good: its file is gone."""
        return bool(self.words[RETIRED])

    def retire(self) -> None:
        """Remove the file; what is mapped stays, until it is let go of."""
        self.words[SEATS + RETIRED] = self.words[RETIRED] = 1
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def clear(self, seat: int) -> None:
        """Take it from a worker that is dead."""
        self.words[SEATS + seat] = 0
        self.words[seat] = 0

    def write(self, offset: int, view: Any) -> None:
        """Copy a buffer of bytes to an offset of the data."""
        start = HEADER + offset
        if len(view) <= _PIECE:
            self._data[start : start + len(view)] = view
            return
        target = self._data[start : start + len(view)]
        if not view.readonly:
            _copy(target, view)
            return
        for start in range(0, len(view), _PIECE):
            target[start : start + _PIECE] = view[start : start + _PIECE]


def _copy(target: Any, view: Any) -> None:
    """Copy without the GIL, and in one go: for a size beyond the caches that is a third faster."""
    import ctypes

    ctypes.memmove(address_of(target), address_of(view), len(view))


def address_of(view: Any) -> int:
    """Return where memory that can be written to lies in this process."""
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def exporter(memory: Any) -> Any:
    """Return what arrays that are made of a map keep alive; and with it, what it has as attributes.

    A memoryview would not do: NumPy takes from it the object below, and lets the view go.
    """
    import ctypes

    return (ctypes.c_ubyte * len(memory)).from_buffer(memory)


def create(place: int, folder: str, name: str, room: int, descriptor: int) -> Segment:
    """Make a segment of a new and empty file.

    Raises:
        OSError: There is no space; the file is removed.
    """
    try:
        _allocate(descriptor, HEADER + room)
        return Segment(place, folder, name, room, descriptor)
    except BaseException:
        os.unlink(os.path.join(folder, name))
        raise


def attach(place: int, folder: str, name: str) -> Segment:
    """Map a segment of another process.

    Raises:
        OSError, ValueError: There is none of that name.
    """
    descriptor = open_existing(os.path.join(folder, name))
    try:
        room = os.fstat(descriptor).st_size - HEADER
        if room <= 0:
            raise ValueError(f"{name} is no segment")
        return Segment(place, folder, name, room, descriptor)
    finally:
        os.close(descriptor)


def open_existing(path: str) -> int:
    """Open a file that is no link, without waiting for whoever has a lease on it."""
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)


def map_file(descriptor: int, size: int, private: bool = False) -> mmap.mmap:
    """Map the beginning of a file, for reading and writing.

    Python's own mapping of a file keeps a descriptor open, of which a process has a thousand. So
    this one is of no file at first, and the file is then mapped over it.

    Args:
        descriptor: The file; it can be closed afterwards.
        size: In bytes.
        private: Whether what is written stays in this process (copy on write).
    """
    import ctypes

    global _libc
    if _libc is None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        _libc = libc
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    found = mmap.mmap(-1, size, flags=flags)
    address = address_of(found)
    flags = (mmap.MAP_PRIVATE if private else mmap.MAP_SHARED) | _MAP_FIXED
    access = mmap.PROT_READ | mmap.PROT_WRITE
    if _libc.mmap(address, size, access, flags, descriptor, 0) != address:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    zeros = bytes(1024 * 1024)
    for start in range(0, size, len(zeros)):
        if os.pwrite(descriptor, zeros[: size - start], start) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
