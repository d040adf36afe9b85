"""Looking for the end of the only task under way, instead of sleeping until it is told of.

To wake a thread takes as long as a short task does; a message and its answer wake the loop's
threads, the workers' and those of ZeroMQ. Who looks, and a worker that knows of it, need none of
them (see `worker_entry.spinning` and `worker_entry.notes`). Who looks holds the loop's role, hence
it is for a moment only, never for a task that is known to take longer, and over as soon as anybody
else wants something.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wetlands.runtime.host import Host
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.notes import WorkerNotes
from worker_entry.codec import carried
from worker_entry.spinning import Spinning, moment

if TYPE_CHECKING:
    from wetlands.runtime.hearing import Hearing


class Watch:
    """Looks for endings of one pool. For the holder of the loop's role, but for `expects`."""

    def __init__(self, host: Host, hearing: Hearing) -> None:
        self._loop = host.loop
        self._transport = host.transport
        self._hearing = hearing
        self._spinning = self._short = Spinning()
        self._unknown = Spinning()  # those with large arguments, say
        self._worker: WorkerLink | None = None
        self._end = 0.0  #: when it is not worth it any more

    def begin(self, worker: WorkerLink, *, short: bool) -> None:
        """Take note that a worker is at a task: a short one, or one of which nobody knows."""
        self._spinning = self._short if short else self._unknown
        self._worker = worker if self._spinning.is_worth_it() else None
        self._end = time.monotonic() + moment(0 if short else carried(worker.payload))

    def expects(self) -> bool:
        """Whether it is worth it to look now."""
        return self._worker is not None and time.monotonic() < self._end

    def look(self) -> None:
        """Wait until the worker has noted an ending, or there is something else to do."""
        worker, self._worker = self._worker, None
        notes = None if worker is None else worker.notes
        if worker is None or worker.busy_with is None or notes is None or notes.closed():
            return
        notes.watch(begin=True)
        try:
            found = self._look_at(worker, notes)
        finally:
            notes.watch(begin=False)
        # Only now: up to here the worker may have relied on being watched.
        if notes.has_more():
            self._hearing.take_notes(worker)
        if found and worker.busy_with is not None:
            self._worker = worker  # it is a message, and may be but an update: look again

    def _look_at(self, worker: WorkerLink, notes: WorkerNotes) -> bool:
        """Take notes until there is something else to do; say whether there may be."""
        while self._spinning.look(
            notes.has_more,
            self._end,
            arrives=self._transport.readable,
            is_wanted=self._loop.is_wanted,
        ):
            if notes.has_more():
                self._hearing.take_notes(worker)
            if worker.busy_with is None or notes.has_more() or self._transport.readable():
                return True
        return False
