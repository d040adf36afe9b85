"""The pickles that hold data: which opcodes they may have, checked before one of them is executed.

Restricting what names a pickle may look up is not enough. BUILD sets attributes of whatever is on
the stack, of functions and classes too; the extension registry hands out objects that were looked
up before; PUT reserves as much memory as its number says; a length that no bytes follow does the
same. None of it occurs in pickles of data that `pickling` writes. What may occur is listed here:
constants, containers, memo, REDUCE on names that an unpickler allows, buffers.

Frames (PEP 3154) must end where an opcode does. Of one that ends in the midst of an opcode, the
unpickler that is written in C passes over the last bytes: it would then execute other opcodes than
those that were looked at.

A pass over the bytes costs little, because regular expressions skip whatever has a fixed size.
"""

from __future__ import annotations

import re
import struct
from typing import Any

#: How deep tuples may be nested: C computes their hashes by recursion, without a look at its stack.
MAX_DEPTH = 500
#: Opcodes that make tuples, up to which nobody needs to look how deep these are nested.
_FEW = 400


class OpcodeError(Exception):
    """The bytes are no pickle, or one that does more than hold data."""


_FIXED = re.compile(
    rb"(?:[N\x88\x89\]ae)(}su\x8f\x90\x9101\x94\x93R\x97\x98]"
    rb"|[\x80Kh].|M..|[Jj]....|G........){0,5000}",
    re.DOTALL,
)
_STOP = ord(".")
_FRAME = ord("\x95")
_TO_FRAME = 9  #: bytes of this opcode and the length that follows it
_OF_TUPLES = frozenset(b"\x85\x86\x87t")
_OF_OBJECTS = b"\x81\x92b"
#: Opcodes that a length precedes their bytes, and the size of this length.
_LENGTHS = {
    ord(code): width
    for codes, width in (("\x8a\x8cC", 1), ("\x8bXB", 4), ("\x8d\x8e\x96", 8))
    for code in codes
}


def check(pickle: bytes, objects: bool = False) -> None:
    """Look at every opcode.

    Args:
        pickle: The bytes.
        objects: Whether those pass that make objects of classes, for who never calls any.

    Raises:
        OpcodeError: One of them is not for data, or is cut off, or tuples are nested too deep.
    """
    place, size, tuples = 0, len(pickle), 0
    end = size  # of the frame; of all where there is none
    while True:
        found = _FIXED.match(pickle, place, end)
        start, place = place, found.end() if found else place
        if place == size:
            raise OpcodeError("it ends too early")
        code = pickle[place]
        if place == end:
            end = size
        elif code == _STOP:
            break
        elif code in _LENGTHS:
            place = _after_bytes(pickle, place, _LENGTHS[code], end)
        elif code == _FRAME and end == size:
            place, end = place + _TO_FRAME, _after_bytes(pickle, place, 8, size)
        elif code in _OF_TUPLES:
            place, tuples = place + 1, tuples + 1
        elif place == start:
            _check_object(code, objects)
            place += 1
    if tuples > _FEW:
        _check_depth(pickle)


def _check_object(code: int, allowed: bool) -> None:
    if code not in _OF_OBJECTS:
        raise OpcodeError(f"the opcode {bytes((code,))!r} is not one of data, or is cut off")
    if not allowed:
        raise OpcodeError("they make an object of a class that is not among the types of data")


def _after_bytes(pickle: bytes, place: int, width: int, limit: int) -> int:
    start = place + 1 + width
    end = start + int.from_bytes(pickle[place + 1 : start], "little")
    if end > limit:
        raise OpcodeError("it ends too early")
    return end


# What each opcode does to the stack, for the depth of its tuples: how many it takes, whether it
# takes all down to the mark, and what it leaves.
_TAKES = {"\x85": 1, "\x86": 2, "\x87": 3, "a": 1, "s": 2, "0": 1, "\x93": 2, "R": 2, "\x81": 2,
          "\x92": 3, "b": 1}  # fmt: skip
_TO_MARK = frozenset("teu\x90\x911")
_LEAVES_NOTHING = frozenset("asu\x90e01b")
_NEITHER = frozenset("\x80\x95\x98")
_ARGUMENTS = {"\x80": 1, "K": 1, "h": 1, "M": 2, "J": 4, "j": 4, "G": 8, "\x95": 8}


def _check_depth(pickle: bytes) -> None:
    """Follow the stack, each value on it being the depth of its tuples."""
    depths = _Depths()
    place = 0
    try:
        while pickle[place] != _STOP:
            code, width = chr(pickle[place]), _LENGTHS.get(pickle[place])
            if width is not None:
                depths.stack.append(0)
                place = _after_bytes(pickle, place, width, len(pickle))
            else:
                size = _ARGUMENTS.get(code, 0)
                depths.execute(code, pickle[place + 1 : place + 1 + size])
                place += 1 + size
    except (IndexError, struct.error):
        raise OpcodeError("its stack is empty where something is taken from it") from None


class _Depths:
    def __init__(self) -> None:
        self.stack: list[int] = []
        self._marks: list[int] = []
        self._memo: list[int] = []

    def execute(self, code: str, argument: bytes) -> None:
        if code == "(":
            self._marks.append(len(self.stack))
        elif code == "\x94":
            self._memo.append(self.stack[-1])
        elif code in "hj":
            self.stack.append(self._memo[int.from_bytes(argument, "little")])
        elif code not in _NEITHER:
            self._move(code)

    def _move(self, code: str) -> None:
        if code == "0" and self._marks and self._marks[-1] == len(self.stack):
            self._marks.pop()
            return
        taken = self._take(code)
        if code in _LEAVES_NOTHING:
            return
        deepest = max(taken, default=0)
        if code in "\x85\x86\x87t":
            deepest += 1
            if deepest > MAX_DEPTH:
                raise OpcodeError(f"tuples are nested more than {MAX_DEPTH} deep")
        elif code != "R":
            deepest = 0
        self.stack.append(deepest)

    def _take(self, code: str) -> Any:
        count = _TAKES.get(code, 0)
        if code in _TO_MARK:
            count = len(self.stack) - self._marks.pop()
        if count > len(self.stack):
            raise IndexError
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken
