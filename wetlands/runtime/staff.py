"""The processes of one pool's workers: how each is started, watched, killed and seen off.

Nothing is decided here: the core decides, and hears of every exit through ``on_exit``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wetlands.core.events import WorkerId
from wetlands.runtime.host import Host
from wetlands.runtime.launcher import WorkerPlan, start_worker
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.loop import LoopClient
from wetlands.runtime.memory import MemoryKills
from wetlands.runtime.output import Emit
from wetlands.runtime.process import Death, WorkerProcess
from wetlands.runtime.segments import HostCarrier
from wetlands.task_event import TaskWorker

if TYPE_CHECKING:
    from worker_entry.carrier import Carrier

#: How long the news of a busy worker's death is held back, in seconds: its last words may still
#: be on their way through the socket, and a result that was sent must win.
LAST_WORDS = 0.02


class Staff:
    """The workers that are there. For the holder of the loop's role, but for `find`.

    Attributes:
        plan: What workers are started with from now on.
        links: The workers whose end has not been seen yet.
        by_identity: The same, by the names of their sockets.
        by_mark: The same, by what they write when they ring.
    """

    def __init__(
        self,
        host: Host,
        plan: WorkerPlan,
        carrier: Carrier,
        client: LoopClient,
        emitter: Callable[[int], Emit],
        on_exit: Callable[[WorkerLink, Death], None],
    ) -> None:
        self.plan = plan
        self.links: dict[WorkerId, WorkerLink] = {}
        self.by_identity: dict[bytes, WorkerLink] = {}
        self.by_mark: dict[bytes, WorkerLink] = {}
        self._host = host
        self._segments = carrier if isinstance(carrier, HostCarrier) else None
        self._client = client
        self._emitter = emitter
        self._on_exit = on_exit
        self._memory_kills = MemoryKills()

    def spawn(self, worker: WorkerId) -> None:
        """Start a process, on the launcher's thread."""
        name = f"{id(self):x}-{worker.slot}-{worker.incarnation}.started"
        link = self.links[worker] = WorkerLink(
            worker, self._host.folder.path / name, trusted=self.plan.trust == "full"
        )
        for identity in link.identities:
            self.by_identity[identity] = link
        self._host.loop.connect(self._client, *link.identities)
        link.mark = self._host.loop.make_mark(self._client)
        self.by_mark[link.mark] = link
        if self.plan.initializer:
            self.guard()  # which one worker runs while others wait to be started
        self._host.launcher.post(lambda: self._start(link))

    def guard(self) -> None:
        """Have what workers may start from now on looked after, should this process be killed."""
        self._host.launcher.post(lambda: self._host.reaper.start(self.plan.executable))

    def find(self, worker: WorkerId) -> WorkerLink | None:
        """Return the worker if it is there; for any thread."""
        return self.links.get(worker)

    def kill(self, worker: WorkerId, reason: str, *, undecided: bool = False) -> None:
        """Kill the process and all that it started, as soon as there is one.

        Args:
            worker: Who.
            reason: Why.
            undecided: Whether what becomes of its task is not known before it is gone.
        """
        link = self.links[worker]
        link.kill_reason = link.kill_reason or reason
        if not undecided:
            link.busy_with = None
        if link.process is not None:
            self._host.health.kill(link.process)

    def kill_all(self) -> None:
        """Kill every process there is: their pool is no more."""
        for link in self.links.values():
            if link.process is not None:
                self._host.health.kill(link.process)

    def leave_behind(self) -> None:
        """Let go of what is kept for workers whose end will not be seen any more."""
        for link in self.links.values():
            if link.notes is not None:
                link.notes.close()

    def see_off(self, link: WorkerLink) -> tuple[int, int] | None:
        """Forget a worker whose process is gone; return the last task that it began, if any."""
        started = link.last_begun()
        link.pack.clear()  # what was to be sent at the end of this pass
        if link.notes is not None:
            link.notes.close()
        self._host.loop.disconnect(*link.identities)
        self._host.loop.forget_mark(link.mark)
        self.by_mark.pop(link.mark, None)
        if self._host.transport.keys is not None:
            self._host.transport.keys.revoke(link.public_key)
        for identity in link.identities:
            self.by_identity.pop(identity, None)
        self.links.pop(link.id, None)
        if self._segments is not None:
            self._host.launcher.post(self._segments.forget_worker(*link.id))
        return started

    def _start(self, link: WorkerLink) -> None:
        """Runs on the launcher's thread."""
        post = self._host.loop.post
        try:
            connection = link.prepare(self._host.transport)
            if self._segments is not None:
                connection["segments"] = self._segments.worker_config(*link.id)
            # The dot at its end keeps the tag of incarnation 1 apart from that of 10.
            pool, (slot, incarnation) = f"{self._host.reaper.tag}/{id(self):x}", link.id
            tag = f"{pool}.{slot}.{incarnation}."
            bell = self._host.transport.bell.end
            process = start_worker(self.plan, slot, tag, connection, self._emitter(slot), bell)
            self._host.reaper.add(process.pid)
        except Exception as error:
            death = Death(None, str(error))
            post(self._client, lambda: self._on_exit(link, death))
            return
        post(self._client, lambda: self._on_spawned(link, process))

    def _on_spawned(self, link: WorkerLink, process: WorkerProcess) -> None:
        link.process = process
        link.public = TaskWorker(link.id.slot, process.pid)
        self._host.processes.add(process)

        def on_gone(returncode: int, tail: str) -> None:
            self._host.loop.post(self._client, lambda: self._on_gone(link, returncode, tail))

        self._host.health.watch(process, on_gone)
        if link.kill_reason:
            self._host.health.kill(process)

    def _on_gone(self, link: WorkerLink, returncode: int, tail: str) -> None:
        if link.process is not None:
            self._host.processes.discard(link.process)
            pid = link.process.pid
            self._host.launcher.post(lambda: self._host.reaper.discard(pid))
        lack = returncode == -9 and self._memory_kills.happened()
        death = Death(
            returncode, link.kill_reason, tail, lack and not link.kill_reason, link.last_chunk()
        )
        delay = LAST_WORDS if link.runs or link.batches else 0.0
        self._host.loop.call_later(self._client, delay, lambda: self._on_exit(link, death))
