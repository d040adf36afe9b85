"""What is sent to a worker: where it goes when its notes are closed already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wetlands.core.events import WorkerId
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.notes import WorkerNotes
from worker_entry import protocol


class Wire:
    """A transport that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[list[bytes]] = []

    def send_frames(self, identity: bytes, frames: list[bytes]) -> None:
        self.sent.append(frames)


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "asking"])
def test_what_comes_after_the_end_of_a_worker_is_written_nowhere(
    tmp_path: Path, mapped: bool
) -> None:
    wire: Any = Wire()
    link = WorkerLink(WorkerId(0, 1), tmp_path / "notes")
    link.notes = WorkerNotes(link.started_file, mapped=mapped)
    run = protocol.Run(1, 1, (b"call", b"arguments"))
    link.assign((1, 1))
    link.send_run(wire, run)
    assert wire.sent == []  # it is in the mailbox
    link.notes.close()
    mine = os.open(tmp_path / "mine", os.O_RDWR | os.O_CREAT)  # with the number of the notes
    link.pack, link.pack_from = protocol.encode(run), 2
    link.send_pack(wire)
    assert os.read(mine, 1) == b""
    os.close(mine)
    assert wire.sent == [[protocol.pack(protocol.encode(run))]]
