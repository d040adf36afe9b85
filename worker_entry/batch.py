"""Several calls of one function on their way to a worker: the payload of `protocol.Runs`.

It is three frames: task (u64) and attempt (u32) of each call, what to call, and a row (see
`journal`) of their arguments, each a pickle of ``(args, kwargs)``.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Sequence

from worker_entry.journal import join, split

_CALL = struct.Struct("!QI")
# Without the constructor of the named tuple, which is written in Python.
_new: Any = tuple.__new__


class Call(NamedTuple):
    """One of them."""

    task: int
    attempt: int
    arguments: bytes


def encode(
    calls: Sequence[tuple[int, int]], target: bytes, arguments: Sequence[bytes]
) -> tuple[bytes, ...]:
    """Return the payload.

    Args:
        calls: Task and attempt of each.
        target: What to call, as the first frame of a Run's payload says it.
        arguments: The second frames of those payloads.
    """
    return (b"".join([_CALL.pack(*call) for call in calls]), target, join(arguments))


def decode(payload: Sequence[bytes]) -> tuple[bytes, list[Call]]:
    """Return what to call, and the calls.

    Raises:
        ValueError: It is no such payload.
    """
    if len(payload) != 3:
        raise ValueError(f"{len(payload)} frames in place of 3")
    numbers, target, row = payload
    pickles = list(split(row))
    if len(numbers) != _CALL.size * len(pickles):
        raise ValueError(f"{len(pickles)} calls, and {len(numbers)} bytes of numbers")
    unpacked = _CALL.iter_unpack(numbers)
    return target, [_new(Call, (*number, row)) for number, row in zip(unpacked, pickles)]
