"""Tasks that are sent to a worker before it is done with others; see `wetlands.core.credit`.

Those of one pass travel together. How they end is noted by the worker, in a file (see
`worker_entry.notes`), and is read when the worker rings, when a message of it arrives, when its
tasks are taken back, and when it is dead.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wetlands.core.commands import DispatchTask, StartTask
from wetlands.core.events import TaskReturned, WorkerFaulted
from wetlands.runtime.batch import Batch
from wetlands.runtime.host import Host
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.transport import PeerUnreachableError
from worker_entry import protocol

if TYPE_CHECKING:
    from wetlands.runtime.driver import Driver
    from wetlands.runtime.hearing import Hearing

#: A task, and how many times it had been sent then.
Run = tuple[int, int]
#: How long a worker that can't be reached has to exit, in seconds: most likely it is dying, and its
#: exit will tell why in words.
UNREACHABLE = 1.0


class Ahead:
    """Executes what the core decides about such tasks. For the holder of the loop's role."""

    def __init__(self, driver: Driver, host: Host, hearing: Hearing) -> None:
        self._driver = driver
        self._host = host
        self._hearing = hearing

    def send(self, worker: WorkerLink, command: DispatchTask, payload: tuple[bytes, ...]) -> None:
        """Send a task, together with others, at the end of this pass."""
        run = (command.task, command.attempt)
        worker.lend(run)
        self.put(worker, protocol.Run(*run, payload), worker.sent)

    def put(self, worker: WorkerLink, message: protocol.Run | protocol.Runs, first: int) -> None:
        """Do so with a message, which has to be small; its first Run has that number."""
        worker.pack += protocol.encode(message)
        if len(worker.pack) == 1:
            worker.pack_from = first
            self._host.loop.at_end_of_pass(self._driver, lambda: self.flush(worker))

    def start(self, worker: WorkerLink, command: StartTask) -> None:
        """Take note that the worker is at a task that it had before."""
        run = (command.task, command.attempt)
        entry = self._driver.entries.get(command.task)
        if run in worker.reclaimed or entry is None or worker.busy_with == run:
            return  # it was taken back before anybody heard that it could begin, or has reported
        worker.begin(run, entry.task, ended=run not in worker.runs)

    def check(self, worker: WorkerLink) -> None:
        """Hand on what has ended there."""
        self._hearing.take_notes(worker)

    def reclaim(self, worker: WorkerLink) -> None:
        """Take back what the worker has not begun."""
        self._hearing.take_notes(worker)
        assert worker.notes is not None
        runs = worker.runs_ahead()
        returned = [runs[number] for number in worker.notes.reclaim(list(runs))]
        if returned:
            worker.reclaimed = frozenset(returned)
        for has in worker.batches.values():
            has.begun = len(has.entries)  # nothing of it comes back but what does now
        for run in returned:
            worker.forget(run)
        # The last first: each is put back at the front of the queue.
        for made, runs_of_it in reversed(self._by_batch(returned)):
            if made is not None:
                entries = [self._driver.entries[number] for number, _ in runs_of_it]
                self._driver.batches.give_back(worker, made, entries)
                continue
            for run in reversed(runs_of_it):
                self._driver.handle(TaskReturned(worker.id, *run))

    def _by_batch(self, runs: Sequence[Run]) -> list[tuple[Batch | None, list[Run]]]:
        def batch_of(run: Run) -> Batch | None:
            entry = self._driver.entries.get(run[0])
            return None if entry is None else entry.batch

        return [(made, list(group)) for made, group in itertools.groupby(runs, batch_of)]

    def flush(self, worker: WorkerLink) -> None:
        """Send now what was to be sent at the end of this pass.

        Before anything else that is a Run: both sides number them in the order of sending.
        """
        if not worker.pack:
            return
        try:
            worker.send_pack(self._host.transport)
        except PeerUnreachableError:
            self._driver.call_later(UNREACHABLE, lambda: self._give_up(worker))

    def _give_up(self, worker: WorkerLink) -> None:
        if worker.runs or worker.batches:
            self._driver.handle(WorkerFaulted(worker.id, "it can't be reached"))
