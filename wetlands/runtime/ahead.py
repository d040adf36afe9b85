"""Tasks that are sent to a worker before it is done with others; see `wetlands.core.credit`.

Those of one pass travel together. How they end is noted by the worker, in a file (see
`worker_entry.notes`), and is read here: when a message of the worker arrives, when its tasks are
taken back, and when it is dead.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from wetlands.core.commands import DispatchTask, StartTask
from wetlands.core.events import TaskReturned
from wetlands.runtime.host import Host
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.transport import PeerUnreachableError
from worker_entry import protocol

if TYPE_CHECKING:
    from wetlands.runtime.driver import Driver
    from wetlands.runtime.hearing import Hearing


class Ahead:
    """Executes what the core decides about such tasks. For the holder of the loop's role."""

    def __init__(self, driver: Driver, host: Host, hearing: Hearing) -> None:
        self._driver = driver
        self._host = host
        self._hearing = hearing

    def send(self, worker: WorkerLink, command: DispatchTask, payload: tuple[bytes, ...]) -> None:
        """Send a task, together with others, at the end of this pass."""
        run = (command.task, command.attempt)
        worker.assign(run)
        worker.lent.add(run)
        worker.pack += protocol.encode(protocol.Run(*run, payload))
        if len(worker.pack) == 1:
            self._host.loop.at_end_of_pass(self._driver, lambda: self.flush(worker))

    def start(self, worker: WorkerLink, command: StartTask) -> None:
        """Take note that the worker is at a task that it had before."""
        run = (command.task, command.attempt)
        entry = self._driver.entries.get(command.task)
        if run in worker.reclaimed or entry is None:
            return  # it was taken back before anybody heard that it could begin
        if run in worker.runs:  # or it has ended meanwhile
            worker.busy_with = run
        if worker.process is not None:
            # Without looking: had those before it printed anything, it would not have been sent.
            worker.printed = worker.process.output.mark(entry.task._name, silent=True)
        entry.task._start(worker.public)

    def check(self, worker: WorkerLink) -> None:
        """Hand on what has ended there."""
        self._hearing.take_notes(worker)

    def reclaim(self, worker: WorkerLink) -> None:
        """Take back what the worker has not begun."""
        self._hearing.take_notes(worker)
        assert worker.notes is not None
        runs = {number: run for run, number in worker.runs.items() if run in worker.lent}
        if worker.busy_with is not None:
            runs.pop(worker.runs.get(worker.busy_with, 0), None)
        returned = [runs[number] for number in worker.notes.reclaim(list(runs))]
        if returned:
            worker.reclaimed = frozenset(returned)
        for run in reversed(returned):
            worker.forget(run)
            self._driver.handle(TaskReturned(worker.id, *run))

    def flush(self, worker: WorkerLink) -> None:
        """Send now what was to be sent at the end of this pass.

        Before anything else that is a Run: both sides number them in the order of sending.
        """
        if not worker.pack:
            return
        messages, worker.pack = worker.pack, []
        with contextlib.suppress(PeerUnreachableError):  # it is dying: they go to others
            self._host.transport.send_frame(worker.task_identity, protocol.pack(messages))
