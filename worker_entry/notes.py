"""What a worker and its host note for each other in a file: what has begun, what need not begin.

A message tells what was true when it was sent, and is lost with its sender. A mapped file is there
at once, and stays whatever its writer dies of. It begins with 64-bit numbers of this machine::

    0  begun     how many Runs the worker has begun; written before anything of the user's runs
    1  written   bytes of endings that the worker has noted, ever
    2  taken     bytes of endings that the host has read, ever
    3  lasted    nanoseconds that the last task took
    4  watched   1 while the host looks for endings all the time
    5  asleep    what wakes the worker, if it sleeps: 1 a byte or a message, 2 a message alone
    6  posted    how many messages the host has put into the mailbox, ever

    64 .. 320    for each Run, by its number modulo 256: 1 if it is *reclaimed*, and not to begin
    512 .. 16384  the mailbox
    16384 ..     a ring of endings

Runs are numbered from 1 on, as they are sent and taken; both sides count.

**Reclaiming.** The host marks a Run, then looks at how many have begun. The worker says that it
begins one, then looks for the mark. Both write before they read, hence one of them sees what the
other wrote (Dekker 1965, in Dijkstra, EWD 123); that a lock is taken, or the kernel asked, in
between keeps processors from exchanging the two. Should both see it, the worker gives way and says
so: a Run that the host had to take for begun ends as Skipped.

**Endings.** A worker does not send how a task ended; it notes that here, and what the task reports
before that, if it is small. Then it rings for the host (see `bell`), but if it has more to do, or
if the host is *watching* and will look once more when it has said that it watches no longer.

Each is its length (u32), the number of messages that the worker had sent before (u32), the seconds
that the task took (float), an attempt (u32), a task (u64), and the message. If it has a task, it is
not a message but what that has returned, one frame: of short calls, little else is written. The
host reads them in between the messages, at their place. They are written before their end is, in
`written`.

**The mailbox.** Runs that are small are not sent; they are put here, which wakes no thread of
ZeroMQ's on either side: the length of the message (u32), the number of messages that the host had
sent before (u32), and the message. The worker looks here before it receives anything, and between
saying that it sleeps and doing so; the host looks whether it sleeps once it has put the message
there, and then wakes it with a byte in a pipe, or, where that can't be, with a Void. There is room
for the next one when the first Run of the last one has begun.

Where workers are trusted with data alone, the host uses `pread` and `pwrite`, not a map: one could
cut its file off, which would be a SIGBUS.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from typing import Any, Callable, Iterator

from worker_entry.named import NamedTuple

BEGUN, WRITTEN, TAKEN, LASTED, WATCHED, ASLEEP, POSTED = range(7)
#: How many numbers there are, and of what kind.
NUMBERS = struct.Struct("=7Q")
MARKS, MARKS_AT = 256, 64
POST = struct.Struct("=II")
RING, RING_AT = 64 * 1024, 16 * 1024
POST_AT, MAX_POST = 512, RING_AT - 512 - POST.size
SIZE = RING_AT + RING
#: The largest ending, so that one of them never fills the ring.
MAX_ENDING = 8 * 1024
_ENDING = struct.Struct("=IIfIQ")
#: Bytes of the ring that an ending takes beside its own.
EXTRA = _ENDING.size
_pack_ending = _ENDING.pack
_INFINITE = float("inf")
#: What a worker says of its sleep.
AWAKE, LIGHTLY, DEEPLY = 0, 1, 2


#: Whether what one processor writes is seen in that order by all others, without further ado: on
#: x86 (Intel SDM, volume 3, 8.2.2). What it reads may still come before what it has written.
KEEPS_ORDER = hasattr(os, "uname") and os.uname().machine in ("x86_64", "amd64", "i686")


def fence(lock: Callable[[], Any] = threading.Lock) -> None:
    """Have what was written before be written, for other processors, before what follows is read.

    By an atomic operation on a lock that nobody else has. One that is kept would stay locked if a
    signal handler raised before it is released.
    """
    lock().acquire(False)


def keep_order() -> None:
    """Have nothing change places, in the eyes of other processors, with what is on the other side
    of this call: neither what is read nor what is written.
    """
    if not KEEPS_ORDER:
        fence()


class Noted(NamedTuple):
    """An ending that has been noted.

    Attributes:
        sent: How many messages had been sent before.
        seconds: How long the task took.
        task: If not 0, the task, of which `ending` is what it has returned, one frame.
        attempt: Which attempt at it that was.
        ending: The message that says how it ended.
    """

    sent: int
    seconds: float
    task: int
    attempt: int
    ending: bytes


# Without the constructor of the named tuple, which is written in Python.
_new: Any = tuple.__new__


class Notes:
    """The worker's end. For the main thread, but for `add`: one thread at a time."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        self._numbers = memoryview(self._map)[: NUMBERS.size].cast("Q")
        self.begun = 0
        self._fetched = 0

    def begin(self) -> bool:
        """Note that the next Run begins; say whether it may, or is reclaimed."""
        self.begun += 1
        self._numbers[BEGUN] = self.begun
        fence()
        return not self._map[MARKS_AT + self.begun % MARKS]

    def end(self, seconds: float) -> None:
        """Note how long the task took."""
        self._numbers[LASTED] = int(seconds * 1e9)

    def is_watched(self) -> bool:
        """Whether the host will find an ending that has been noted, without being told."""
        fence()
        return self._numbers[WATCHED] != 0

    def sleep(self, how: int) -> None:
        """Say what is needed from now on to make us look here: `AWAKE`, `LIGHTLY`, `DEEPLY`."""
        self._numbers[ASLEEP] = how
        fence()

    def has_post(self, received: int) -> bool:
        """Whether a message is in the mailbox, and its turn has come after so many others."""
        if self._numbers[POSTED] == self._fetched:
            return False
        keep_order()
        return bool(POST.unpack_from(self._map, POST_AT)[1] == received)

    def post(self) -> bytes:
        """Return the message that is in the mailbox."""
        begin = POST_AT + POST.size
        return self._map[begin : begin + POST.unpack_from(self._map, POST_AT)[0]]

    def fetch(self) -> None:
        """Take note that the message in the mailbox has been read."""
        self._fetched += 1

    def add(
        self, ending: bytes, sent: int, seconds: float, task: int = 0, attempt: int = 0
    ) -> bool:
        """Note how a task ended; say whether there was room.

        Args:
            ending: The message that says so, or, with a task, what that has returned.
            sent: How many messages have been sent before.
            seconds: How long it took.
            task: The task.
            attempt: Which attempt at it that was.
        """
        numbers, length = self._numbers, len(ending)
        written, size = numbers[WRITTEN], length + EXTRA
        if length > MAX_ENDING or written + size - numbers[TAKEN] > RING:
            return False
        noted = _pack_ending(length, sent, seconds, attempt, task) + ending
        begin = RING_AT + written % RING
        room = SIZE - begin
        if size <= room:
            self._map[begin : begin + size] = noted
        else:
            self._map[begin:SIZE] = noted[:room]
            self._map[RING_AT : RING_AT + size - room] = noted[room:]
        keep_order()
        numbers[WRITTEN] = written + size
        return True


def sent_before(ring: bytes) -> int:
    """Return how many messages had been sent before the first ending in a piece of the ring.

    Raises:
        ValueError: It is none.
    """
    if len(ring) < EXTRA:
        raise ValueError("an ending without its beginning")
    return int(_ENDING.unpack_from(ring)[1])


def split(ring: bytes) -> Iterator[Noted]:
    """Give the endings in a piece of the ring.

    Raises:
        ValueError: It is none.
    """
    at, end, unpack = 0, len(ring), _ENDING.unpack_from
    while at < end:
        begin = at + EXTRA
        if begin > end:
            raise ValueError("an ending without its beginning")
        length, sent, seconds, attempt, task = unpack(ring, at)
        at = begin + length
        if at > end:
            raise ValueError("an ending that is cut off")
        if not 0 <= seconds < _INFINITE:  # nor is it a number that can be compared, maybe
            raise ValueError("an ending of a task that took less than no time, or for ever")
        yield _new(Noted, (sent, seconds, task, attempt, ring[begin:at]))
