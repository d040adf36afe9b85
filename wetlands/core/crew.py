"""The workers of a pool: how the process of each slot starts, ends and is replaced."""

from __future__ import annotations

import math
from collections import OrderedDict, deque

from wetlands.core.commands import Command, KillWorker, SpawnWorker, StopWorker
from wetlands.core.deadlines import Deadlines
from wetlands.core.events import TaskAdvanced, TaskEnded, TaskProgressed, WorkerId
from wetlands.core.policy import PoolConfig
from wetlands.core.slot import LEGAL, Slot, SlotState, Transition

# Without the constructor of the named tuple, which is written in Python.
_transition = tuple.__new__
#: States in which a slot has no process.
EMPTY = frozenset({SlotState.VACANT, SlotState.RETIRED, SlotState.DORMANT})
#: States that are counted when a slot gets into them or out of them.
COUNTED = frozenset({SlotState.STARTING, SlotState.RETIRED, SlotState.DORMANT})


class Crew:
    """The slots of one pool. It knows nothing of the queue, and of a task only its deadlines."""

    def __init__(self, config: PoolConfig) -> None:
        self.config = config
        self.slots = [Slot(index) for index in range(config.size)]
        # Last in, first out: the warmest caches work most. (An `OrderedDict`, because the end
        # of a plain dict is searched for past everything that was deleted there.)
        self.idle: OrderedDict[int, Slot] = OrderedDict()
        self.busy = 0  #: how many slots are
        self.roomy: OrderedDict[int, Slot] = OrderedDict()  #: busy, and can have tasks ahead
        self.relays: OrderedDict[int, Slot] = OrderedDict()  #: busy, and can be told what is next
        #: At a long task, with others behind it, or at one of some milliseconds, with its relay.
        self.stuck: OrderedDict[int, Slot] = OrderedDict()
        self.starting = 0
        self.retired = 0
        self.wanted = config.size
        self.spent = 0  #: how many of those are wanted, and were given up
        self.recalls: OrderedDict[int, Slot] = OrderedDict()  #: to give back what they have besides
        self.asleep: OrderedDict[int, Slot] = OrderedDict()  #: wanted, and dormant
        self.deadlines = Deadlines(config.size)
        self.story: deque[Transition] = deque(maxlen=256)
        self.now = 0.0
        self.commands: list[Command] = []

    def begin(self, now: float) -> None:
        """Start a new step: commands are collected from here on."""
        self.now = now

    def end(self) -> list[Command]:
        """Give away what was collected; a result in it is not kept until the next step."""
        commands, self.commands = self.commands, []
        return commands

    def live(self, worker: WorkerId) -> Slot | None:
        """Return the slot if ``worker`` is its current incarnation and its process exists."""
        slot = self.slots[worker.slot]
        if slot.worker != worker or slot.state in EMPTY:
            return None
        return slot

    def busy_with(self, event: TaskProgressed | TaskAdvanced | TaskEnded) -> Slot | None:
        """Return the slot if the event is about the very dispatch that it is busy with."""
        slot = self.live(event.worker)
        if slot is None or slot.task is None:
            return None
        if (slot.task.id, slot.task.attempt) != (event.task, event.attempt):
            return None
        return slot

    def spawn(self, slot: Slot) -> None:
        """Start the next incarnation."""
        slot.worker = WorkerId(slot.worker.slot, slot.worker.incarnation + 1)
        slot.renew()
        self.move(slot, SlotState.STARTING, self.config.startup_timeout, "spawn")
        self.commands.append(SpawnWorker(slot.worker))

    def rest(self, slot: Slot, why: str) -> None:
        """Have a worker idle that is ready, or done with its task."""
        self.move(slot, SlotState.IDLE, self._patience(slot), why)

    def stop(self, slot: Slot, why: str) -> None:
        """Ask an idle worker to exit."""
        slot.blameless = True
        self.move(slot, SlotState.STOPPING, self.config.stop_grace, why)
        self.commands.append(StopWorker(slot.worker))

    def stop_if_due(self, slot: Slot) -> bool:
        """Ask an idle worker to exit if it is to make way, now that it can; say whether."""
        why = self.why_to_go(slot)
        if why is not None:
            self.stop(slot, why)
        return why is not None

    def why_to_go(self, slot: Slot) -> str | None:
        """Return why a worker is to make way when it is idle next; None if it is to stay."""
        if not slot.wanted:
            return "the pool is smaller"
        if slot.leaving:
            return "restart"
        return "worn" if slot.worn and not slot.pinned else None

    def fill(self, slot: Slot) -> None:
        """Have nothing sent ahead to a worker: something is to happen when it is idle next.

        What waits there behind a task that takes its time has to come back for that.
        """
        slot.full = True
        if slot.worker.slot in self.stuck:  # what it has may take for ever
            self.recalls[slot.worker.slot] = slot
        self.roomy.pop(slot.worker.slot, None)
        self.relays.pop(slot.worker.slot, None)

    def pin(self, slot: Slot, pinned: bool) -> None:
        """Note whether a worker keeps values; one that does is not let go for lack of work."""
        slot.pinned = pinned
        if slot.state is SlotState.BUSY and self.why_to_go(slot):
            self.fill(slot)
        elif slot.state is SlotState.IDLE and not self.stop_if_due(slot):
            slot.state_due = self.now + self._patience(slot)
            self.arm(slot)

    def kill(self, slot: Slot, reason: str) -> None:
        """Kill the worker, for the first time or once more."""
        if slot.state is SlotState.KILLING:
            slot.state_due = self.now + self.config.kill_retry
            self.arm(slot)
        else:
            self._judge(slot)
            self.move(slot, SlotState.KILLING, self.config.kill_retry, reason)
        slot.kills += 1
        self.commands.append(KillWorker(slot.worker, reason, slot.undecided))

    def vacate(self, slot: Slot, *, replace: bool) -> None:
        """The process is gone: replace it, at once if nobody but its task was to blame."""
        if slot.state is not SlotState.KILLING:
            self._judge(slot)
        slot.failures += not slot.blameless
        if not replace:
            self.retire(slot, "closing")
        elif not slot.wanted or slot.resting:
            self.move(slot, SlotState.DORMANT, math.inf, "exit")
        elif slot.failures > self.config.restart_limit:
            self.retire(slot, "restart budget spent")
        else:
            pause = 0.0 if slot.blameless else self.config.backoff(slot.failures)
            self.move(slot, SlotState.VACANT, pause, "exit")
            if pause == 0.0:
                self.spawn(slot)

    def retire(self, slot: Slot, why: str) -> None:
        """Give the slot up."""
        self.move(slot, SlotState.RETIRED, math.inf, why)

    def move(self, slot: Slot, state: SlotState, due_in: float, why: str) -> None:
        """Change the state of a slot, and when that state has lasted too long."""
        assert state in LEGAL[slot.state], (slot.worker, slot.state, state, list(self.story)[-8:])
        before, after = slot.state._value_, state._value_  # `value` is a slow property
        self.story.append(_transition(Transition, (self.now, slot.worker, before, after, why)))
        if slot.state is SlotState.IDLE:
            del self.idle[slot.worker.slot]
        elif state is SlotState.IDLE:
            self.idle[slot.worker.slot] = slot
        if slot.state is SlotState.BUSY:
            self.busy -= 1
            self.roomy.pop(slot.worker.slot, None)
            self.relays.pop(slot.worker.slot, None)
            self.stuck.pop(slot.worker.slot, None)
        elif state is SlotState.BUSY:
            self.busy += 1
        if state in COUNTED or slot.state in COUNTED:
            self._count(slot, state)
        slot.state = state
        slot.state_due = self.now + due_in
        self.arm(slot)

    def arm(self, slot: Slot) -> None:
        """Take note that a deadline of the slot may have moved earlier."""
        due = slot.due
        if due < math.inf:
            self.deadlines.arm(slot.worker.slot, due)

    def _count(self, slot: Slot, state: SlotState) -> None:
        self.starting += (state is SlotState.STARTING) - (slot.state is SlotState.STARTING)
        retired = (state is SlotState.RETIRED) - (slot.state is SlotState.RETIRED)
        self.retired += retired
        self.spent += retired
        if state is SlotState.DORMANT and slot.wanted:
            self.asleep[slot.worker.slot] = slot
        elif slot.state is SlotState.DORMANT:
            self.asleep.pop(slot.worker.slot, None)

    def _patience(self, slot: Slot) -> float:
        return math.inf if slot.pinned else self.config.idle_timeout

    def _judge(self, slot: Slot) -> None:
        """Forget old failures if the worker lived long; the time that it took to die is no life."""
        if self.now - slot.ready_at >= self.config.stable_after:
            slot.failures = 0
