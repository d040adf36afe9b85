"""A worker in the hands of somebody else: it has its token, and lies. Imported by workers only."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from tests.fuzz.mutation import damaged
from worker_entry import protocol
from worker_entry.connection import TaskSocket
from worker_entry.notes import RING_AT, Notes

_send, _add = TaskSocket._send_frames, Notes.add


class Liar:
    """Repeats, makes up and garbles messages and endings, by dice, and writes into its notes."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._said: list[list[bytes]] = [[b"x"]]

    def take_over(self) -> None:
        """Have this worker say what the liar likes, beside the truth."""

        def send(socket: TaskSocket, frames: Sequence[Any]) -> None:
            plain = [bytes(frame) for frame in frames]
            self._said.append(plain)
            if self._dice.random() < 0.05:
                _send(socket, self._lie(plain))
            _send(socket, plain)

        def add(
            notes: Notes, ending: bytes, sent: int, seconds: float, task: int = 0, attempt: int = 0
        ) -> bool:
            if self._dice.random() < 0.03:
                result = protocol.Result(task, attempt, (ending,))
                truth = protocol.encode(result) if task else [ending]
                _add(notes, self._lie(truth, endings=True)[0], sent, seconds)
            if task and self._dice.random() < 0.03:
                task += self._dice.choice([1, -1, 100, 2**40])
            if self._dice.random() < 0.03:
                seconds = self._dice.choice([math.nan, -seconds, 0.0])
            if self._dice.random() < 0.003:
                end = self._dice.choice([32, RING_AT, len(notes._map)])
                at = self._dice.randrange(end - 8)
                notes._map[at : at + 8] = self._dice.randbytes(8)
            return _add(notes, ending, sent, seconds, task, attempt)

        TaskSocket._send_frames, Notes.add = send, add  # type: ignore[method-assign]

    def _lie(self, frames: list[bytes], endings: bool = False) -> list[bytes]:
        kind = self._dice.random()
        if kind < 0.8:
            return self._made_up(frames, endings and kind < 0.7)
        if kind < 0.95:
            return self._dice.choice(self._said)
        at = self._dice.randrange(len(frames))
        garbled = damaged(frames[at], self._dice, self._said[-1])
        return [*frames[:at], garbled, *frames[at + 1 :]]

    def _made_up(self, frames: list[bytes], ending: bool) -> list[bytes]:
        """Return a message, or an ending, that is one, about the same task or one near it."""
        choose = self._dice.choice
        message = protocol.decode(frames)
        task, attempt = getattr(message, "task", 1), getattr(message, "attempt", 1)
        run = (max(task + choose([0, 0, 0, 1, 1, 2, -1, 100]), 0), attempt + choose([0, 0, 0, 1]))
        number = choose([math.nan, math.inf, -1, 10**15, None])
        text = choose(["", "\0report", "a" * 50_000, "\x1b[2J"])
        report = b"\x80\x04C\x0d" + self._dice.randbytes(13) + b"."
        lies: list[protocol.Message] = [
            protocol.Ready(),
            protocol.Void(),
            protocol.Worn(text),
            protocol.Hello(protocol.VERSION, text, 1),
            protocol.Update(*run, text, number, number),
            protocol.Output(*run, text, (b"N.",)),
            protocol.Output(*run, "\0report", (report,)),
            protocol.Log(*run, choose([-1, 0, 10**9]), text),
            protocol.Result(*run, (b"\x80\x04N.",)),
            protocol.Result(*run, (b"no pickle", b"", b"x")),
            protocol.Kept(*run, text),
            protocol.Failure(*run, {"error": text, "cause": {"cause": 5}}),
            protocol.Canceled(*run),
            protocol.Skipped(*run),
        ]
        try:
            return protocol.encode(choose(lies[-6:] if ending else lies))
        except protocol.LocalProtocolError:  # not even that
            return frames
