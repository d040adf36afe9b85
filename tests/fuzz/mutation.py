"""Damage to data, by dice: what a fuzzer does that nobody guides."""

from __future__ import annotations

import faulthandler
import random
import struct
from collections.abc import Callable, Sequence

#: Seconds that a call may take before it counts as a hang, which ends the process.
HANG = 30.0


def damaged(data: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """Return the data with a few changes."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(changed) + 1)
        kind = dice.randrange(7)
        if kind == 0:
            changed[at : at + 1] = bytes((dice.randrange(256),))
        elif kind == 1:
            del changed[at : at + dice.randint(1, 9)]
        elif kind == 2:
            changed[at:at] = changed[dice.randrange(len(changed) + 1) :][: dice.randint(1, 30)]
        elif kind == 3:
            changed[at : at + 4] = struct.pack("<I", dice.choice([0, 1, 2**31 - 1, 2**32 - 1]))
        elif kind == 4:
            sizes = [0, 1, dice.randrange(100), 2**63, 2**64 - 1]
            changed[at : at + 8] = struct.pack(dice.choice("<>") + "Q", dice.choice(sizes))
        elif kind == 5:
            other = dice.choice(others)
            changed[at:] = other[dice.randrange(len(other) + 1) :]
        else:
            changed[at:at] = dice.randbytes(dice.randint(1, 20))
    return bytes(changed)


def run(target: Callable[[bytes], None], seeds: Sequence[bytes], count: int, seed: int) -> None:
    """Give the target ``count`` damaged inputs; what it raises says which one it was."""
    dice = random.Random(seed)
    for number in range(count):
        data = damaged(dice.choice(seeds), dice, seeds)
        if number % 1000 == 0:
            faulthandler.dump_traceback_later(HANG, exit=True)
        try:
            target(data)
        except BaseException:
            print(f"input {number} of seed {seed}: {data!r}")
            raise
    faulthandler.cancel_dump_traceback_later()
