"""Batches: calls of one short function that go to a worker together, and are one task of the core.

What the host does for a task takes longer than many functions do. So calls that are queued one
after the other, of the same function, are gathered in a batch, as many as a worker is expected to
make in half a millisecond (`Credit.fitting`). For the core, that is one task; it never learns which
calls there are in it, and none of them may be bound, limited in time, or tried again.

For users each call is a task as any other:

-   A worker begins them one by one, and notes how each has ended before the next begins (see
    `worker_entry.notes`). So what is known of them, and who is to blame for a death, is exact.
-   What has not begun can be taken back at any moment: when one of them is canceled, and when one
    takes long while another worker is idle. It is queued again, before all others.
-   A batch of which calls have ended, and that is sent once more, has only the others.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wetlands.core.commands import DispatchTask, InterruptTask, ResolveTask
from wetlands.core.events import (
    CancelRequested,
    Outcome,
    ReclaimRequested,
    TaskAdvanced,
    TaskEnded,
    TaskResized,
    TaskReturned,
    TaskSubmitted,
)
from wetlands.runtime.batch import Batch
from wetlands.runtime.entry import Entry
from wetlands.runtime.finishing import Returned
from worker_entry import batch, protocol
from worker_entry.notes import Noted

if TYPE_CHECKING:
    from wetlands.runtime.ahead import Ahead
    from wetlands.runtime.driver import Driver
    from wetlands.runtime.hearing import Hearing
    from wetlands.runtime.link import WorkerLink

#: Seconds until it is looked again which call of a batch is running.
AGAIN = 0.02


class Batches:
    """The batches of one pool. For the holder of the loop's role."""

    def __init__(self, driver: Driver, ahead: Ahead, hearing: Hearing) -> None:
        self._driver = driver
        self._ahead = ahead
        self._hearing = hearing
        self._numbers = itertools.count(-1, -1)
        self._batches: dict[int, Batch] = {}
        self._open: Batch | None = None  #: the last in the queue, if more calls may join it
        self.untold = 0  #: how many calls of it the core does not know of

    def find(self, number: int) -> Batch | None:
        """Return the batch that the core calls so; None if that is a single call."""
        return self._batches.get(number)

    def run_of(self, command: InterruptTask) -> tuple[int, int] | None:
        """Return what a worker calls the task that it is to stop; None if that has ended."""
        if command.task > 0:
            return (command.task, command.attempt)
        made = self._batches.get(command.task)  # it may be gone: the core is about to hear of that
        return None if made is None else made.entries[0].run

    # -- how calls get there ----------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """Queue a call, in a batch if it can be; `settle` has to follow soon."""
        if self._open is not None and self._open.takes(entry):
            self._open.add(entry)
            self.untold += 1
            return
        if self.untold:
            self.settle()
        most = self._fitting(entry)
        if most > 1:
            self._open, self.untold = self._make(entry, most), 1
        else:
            self._open = None
            self._driver.handle(entry.submission())

    def settle(self) -> None:
        """Have the core know of all calls."""
        known, self.untold = self.untold, 0
        if not known or self._open is None:
            return
        calls = len(self._open.entries)
        if calls == known:
            self._submit(self._open)
        else:
            self._driver.handle(TaskResized(self._open.number, calls))

    def resubmit(self, entries: Sequence[Entry]) -> None:
        """Queue calls again, before all others, that were in a batch and have not begun."""
        batches: list[Batch] = []
        for entry in entries:
            if not batches or not batches[-1].takes(entry):
                batches.append(self._make(entry, self._driver.core.fitting(entry.kind)))
            else:
                batches[-1].add(entry)
        for made in reversed(batches):
            self._submit(made, first=True)

    def _make(self, entry: Entry, most: int) -> Batch:
        number = next(self._numbers)
        made = self._batches[number] = Batch(number, entry, most)
        return made

    def _submit(self, made: Batch, *, first: bool = False) -> None:
        calls = len(made.entries)
        self._driver.handle(TaskSubmitted(made.number, kind=made.kind, calls=calls, first=first))

    def _fitting(self, entry: Entry) -> int:
        core = self._driver.core
        waits = core.saturated() or core.flowing()
        return core.fitting(entry.kind) if entry.shares and waits else 1

    # -- with a worker ----------------------------------------------------------------------------

    def send(self, worker: WorkerLink, made: Batch, command: DispatchTask) -> None:
        """Send a batch, together with what else is sent in this pass."""
        if self._open is made:
            self._open = None
        made.worker, made.attempt, made.begun = worker, command.attempt, 0
        worker.lend_batch(made)
        runs, arguments = [], []
        for entry in made.entries:
            entry.attempt += 1
            runs.append((entry.task.number, entry.attempt))
            arguments.append(entry.payload[1])
            if self._driver.gate is not None:
                self._driver.leave_gate(entry)
        payload = batch.encode(runs, made.target, arguments)
        self._ahead.put(worker, protocol.Runs(*runs[0], payload), made.entries[0].order)
        if not command.ahead:
            self.start(worker, made, silent=None)

    def start(self, worker: WorkerLink, made: Batch, *, silent: bool | None = True) -> None:
        """Take note that a worker is at the first call of those that have not ended."""
        entry = made.entries[0]
        if worker.busy_with == entry.run:
            return
        if entry.run not in worker.reclaimed:  # before anybody heard that it could begin
            worker.begin(entry.run, entry.task, silent=silent)

    def take_results(
        self, worker: WorkerLink, endings: Sequence[Noted], at: int, *, spoke: bool
    ) -> int:
        """Do what `end` does, for calls of a batch that have returned small values; in less time.

        Args:
            worker: Who has made them.
            endings: What it has noted.
            at: Where in that to begin.
            spoke: Whether one of them has printed something.

        Returns:
            Where in that the first one is that is no such call, or one of another batch.
        """
        entries = self._driver.entries
        returned: deque[Returned] = deque()
        made: Batch | None = None
        try:
            for _, seconds, number, attempt, frame in itertools.islice(endings, at, None):
                entry = entries.get(number)
                if entry is None or entry.batch is None:
                    break
                if not entry.is_with(worker, attempt):
                    break
                if made is None and worker.is_at(entry.batch):
                    made = entry.batch
                if entry.batch is not made:
                    break
                returned.append((entry.task, frame, seconds))
                entry.batch = None
                del entries[number]
        finally:
            if made is not None and returned:
                self._have_returned(worker, made, returned, spoke)
        return at + len(returned)

    def _have_returned(
        self, worker: WorkerLink, made: Batch, returned: deque[Returned], spoke: bool
    ) -> None:
        made.ended += len(returned)
        made.seconds += math.inf if spoke else sum([seconds for _, _, seconds in returned])
        made.entries = [entry for entry in made.entries if entry.batch is made]
        if worker.busy_with is not None and worker.busy_with[0] not in self._driver.entries:
            worker.busy_with = None
        self._driver.finishing.complete(worker, returned)
        self._after(worker, made)

    def end(
        self,
        worker: WorkerLink,
        entry: Entry,
        outcome: Outcome,
        detail: object,
        seconds: float | None,
    ) -> None:
        """Take note of how a call has ended."""
        made = entry.batch
        assert made is not None
        made.remove(entry)
        if seconds is not None:
            made.ended += 1
            made.seconds += seconds
        self._finish(entry, outcome, worker, detail, seconds)
        self._after(worker, made)

    def _after(self, worker: WorkerLink, made: Batch) -> None:
        """Go on when a call has ended."""
        if made.entries:
            worker.advanced = made
            return
        worker.advanced = None
        self._forget(worker, made)
        if worker.dropped:  # now: soon it may be busy again, for as long as tasks wait
            self._hearing.send_dropped(worker)
        mean = made.seconds / made.ended if made.ended else None
        ended = TaskEnded(worker.id, made.number, made.attempt, Outcome.COMPLETED, None, mean)
        self._driver.handle(ended)

    def advance(self, worker: WorkerLink) -> None:
        """Have everybody know which call a worker is at, after others have ended."""
        made, worker.advanced = worker.advanced, None
        if made is not None and made.entries and made.number in worker.batches:
            self.start(worker, made)
            self._driver.handle(TaskAdvanced(worker.id, made.number, made.attempt))

    # -- those that do not end there --------------------------------------------------------------

    def give_back(self, worker: WorkerLink, made: Batch, entries: Sequence[Entry]) -> None:
        """Take note that calls have not begun, and will not."""
        wanted = [entry for entry in entries if not entry.canceled]
        if len(entries) == len(made.entries):
            self._give_back_all(worker, made, wanted)
            return
        for entry in entries:
            made.remove(entry)
            if entry.canceled:
                self._finish(entry, Outcome.CANCELED)
        made.begun = len(made.entries)
        if worker.busy_with is None:
            worker.advanced = made  # the one that it was taken to be at is one of those
        self.resubmit(wanted)

    def _give_back_all(self, worker: WorkerLink, made: Batch, wanted: Sequence[Entry]) -> None:
        worker.batches.pop(made.number, None)
        made.worker = None
        for entry in [entry for entry in made.entries if entry.canceled]:
            if len(made.entries) > 1:
                made.remove(entry)
                self._finish(entry, Outcome.CANCELED)
        self._driver.handle(TaskReturned(worker.id, made.number, made.attempt))
        if wanted:
            self._driver.handle(TaskResized(made.number, len(wanted)))
        else:
            self._driver.handle(CancelRequested(made.number))

    def cancel(self, entry: Entry, force_after: float) -> None:
        """Cancel a call that is in a batch: at once if it has not begun."""
        self.settle()
        made = entry.batch
        if made is None:
            return
        if (worker := made.worker) is not None:
            entry.canceled = True
            self._driver.handle(ReclaimRequested(made.number))
            self._hearing.take_notes(worker)
            if entry.batch is not made:
                return  # it had not begun, or has ended
        if len(made.entries) == 1:
            self._driver.handle(CancelRequested(made.number, force_after))
        elif made.worker is not None:  # nobody knows at this moment which of two is running
            again = force_after - AGAIN
            self._driver.call_later(AGAIN, lambda: self.cancel(entry, max(0.0, again)))
        else:
            made.remove(entry)
            self._finish(entry, Outcome.CANCELED)

    def resolve(self, command: ResolveTask) -> None:
        """End those calls of a batch that it is about, and queue the others again."""
        made = self._batches.pop(command.task)
        if self._open is made:
            self._open, self.untold = None, 0
        entries, made.entries = made.entries, []
        # What had no worker, or ends on behalf of all of them, is not queued again.
        begun = max(1, made.begun) if command.worker is not None else len(entries)
        for entry in entries:
            entry.batch = None
        for entry in entries[:begun]:
            self._driver.finishing.finish(entry, command)
        self.resubmit(entries[begun:])

    def see_off(self, worker: WorkerLink, begun: int) -> None:
        """Take note of how many Runs a worker had begun that is gone."""
        for made in worker.batches.values():
            made.see_off(begun)

    def _finish(
        self,
        entry: Entry,
        outcome: Outcome,
        worker: WorkerLink | None = None,
        detail: object = None,
        seconds: float | None = None,
    ) -> None:
        who, public = (None, None) if worker is None else (worker.id, worker.public)
        command = ResolveTask(entry.task.number, outcome, who, detail)
        took = seconds if seconds is not None and seconds < math.inf else 0.0
        self._driver.finishing.finish(entry, command, public, took)

    def _forget(self, worker: WorkerLink, made: Batch) -> None:
        worker.batches.pop(made.number, None)
        self._batches.pop(made.number, None)
