"""A batch, and which calls it takes; what becomes of batches is in `batches`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wetlands.runtime.entry import Entry

if TYPE_CHECKING:
    from wetlands.runtime.link import WorkerLink

#: Bytes of a batch on the wire, which is to be one frame; and of each call, beside its arguments.
ROOM = 15 * 1024
CALL = 16


class Batch:
    """Calls that have not ended.

    Attributes:
        number: What the core calls them; negative, as no task is called so.
        entries: The calls, in order.
        kind, target: What is called, for the core and for the worker.
        most: How many calls there may be.
        worker: Who has them; None while they are queued.
        attempt: How many times the core had them sent.
        begun: How many of them have begun, as far as that has been looked at.
    """

    __slots__ = (
        "_room",
        "attempt",
        "begun",
        "ended",
        "entries",
        "kind",
        "most",
        "number",
        "seconds",
        "target",
        "worker",
    )

    def __init__(self, number: int, entry: Entry, most: int) -> None:
        self.number = number
        self.kind = entry.kind
        self.target = entry.payload[0]
        self.most = most
        self.entries: list[Entry] = []
        self.worker: WorkerLink | None = None
        self.attempt = self.begun = 0
        self.ended, self.seconds = 0, 0.0  #: how many calls told how long they took, and how long
        self._room = ROOM - len(self.target)
        self.add(entry)

    def add(self, entry: Entry) -> None:
        """Add a call."""
        self.entries.append(entry)
        entry.batch = self
        self._room -= len(entry.payload[1]) + CALL

    def takes(self, entry: Entry) -> bool:
        """Whether a call may be added."""
        return (
            entry.shares == self.target
            and len(self.entries) < self.most
            and len(entry.payload[1]) + CALL <= self._room
            and self.worker is None
        )

    def remove(self, entry: Entry) -> None:
        """Forget a call."""
        self.entries.remove(entry)
        entry.batch = None

    def see_off(self, begun: int) -> None:
        """Take note that their worker is gone, and of how many Runs it had begun."""
        if self.worker is not None:
            self.begun = sum([entry.order <= begun for entry in self.entries])
            self.worker = None
