"""What the books of `PoolBooks` say about processes, slots and tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from wetlands.core.events import Outcome, WorkerId
from wetlands.core.policy import RetryPlan


@dataclass
class Process:
    """A fake process, and what the books say about it."""

    spawned_at: float
    kill_at: float  #: when the core must have killed it (again), or must have given it up
    ready_at: float = math.inf
    died_at: float = math.inf  #: of the first kill, or of the exit without one
    booted: bool = False
    asked: bool = False
    kills: int = 0
    blameless: bool = False
    undead: bool = False  #: no signal ends it
    given_up: bool = False  #: the core must have lost hope
    held: tuple[int, int] | None = None  #: the task and attempt that it is at, for the core
    ahead: list[tuple[int, int]] = field(default_factory=list)  #: those that it has besides
    line: list[tuple[int, int]] = field(default_factory=list)  #: those it may still talk about
    began: tuple[int, int] | None = None  #: the last one
    loads: dict[int, float] = field(default_factory=dict)  #: what tasks were expected to take
    full: bool = False  #: nothing more is sent ahead before it is idle
    reclaimed: bool = False  #: somebody wants back what it has not begun
    returns: bool = False  #: and the driver was told so, after it was sent the last of it
    stall_at: float = math.inf
    looks: int = 0  #: how often somebody has looked whether something came back
    stuck: bool = False  #: it is at a long task, and others wait behind it
    overstayed: bool = False  #: its task takes so long that its relay must be taken back
    timed_out: bool = False  #: and resolved, while its worker may still be at it
    overdue: bool = False  #: out of its own time, and to be tried again once this run has ended
    stop_wanted: Outcome | None = None
    interrupted: bool = False
    silence_at: float = math.inf
    look_at: float = math.inf
    standstill: int | None = None  #: what somebody who looks at it would find
    seen: int | None = None  #: what was found the last time
    still: int = 0  #: how often that was found before
    frozen: bool = False  #: found often enough
    limit_at: float = math.inf
    force_at: float = math.inf
    force_outcome: Outcome = Outcome.CANCELED
    runs: int = 0
    memory: float = 0.0
    pinned: bool = False
    worn: bool = False  #: to make way unless it is pinned
    leaving: bool = False  #: to make way
    idle_at: float = math.inf  #: when it has been idle for too long
    resting: bool = False  #: asked to exit for that

    @property
    def last(self) -> tuple[int, int] | None:
        """What it speaks about next."""
        return self.line[0] if self.line else None

    def position(self) -> int:
        """How many of those in line it has begun."""
        return self.line.index(self.began) + 1 if self.began in self.line else 0

    def has_begun(self, run: tuple[int, int]) -> bool:
        return run in self.line[: self.position()]

    def load(self) -> float:
        return sum(self.loads[task] for task, _ in [self.held, *self.ahead])

    def tasks(self) -> list[int]:
        return [task for task, _ in [self.held, *self.ahead]]

    def has_relay(self, credit: float) -> bool:
        return bool(self.held and self.ahead and self.loads[self.held[0]] >= credit)

    def is_idle(self) -> bool:
        return self.booted and not (self.held or self.asked or self.kills)

    def want_stop(self, at: float, outcome: Outcome) -> None:
        self.stop_wanted = self.stop_wanted or outcome
        if at < self.force_at:
            self.force_at, self.force_outcome = at, outcome

    def due(self) -> float:
        """When the core must do something about it."""
        if self.given_up:
            return math.inf
        if self.is_idle():
            return min(self.kill_at, self.idle_at)
        if self.held is None:
            return self.kill_at
        return min(self.killed_at(), self.stall_at, self.look_at)

    def killed_at(self) -> float:
        """When its task is over, or its worker."""
        if self.held is None:
            return self.kill_at
        return min(self.silence_at, self.limit_at, self.force_at)

    def has_stalled(self, now: float) -> bool:
        first = min(self.silence_at, self.limit_at, self.force_at, now)
        return self.stall_at <= first

    def verdict(self) -> Outcome:
        """How its task ends if a deadline decides."""
        if self.silence_at <= min(self.limit_at, self.force_at):
            return Outcome.SILENT
        return Outcome.TIMED_OUT if self.limit_at <= self.force_at else self.force_outcome


@dataclass
class Place:
    """What the books say about a slot."""

    incarnation: int = 0
    failures: int = 0
    spawn_at: float = 0.0  #: when the next process is due, while there is none
    retired: bool = False
    wanted: bool = True  #: False once the pool was made smaller
    dormant: bool = False


@dataclass
class Expected:
    """A resolution that the event at hand must cause."""

    outcome: Outcome
    worker: WorkerId | None = None
    detail: Any = field(default=...)  #: an ellipsis is anything
    again: bool = False  #: not the end: the task is to be tried again


@dataclass
class Tries:
    """What the books say about a task that may be tried again."""

    plan: RetryPlan
    errors: int = 0
    losses: int = 0
    home: WorkerId | None = None
    verdict: Expected | None = None  #: how its last run ended, while it is judged

    def pause(self) -> float:
        grown = self.plan.delay * self.plan.backoff ** (self.errors + self.losses - 1)
        return min(grown, self.plan.max_delay)
