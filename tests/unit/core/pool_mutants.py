"""Broken versions of the core: each breaks one promise, and the world must notice.

A new promise needs a new line here. A mutant is the source of one module with one piece of text
replaced, loaded with the rest of the core as a package of its own.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

#: In the order of their imports. Events and commands are data; mutants and machine share them.
MODULES = (
    "policy",
    "slot",
    "deadlines",
    "retrying",
    "crew",
    "staffing",
    "pace",
    "actions",
    "credit",
    "worker_events",
    "pool",
)


class Mutant(NamedTuple):
    name: str
    module: str
    old: str
    new: str


MUTANTS = [
    # -- who is who
    Mutant(
        "dead incarnation accepted",
        "crew",
        "slot.worker != worker or slot.state in",
        "slot.state in",
    ),
    Mutant(
        "process that was given up accepted",
        "crew",
        "EMPTY = frozenset({SlotState.VACANT, ",
        "EMPTY = frozenset({",
    ),
    Mutant(
        "stale attempt accepted",
        "crew",
        "(slot.task.id, slot.task.attempt) != (event.task, event.attempt)",
        "slot.task.id != event.task",
    ),
    Mutant(
        "answer about another task accepted",
        "crew",
        "(slot.task.id, slot.task.attempt) != (event.task, event.attempt)",
        "slot.task.attempt != event.attempt",
    ),
    Mutant(
        "incarnation does not grow",
        "crew",
        "slot.worker.incarnation + 1)",
        "max(slot.worker.incarnation, 1))",
    ),
    Mutant(
        "hello of a worker that is being killed accepted",
        "worker_events",
        "if slot and slot.state is SlotState.STARTING:",
        "if slot and slot.state in (SlotState.STARTING, SlotState.KILLING):",
    ),
    # -- what happens to a task
    Mutant(
        "requeued at the back",
        "actions",
        "            self.ready.move_to_end(task.id, last=False)\n",
        "",
    ),
    Mutant(
        "not requeued but lost",
        "worker_events",
        "if task and not further and event.started != (task.id, task.attempt):",
        "if task and event.started is None and False:",
    ),
    Mutant(
        "begun task runs again",
        "worker_events",
        "if task and not further and event.started != (task.id, task.attempt):",
        "if task:",
    ),
    Mutant(
        "earlier task of the worker counts as begun",
        "worker_events",
        "event.started != (task.id, task.attempt)",
        "event.started is None",
    ),
    Mutant(
        "unlimited delivery",
        "actions",
        "if task.misses >= self.config.delivery_limit and",
        "if task.misses >= self.config.delivery_limit + 99 and",
    ),
    Mutant(
        "one delivery too few",
        "actions",
        "task.misses >= self.config.delivery_limit",
        "task.misses >= self.config.delivery_limit - 1",
    ),
    Mutant(
        "interrupted task delivered again",
        "actions",
        "        if task.interrupted:\n",
        "        if task.resolved:\n",
    ),
    Mutant(
        "canceled task becomes closed when its worker dies",
        "actions",
        "self._conclude(task, task.interrupted, None, detail)",
        "self._resolve(task, Outcome.CLOSED if self.closing else task.interrupted, None, detail)",
    ),
    Mutant(
        "last task first",
        "pool",
        "next(reversed(idle))], self.ready.popitem(last=False)[1])",
        "next(reversed(idle))], self.ready.popitem()[1])",
    ),
    Mutant(
        "canceled queued task stays in ready",
        "actions",
        "            del (task.bound.bound if task.bound else self.ready)[task.id]\n",
        "            del (task.bound.bound if task.bound else {task.id: 0})[task.id]\n",
    ),
    Mutant(
        "canceled bound task stays with its worker",
        "actions",
        "            del (task.bound.bound if task.bound else self.ready)[task.id]\n",
        "            del ({task.id: 0} if task.bound else self.ready)[task.id]\n",
    ),
    Mutant(
        "canceled queued task is forgotten",
        "pool",
        "            self._withdraw(task)\n            self._resolve(task, Outcome.CANCELED)\n",
        "            self._withdraw(task)\n",
    ),
    Mutant(
        "ended task remembered for ever",
        "actions",
        "        del self.tasks[task.id]\n",
        "",
    ),
    Mutant(
        "time out resolves twice",
        "actions",
        "        if task.resolved:\n",
        "        self.tasks[task.id] = task\n        if False:\n",
    ),
    Mutant(
        "lost task is not resolved",
        "worker_events",
        "            self._conclude(task, Outcome.LOST, slot, event.detail)\n",
        "            pass\n",
    ),
    Mutant(
        "task of a killed worker is not resolved",
        "actions",
        "        if task:\n            self._conclude(task, outcome, slot, reason)\n",
        "",
    ),
    Mutant(
        "detail is dropped",
        "pool",
        "self._resolve(task, event.outcome, slot, event.detail)",
        "self._resolve(task, event.outcome, slot)",
    ),
    Mutant(
        "interrupted twice",
        "actions",
        "        if task.interrupted is None:\n",
        "        if not task.resolved:\n",
    ),
    Mutant(
        "running task is not told that it is canceled",
        "actions",
        "self._crew.commands.append(InterruptTask(slot.worker, task.id, task.attempt))",
        "pass",
    ),
    # -- tasks that are bound to a worker
    Mutant(
        "bound to a worker that is being killed",
        "actions",
        "slot.state in (SlotState.KILLING, SlotState.STOPPING):",
        "slot.state is SlotState.STOPPING:",
    ),
    Mutant(
        "bound task survives the exit of its worker",
        "worker_events",
        "        self._lose_bound(slot, event.detail)\n",
        "",
    ),
    Mutant(
        "bound task survives the kill of its worker",
        "actions",
        "        self._lose_bound(slot, reason)\n",
        "",
    ),
    Mutant(
        "bound task that never began goes to anybody",
        "actions",
        "        elif task.bound:\n",
        "        elif False:\n",
    ),
    Mutant(
        "bound task waits though its worker is idle",
        "actions",
        "        self._crew.fill(slot)\n        self._run_bound(slot)\n",
        "        self._crew.fill(slot)\n",
    ),
    Mutant(
        "bound task is not thought of when its worker is done",
        "worker_events",
        "        self._run_bound(slot)\n\n    def _on_worker_exited",
        "\n    def _on_worker_exited",
    ),
    Mutant(
        "bound task is not thought of when its worker is ready",
        "worker_events",
        "            self._run_bound(slot)\n",
        "",
    ),
    Mutant(
        "last bound task first",
        "actions",
        "self._dispatch(slot, slot.bound.popitem(last=False)[1])",
        "self._dispatch(slot, slot.bound.popitem()[1])",
    ),
    Mutant(
        "bound tasks outlive the pool",
        "actions",
        "(self.ready, *(slot.bound for slot in self.slots))",
        "(self.ready,)",
    ),
    Mutant(
        "a saturated pool is not noticed",
        "pool",
        "return self._crew.busy > 0 and not self._crew.idle",
        "return self._crew.busy > 1 and not self._crew.idle",
    ),
    Mutant(
        "busy workers are counted and never discounted",
        "crew",
        "            self.busy -= 1\n",
        "",
    ),
    # -- tasks that are tried again
    Mutant(
        "errors are not counted",
        "retrying",
        "            self.errors += 1\n",
        "            pass\n",
    ),
    Mutant(
        "losses are not counted",
        "retrying",
        "            self.losses += 1\n",
        "            pass\n",
    ),
    Mutant(
        "one try too few after an error",
        "retrying",
        "return self.errors <= self.plan.on_error",
        "return self.errors < self.plan.on_error",
    ),
    Mutant(
        "errors are forgiven as losses are",
        "retrying",
        "return self.errors <= self.plan.on_error",
        "return self.errors <= self.plan.on_lost",
    ),
    Mutant(
        "losses are forgiven as errors are",
        "retrying",
        "return self.losses <= self.plan.on_lost",
        "return self.losses <= self.plan.on_error",
    ),
    Mutant(
        "silence is no loss",
        "retrying",
        "frozenset({Outcome.LOST, Outcome.SILENT, ",
        "frozenset({Outcome.LOST, ",
    ),
    Mutant(
        "time out is no error",
        "retrying",
        "frozenset({Outcome.FAILED, Outcome.TIMED_OUT})",
        "frozenset({Outcome.FAILED})",
    ),
    Mutant(
        "canceled task is tried again",
        "pool",
        "        task.retrying = None\n",
        "",
    ),
    Mutant(
        "closing pool tries again",
        "actions",
        "if retrying is None or task.resolved or self.closing:",
        "if retrying is None or task.resolved:",
    ),
    Mutant(
        "timed out task runs twice at a time",
        "pool",
        "if task.retrying is None or self.closing or not task.retrying.forgives_an_error():",
        "if True:",
    ),
    Mutant(
        "timed out task without tries is not resolved in time",
        "pool",
        "self.closing or not task.retrying.forgives_an_error():",
        "self.closing:",
    ),
    Mutant(
        "result that came late is thrown away",
        "pool",
        "if task.retrying is None or event.outcome is Outcome.COMPLETED:",
        "if task.retrying is None or (\n"
        "            event.outcome is Outcome.COMPLETED and not task.interrupted):",
    ),
    Mutant(
        "late failure is not called a time out",
        "pool",
        "elif task.interrupted is Outcome.TIMED_OUT:",
        "elif False:",
    ),
    Mutant(
        "nothing is poison",
        "actions",
        "retrying.losses >= self.config.poison_limit",
        "retrying.losses >= self.config.poison_limit + 99",
    ),
    Mutant(
        "poison takes one worker too many",
        "actions",
        "retrying.losses >= self.config.poison_limit",
        "retrying.losses > self.config.poison_limit",
    ),
    Mutant(
        "poison gets its next try",
        "actions",
        "outcome, again = Outcome.POISONED, False",
        "outcome = Outcome.POISONED",
    ),
    Mutant(
        "no pause before the next try",
        "actions",
        "self.waiting.add(task, self._crew.now + pause)",
        "self.waiting.add(task, self._crew.now)",
    ),
    Mutant(
        "pause never ends",
        "actions",
        "self.waiting.add(task, self._crew.now + pause)",
        "self.waiting.add(task, math.inf)",
    ),
    Mutant(
        "pause does not grow",
        "policy",
        "self.backoff ** min(failures - 1, 100)",
        "self.backoff ** min(failures - 1, 0)",
    ),
    Mutant(
        "pause is not capped",
        "policy",
        "self.delay * grown * spread, self.max_delay",
        "self.delay * grown * spread, math.inf",
    ),
    Mutant(
        "nobody is asked",
        "actions",
        "if retrying.plan.judged:",
        "if False:",
    ),
    Mutant(
        "answer about an earlier run accepted",
        "pool",
        "if task.attempt != event.attempt:",
        "if False:",
    ),
    Mutant(
        "answer that nobody asked for accepted",
        "pool",
        "if task is None or not retrying or retrying.verdict is None:",
        "if task is None or not retrying:",
    ),
    Mutant(
        "next try though the answer was no",
        "pool",
        "if event.again:",
        "if True:",
    ),
    Mutant(
        "verdict is forgotten",
        "pool",
        "self._end(task, *retrying.verdict)",
        "self._end(task, retrying.verdict[0], None, None)",
    ),
    Mutant(
        "bound task is tried again anywhere",
        "actions",
        "retrying.home = task.bound.worker if task.bound else None",
        "retrying.home = None",
    ),
    Mutant(
        "paused task is not withdrawn",
        "actions",
        "            self.waiting.remove(task.id)\n        else",
        "            pass\n        else",
    ),
    Mutant(
        "paused tasks outlive the pool",
        "actions",
        "while (task := self.waiting.pop_any()) is not None:",
        "while False:",
    ),
    Mutant(
        "end of a pause is no deadline",
        "pool",
        "paused = min(math.inf if due is None else due, self.waiting.next())",
        "paused = math.inf if due is None else due",
    ),
    Mutant(
        "misses of an earlier run count",
        "slot",
        "        self.misses = 0\n",
        "",
    ),
    Mutant(
        "interruption of an earlier run counts",
        "slot",
        "self.slot = self.bound = self.interrupted = None",
        "self.slot = self.bound = None",
    ),
    Mutant(
        "patience of an earlier run counts",
        "slot",
        "        self.limit_due = self.force_due = math.inf\n",
        "",
    ),
    Mutant(
        "places in the heap are not swept",
        "retrying",
        "        if len(self._heap) <= 2 * len(self._tasks) + 8:\n            return\n",
        "        return\n",
    ),
    # -- how many workers there are
    Mutant(
        "worn worker goes on",
        "pool",
        "            slot.worn = True\n",
        "            pass\n",
    ),
    Mutant(
        "one run too many",
        "pool",
        "slot.runs >= self.config.max_tasks",
        "slot.runs > self.config.max_tasks",
    ),
    Mutant(
        "runs of earlier workers count",
        "slot",
        "        self.runs = 0  #: tasks that ended there\n",
        "        self.runs = getattr(self, 'runs', 0)\n",
    ),
    Mutant(
        "worn worker keeps its successor from working",
        "slot",
        "        self.worn = False  #:",
        "        self.worn = getattr(self, 'worn', False)  #:",
    ),
    Mutant(
        "a worker that says it is worn goes on",
        "worker_events",
        "        slot.worn = True\n        if slot.state is SlotState.BUSY:\n",
        "        if slot.state is SlotState.BUSY:\n",
    ),
    Mutant(
        "worn before it has run anything",
        "worker_events",
        "if slot is None or not slot.runs:",
        "if slot is None:",
    ),
    Mutant(
        "a busy worn worker gets more",
        "worker_events",
        "        slot.worn = True\n        if slot.state is SlotState.BUSY:\n"
        "            self._crew.fill(slot)\n        elif",
        "        slot.worn = True\n        if",
    ),
    Mutant(
        "an idle worn worker stays",
        "worker_events",
        "        elif slot.state is SlotState.IDLE:\n            self._crew.stop_if_due(slot)\n",
        "",
    ),
    Mutant(
        "the end of a worn worker is a failure",
        "worker_events",
        "slot.blameless = slot.blameless or slot.worn  #",
        "pass  #",
    ),
    Mutant(
        "what a worn worker did not begin counts as a miss",
        "actions",
        "task.misses += not slot.worn",
        "task.misses += 1",
    ),
    Mutant(
        "worker that keeps values is replaced",
        "crew",
        "slot.worn and not slot.pinned else",
        "slot.worn else",
    ),
    Mutant(
        "worker that keeps values is let go",
        "crew",
        "return math.inf if slot.pinned else self.config.idle_timeout",
        "return self.config.idle_timeout",
    ),
    Mutant(
        "worker that kept values is never replaced",
        "crew",
        "elif slot.state is SlotState.IDLE and not self.stop_if_due(slot):",
        "elif slot.state is SlotState.IDLE:",
    ),
    Mutant(
        "worker that kept values is never let go",
        "crew",
        "            slot.state_due = self.now + self._patience(slot)\n",
        "            pass\n",
    ),
    Mutant(
        "worker goes with tasks that only it can run",
        "actions",
        "        if slot.bound:\n            self._dispatch",
        "        if slot.bound and not slot.worn:\n            self._dispatch",
    ),
    Mutant(
        "bound to a worker that is about to exit",
        "actions",
        "slot.state in (SlotState.KILLING, SlotState.STOPPING):",
        "slot.state is SlotState.KILLING:",
    ),
    Mutant(
        "memory is no matter",
        "worker_events",
        "if slot.state is SlotState.BUSY and event.memory > self.config.max_memory:",
        "if False:",
    ),
    Mutant(
        "memory of a task is called a loss",
        "worker_events",
        "self._kill(slot, Outcome.OUT_OF_MEMORY, reason)",
        "self._kill(slot, Outcome.LOST, reason)",
    ),
    Mutant(
        "memory that a task leaves is no matter",
        "pool",
        "or slot.memory > self._recycled_beyond:",
        "or False:",
    ),
    Mutant(
        "memory of an idle worker is no matter",
        "worker_events",
        "            slot.worn = True\n",
        "            pass\n",
    ),
    Mutant(
        "idle worker never goes",
        "crew",
        "self.move(slot, SlotState.IDLE, self._patience(slot), why)",
        "self.move(slot, SlotState.IDLE, math.inf, why)",
    ),
    Mutant(
        "idle worker that went is replaced at once",
        "pool",
        "        slot.resting = True\n",
        "",
    ),
    Mutant(
        "who rested once sleeps for ever after",
        "slot",
        "        self.resting = False  #:",
        "        self.resting = getattr(self, 'resting', False)  #:",
    ),
    Mutant(
        "nobody wakes up",
        "pool",
        "            self._crew.wake(len(self.ready))\n",
        "            pass\n",
    ),
    Mutant(
        "everybody wakes up",
        "staffing",
        "while self.asleep and self.starting < demand:",
        "while self.asleep:",
    ),
    Mutant(
        "one wakes up",
        "pool",
        "self._crew.wake(len(self.ready))",
        "self._crew.wake(1)",
    ),
    Mutant(
        "a sleeping worker counts as none",
        "pool",
        "and not self._crew.idle and not self._crew.asleep",
        "and not self._crew.idle",
    ),
    Mutant(
        "starting workers are not discounted",
        "crew",
        "(state is SlotState.STARTING) - (slot.state is SlotState.STARTING)",
        "state is SlotState.STARTING",
    ),
    Mutant(
        "smaller pool keeps its idle workers",
        "staffing",
        'self.stop(slot, "the pool is smaller")',
        "pass",
    ),
    Mutant(
        "smaller pool keeps its busy workers",
        "crew",
        "        if not slot.wanted:\n            return",
        "        if False:\n            return",
    ),
    Mutant(
        "smaller pool starts what it had planned",
        "staffing",
        '            self.move(slot, SlotState.DORMANT, math.inf, "the pool is smaller")\n',
        "            pass\n",
    ),
    Mutant(
        "smaller pool replaces who goes",
        "crew",
        "elif not slot.wanted or slot.resting:",
        "elif slot.resting:",
    ),
    Mutant(
        "smaller pool wakes up who is not wanted",
        "staffing",
        "            self.asleep.pop(slot.worker.slot, None)\n",
        "            pass\n",
    ),
    Mutant(
        "who is not wanted falls asleep",
        "crew",
        "if state is SlotState.DORMANT and slot.wanted:",
        "if state is SlotState.DORMANT:",
    ),
    Mutant(
        "larger pool has no more workers",
        "staffing",
        "        if slot.state is SlotState.DORMANT and wanted:\n            self.spawn(slot)",
        "        if slot.state is SlotState.DORMANT and wanted:\n            pass",
    ),
    Mutant(
        "larger pool forgets slots that were given up",
        "staffing",
        "        elif slot.state is SlotState.RETIRED and wanted:\n            self.spawn(slot)",
        "        elif slot.state is SlotState.RETIRED and wanted:\n            pass",
    ),
    Mutant(
        "larger pool has no deadlines for new slots",
        "staffing",
        "        self.deadlines.grow(len(self.slots))\n",
        "",
    ),
    Mutant(
        "smaller pool counts slots that are not wanted",
        "staffing",
        "        self.wanted = size\n",
        "",
    ),
    Mutant(
        "smaller pool counts what was given up before",
        "staffing",
        "slot.wanted and slot.state is SlotState.RETIRED",
        "slot.state is SlotState.RETIRED",
    ),
    Mutant(
        "broken pool grows",
        "worker_events",
        "if not self.closing and not self.broken:",
        "if not self.closing:",
    ),
    Mutant(
        "closing pool grows",
        "worker_events",
        "if not self.closing and not self.broken:",
        "if not self.broken:",
    ),
    Mutant(
        "restart kills nobody's patience",
        "staffing",
        "            slot.failures = 0\n",
        "",
    ),
    Mutant(
        "restart spares the busy",
        "staffing",
        "(SlotState.STARTING, SlotState.BUSY):",
        "(SlotState.STARTING,):",
    ),
    Mutant(
        "restart spares who is just starting",
        "staffing",
        "(SlotState.STARTING, SlotState.BUSY):",
        "(SlotState.BUSY,):",
    ),
    Mutant(
        "restart spares the idle",
        "staffing",
        'self.stop(slot, "restart")',
        "pass",
    ),
    Mutant(
        "restart waits out backoffs",
        "staffing",
        "(SlotState.VACANT, SlotState.RETIRED) and slot.wanted",
        "(SlotState.RETIRED,) and slot.wanted",
    ),
    Mutant(
        "restart forgets what was given up",
        "staffing",
        "(SlotState.VACANT, SlotState.RETIRED) and slot.wanted",
        "(SlotState.VACANT,) and slot.wanted",
    ),
    Mutant(
        "restart starts who is not wanted",
        "staffing",
        "(SlotState.VACANT, SlotState.RETIRED) and slot.wanted",
        "(SlotState.VACANT, SlotState.RETIRED)",
    ),
    Mutant(
        "restarted pool stays broken",
        "worker_events",
        "            self.broken = False\n",
        "",
    ),
    Mutant(
        "closing pool restarts",
        "worker_events",
        "if not self.closing:\n            self.broken",
        "if True:\n            self.broken",
    ),
    Mutant(
        "close forgets who sleeps",
        "pool",
        "elif slot.state in (SlotState.VACANT, SlotState.DORMANT):",
        "elif slot.state is SlotState.VACANT:",
    ),
    # -- limits and silence
    Mutant(
        "run time is unlimited",
        "actions",
        "task.limit_due = self._crew.now + task.timeout",
        "task.limit_due = math.inf",
    ),
    Mutant(
        "grace of a timed out task never ends",
        "pool",
        "self._interrupt(slot, task, self.config.interrupt_grace, Outcome.TIMED_OUT)",
        "self._interrupt(slot, task, math.inf, Outcome.TIMED_OUT)",
    ),
    Mutant(
        "timed out task is killed without grace",
        "pool",
        "self._interrupt(slot, task, self.config.interrupt_grace, Outcome.TIMED_OUT)",
        "self._interrupt(slot, task, 0.0, Outcome.TIMED_OUT)",
    ),
    Mutant(
        "time out puts off a forced end",
        "pool",
        "            task.limit_due = math.inf\n",
        "            task.limit_due = task.force_due = math.inf\n",
    ),
    Mutant(
        "force_after is ignored",
        "pool",
        "self._interrupt(task.slot, task, event.force_after, Outcome.CANCELED)",
        "self._interrupt(task.slot, task, math.inf, Outcome.CANCELED)",
    ),
    Mutant(
        "the last patience holds instead of the shortest",
        "actions",
        "if self._crew.now + grace < task.force_due:",
        "if grace < math.inf:",
    ),
    Mutant(
        "forced end does not move the deadline earlier",
        "actions",
        "            self._crew.arm(slot)\n        if task.interrupted",
        "        if task.interrupted",
    ),
    Mutant(
        "forced end is no deadline of the slot",
        "slot",
        "min(self.state_due, task.limit_due, task.force_due, self.stall_due)",
        "min(self.state_due, task.limit_due, self.stall_due)",
    ),
    Mutant(
        "forced end is called lost",
        "pool",
        "self._kill(slot, task.force_outcome,",
        "self._kill(slot, Outcome.LOST,",
    ),
    Mutant(
        "silence is not reset by a message",
        "pool",
        "            slot.state_due = self._crew.now + self.config.worker_timeout\n",
        "            pass\n",
    ),
    Mutant(
        "silence is no matter",
        "actions",
        'self._crew.move(slot, SlotState.BUSY, self.config.worker_timeout, "dispatch")',
        'self._crew.move(slot, SlotState.BUSY, math.inf, "dispatch")',
    ),
    Mutant(
        "silence is reset by anybody",
        "pool",
        "slot = self._crew.busy_with(event)\n        if slot:",
        "slot = self._crew.live(event.worker)\n        if slot:",
    ),
    Mutant(
        "silence goes before what was due earlier",
        "pool",
        "if slot.state_due == slot.due:",
        "if slot.state_due <= self._crew.now:",
    ),
    # -- death and replacement
    Mutant(
        "unlimited restarts",
        "crew",
        "slot.failures > self.config.restart_limit",
        "slot.failures > self.config.restart_limit + 99",
    ),
    Mutant(
        "one restart too few",
        "crew",
        "slot.failures > self.config.restart_limit",
        "slot.failures >= self.config.restart_limit",
    ),
    Mutant(
        "failures are not counted",
        "crew",
        "        slot.failures += not slot.blameless\n",
        "",
    ),
    Mutant(
        "task is not to blame for the death of its worker",
        "worker_events",
        "            slot.blameless = True\n            self._conclude(task, Outcome.LOST",
        "            self._conclude(task, Outcome.LOST",
    ),
    Mutant(
        "kill because of a task counts as a failure",
        "actions",
        "        slot.blameless = slot.blameless or task is not None\n",
        "",
    ),
    Mutant(
        "once blameless, always blameless",
        "slot",
        "        self.blameless = False  #:",
        "        self.blameless = getattr(self, 'blameless', False)  #:",
    ),
    Mutant(
        "no backoff",
        "policy",
        "if failures == 0:",
        "if failures >= 0:",
    ),
    Mutant(
        "backoff does not grow",
        "policy",
        "min(failures - 1, 30)",
        "min(failures - 1, 0)",
    ),
    Mutant(
        "backoff is not capped",
        "policy",
        "min(self.backoff_cap, self.backoff_base",
        "min(math.inf, self.backoff_base",
    ),
    Mutant(
        "backoff after a task's own crash",
        "crew",
        "0.0 if slot.blameless else self.config.backoff(slot.failures)",
        "self.config.backoff(slot.failures)",
    ),
    Mutant(
        "backoff never ends",
        "crew",
        "self.move(slot, SlotState.VACANT, pause,",
        "self.move(slot, SlotState.VACANT, pause and math.inf,",
    ),
    Mutant(
        "task that ends does not wipe the slate",
        "pool",
        "        slot.failures = 0\n",
        "",
    ),
    Mutant(
        "long life does not wipe the slate",
        "crew",
        "            slot.failures = 0\n",
        "            pass\n",
    ),
    Mutant(
        "time to die counts as life",
        "crew",
        "        if slot.state is not SlotState.KILLING:\n            self._judge(slot)\n",
        "        self._judge(slot)\n",
    ),
    Mutant(
        "boot never ends",
        "crew",
        "self.move(slot, SlotState.STARTING, self.config.startup_timeout,",
        "self.move(slot, SlotState.STARTING, math.inf,",
    ),
    Mutant(
        "fault is ignored",
        "worker_events",
        "            self._kill(slot, Outcome.LOST, event.reason)\n",
        "            pass\n",
    ),
    Mutant(
        "every fault kills again",
        "worker_events",
        "if slot and slot.state is not SlotState.KILLING:",
        "if slot:",
    ),
    Mutant(
        "kill is not retried",
        "crew",
        "slot.state_due = self.now + self.config.kill_retry",
        "slot.state_due = math.inf",
    ),
    Mutant(
        "kill_limit is ignored",
        "pool",
        "if slot.kills >= self.config.kill_limit:",
        "if slot.kills >= 1_000_000:",
    ),
    Mutant(
        "kills of earlier processes count",
        "slot",
        "        self.kills = 0\n",
        "        self.kills = getattr(self, 'kills', 0)\n",
    ),
    Mutant(
        "broken pool keeps its queue",
        "pool",
        "            self._empty_queue(Outcome.BROKEN)\n",
        "",
    ),
    Mutant(
        "broken pool accepts tasks",
        "pool",
        "        elif self.broken:\n            self._resolve(task, Outcome.BROKEN)\n",
        "",
    ),
    Mutant(
        "broken again and again",
        "pool",
        "            self.broken = True\n            self._crew",
        "            self._crew",
    ),
    # -- close
    Mutant(
        "close keeps the queue",
        "pool",
        "        self._empty_queue(Outcome.CLOSED)\n",
        "",
    ),
    Mutant(
        "closing pool accepts tasks",
        "pool",
        "        if self.closing:\n            self._resolve(task, Outcome.CLOSED)\n        elif",
        "        if",
    ),
    Mutant(
        "closing pool respawns",
        "worker_events",
        "self._crew.vacate(slot, replace=not self.closing)\n\n    def _on_worker_faulted",
        "self._crew.vacate(slot, replace=True)\n\n    def _on_worker_faulted",
    ),
    Mutant(
        "closing pool respawns what it gave up",
        "pool",
        "self._crew.vacate(slot, replace=not self.closing)\n        else",
        "self._crew.vacate(slot, replace=True)\n        else",
    ),
    Mutant(
        "close waits for slow starters",
        "pool",
        '                self._kill(slot, Outcome.CLOSED, "the pool is closing")\n',
        "                pass\n",
    ),
    Mutant(
        "close forgets planned starts",
        "pool",
        '                self._crew.retire(slot, "closing")\n',
        "                pass\n",
    ),
    Mutant(
        "close does not interrupt",
        "pool",
        "                self._interrupt(slot, slot.task, event.grace, Outcome.CLOSED)\n",
        "                pass\n",
    ),
    Mutant(
        "grace of close never ends",
        "pool",
        "self._interrupt(slot, slot.task, event.grace, Outcome.CLOSED)",
        "self._interrupt(slot, slot.task, math.inf, Outcome.CLOSED)",
    ),
    Mutant(
        "idle worker is not stopped on close",
        "pool",
        "        while idle and self.closing:\n"
        '            self._crew.stop(idle[next(reversed(idle))], "closing")\n',
        "",
    ),
    Mutant(
        "stop never ends",
        "crew",
        "self.move(slot, SlotState.STOPPING, self.config.stop_grace,",
        "self.move(slot, SlotState.STOPPING, math.inf,",
    ),
    Mutant(
        "closed is not announced",
        "pool",
        "self._crew.commands.append(AnnounceClosed())\n",
        "pass\n",
    ),
    Mutant(
        "closed is announced again and again",
        "pool",
        "            self.closed = True\n",
        "",
    ),
    Mutant(
        "closed before the last process is gone",
        "pool",
        "if self._crew.retired == len(self.slots) and not self.closed:",
        "if self._crew.retired and not self.closed:",
    ),
    # -- the machinery
    Mutant(
        "settle skipped after an exit",
        "pool",
        "        self._settle()\n        return",
        "        if type(event) is not WorkerExited:\n            self._settle()\n        return",
    ),
    Mutant(
        "settle skipped after an end",
        "pool",
        "        self._settle()\n        return",
        "        if type(event) is not TaskEnded:\n            self._settle()\n        return",
    ),
    Mutant(
        "time does not pass",
        "pool",
        "            self._expire()\n",
        "            pass\n",
    ),
    Mutant(
        "deadline not armed with the state",
        "crew",
        "        slot.state_due = self.now + due_in\n        self.arm(slot)\n",
        "        slot.state_due = self.now + due_in\n",
    ),
    Mutant(
        "deadline not armed when it moves earlier",
        "deadlines",
        "if due >= self._armed[index]:",
        "if self._armed[index] < math.inf:",
    ),
    Mutant(
        "deadline that moved later is forgotten",
        "pool",
        "            self._crew.arm(slot)\n        while",
        "        while",
    ),
    Mutant(
        "deadline that moved later strikes early",
        "pool",
        "            if slot.due <= self._crew.now:\n",
        "            if slot.due < math.inf:\n",
    ),
    Mutant(
        "old deadlines are not swept",
        "deadlines",
        "            self._sweep()\n",
        "            pass\n",
    ),
    Mutant(
        "sweep forgets",
        "deadlines",
        "enumerate(self._armed) if due < math.inf]",
        "enumerate(self._armed) if due < math.inf][1:]",
    ),
    Mutant(
        "moment of an entry that was swept counts",
        "deadlines",
        "        heapq.heapify(self._heap)\n        self.first = self._heap[0][0]",
        "        heapq.heapify(self._heap)\n        self.first = self.first",
    ),
    Mutant(
        "closed pool wants to be woken",
        "pool",
        "self._crew.deadlines.clear()\n",
        "pass\n",
    ),
    Mutant(
        "busy worker counts as idle",
        "crew",
        "            del self.idle[slot.worker.slot]\n",
        "            pass\n",
    ),
    # -- sent ahead
    Mutant(
        "sent ahead though it may be long",
        "credit",
        "if expected >= self.config.credit or task.timeout < math.inf:",
        "if task.timeout < math.inf:",
    ),
    Mutant(
        "sent ahead with a time limit",
        "credit",
        "if expected >= self.config.credit or task.timeout < math.inf:",
        "if expected >= self.config.credit:",
    ),
    Mutant(
        "more than a moment of work sent ahead",
        "credit",
        "return slot.load < self.config.credit and slot.calls < self.config.credit_limit",
        "return slot.calls < self.config.credit_limit",
    ),
    Mutant(
        "sent ahead in spite of limits",
        "credit",
        "self._lends = unlimited and config.credit_limit > 1",
        "self._lends = config.credit_limit > 1",
    ),
    Mutant(
        "bound tasks kept waiting by what is sent ahead",
        "actions",
        "        self._crew.fill(slot)\n",
        "",
    ),
    Mutant(
        "a worker that is to go gets more",
        "staffing",
        "                slot.leaving = True\n                self.fill(slot)\n",
        "                slot.leaving = True\n",
    ),
    Mutant(
        "a worker that is to go gets more after what is bound to it",
        "credit",
        "slot.full = bool(slot.bound) or self._crew.why_to_go(slot) is not None",
        "slot.full = bool(slot.bound)",
    ),
    Mutant(
        "a worn worker that keeps nothing any more gets more",
        "crew",
        "        if slot.state is SlotState.BUSY and self.why_to_go(slot):\n"
        "            self.fill(slot)\n        elif",
        "        if",
    ),
    Mutant(
        "a worn worker that keeps values gets nothing ahead",
        "crew",
        "if slot.state is SlotState.BUSY and self.why_to_go(slot):",
        "if slot.state is SlotState.BUSY:",
    ),
    Mutant(
        "an end before its turn accepted",
        "credit",
        "slot.state is SlotState.KILLING and task.attempt == event.attempt",
        "task.attempt == event.attempt",
    ),
    Mutant(
        "a stale end of a worker that is being killed accepted",
        "credit",
        "slot.state is SlotState.KILLING and task.attempt == event.attempt",
        "slot.state is SlotState.KILLING",
    ),
    Mutant(
        "nobody is told that the next one began",
        "credit",
        "        crew.commands.append(StartTask(slot.worker, task.id, task.attempt))\n",
        "",
    ),
    Mutant(
        "what was sent ahead is canceled by the queue",
        "credit",
        "            task.interrupted = task.interrupted or outcome\n",
        "",
    ),
    Mutant(
        "a canceled one that began is not told",
        "credit",
        "        if task.interrupted:\n            crew",
        "        if False:\n            crew",
    ),
    Mutant(
        "nobody looks whether something came back",
        "credit",
        "        self._crew.commands.append(CheckWorker(slot.worker))\n",
        "",
    ),
    Mutant(
        "looked for as often for ever",
        "credit",
        "self.config.stall_timeout * 2.0 ** min(slot.looks, LOOKS)",
        "self.config.stall_timeout",
    ),
    Mutant(
        "never taken for a long task",
        "credit",
        "        slot.looks += 1\n",
        "",
    ),
    Mutant(
        "what waits behind a long task stays there",
        "pool",
        "        if self._crew.stuck and (idle or self._crew.asleep):\n"
        "            self._reclaim_stuck()\n",
        "",
    ),
    Mutant(
        "reclaimed while nobody is idle",
        "pool",
        "if self._crew.stuck and (idle or self._crew.asleep):",
        "if self._crew.stuck:",
    ),
    Mutant(
        "put back in the wrong order",
        "credit",
        "for task in reversed(tasks[begun:]):",
        "for task in tasks[begun:]:",
    ),
    Mutant(
        "all that a dead worker had counts as begun",
        "credit",
        "for i, t in enumerate(tasks) if (t.id, t.attempt) == last), 0)",
        "for i, t in enumerate(tasks)), 0)",
    ),
    Mutant(
        "what a dead worker had begun runs again",
        "credit",
        "for i, t in enumerate(tasks) if (t.id, t.attempt) == last), 0)",
        "for i, t in enumerate(tasks) if t.id == -1), 0)",
    ),
    Mutant(
        "the task before those that began is put back",
        "worker_events",
        "if task and not further and event.started",
        "if task and event.started",
    ),
    Mutant(
        "a kill leaves behind what was sent ahead",
        "credit",
        "        if slot.has_more() and slot.state is SlotState.BUSY:\n"
        "            self._reclaim(slot)\n        super()",
        "        super()",
    ),
    Mutant(
        "what ended before the kill is dropped",
        "pool",
        "            self._end_ahead(event)",
        "            pass",
    ),
    Mutant(
        "a slot that can't be vacated keeps what was sent ahead",
        "pool",
        '            self._lose_ahead(slot, self._last_sent(slot), "it could not be killed")\n',
        "",
    ),
    Mutant(
        "closing forgets what was sent ahead",
        "pool",
        "            self._interrupt_ahead(slot, event.grace, Outcome.CLOSED, "
        "*slot.ahead.values())\n",
        "",
    ),
    Mutant(
        "closing forgets what a worker has that is being killed",
        "pool",
        "            self._interrupt_ahead(slot, event.grace, Outcome.CLOSED, "
        "*slot.ahead.values())\n",
        "            if slot.task:\n                self._interrupt_ahead(slot, event.grace, "
        "Outcome.CLOSED, *slot.ahead.values())\n",
    ),
    Mutant(
        "a stale return accepted",
        "credit",
        "if task is not None and task.attempt == event.attempt:",
        "if task is not None:",
    ),
    Mutant(
        "short tasks wait for an idle worker",
        "pool",
        "        if self.ready and self._crew.roomy:\n            self._send_ahead()\n",
        "",
    ),
    Mutant(
        "workers are woken for a moment's work",
        "pool",
        "            if self._crew.roomy and self._share():\n                continue\n",
        "",
    ),
    Mutant(
        "idle workers are not woken while others can have more",
        "credit",
        " or slot.load + expected > self.config.wake:",
        ":",
    ),
    Mutant(
        "tasks with a time limit are shared",
        "credit",
        "if task.timeout < math.inf or slot.load",
        "if slot.load",
    ),
    # -- tasks of several calls
    Mutant(
        "several calls take no longer than one",
        "credit",
        "return self.paces.expect(task.kind) * task.calls",
        "return self.paces.expect(task.kind)",
    ),
    Mutant(
        "calls are not counted",
        "credit",
        "return slot.load < self.config.credit and slot.calls < self.config.credit_limit",
        "return slot.load < self.config.credit",
    ),
    Mutant(
        "calls that joined are not counted",
        "pool",
        "            task.calls = event.calls\n",
        "            pass\n",
    ),
    Mutant(
        "calls that have ended are still counted",
        "credit",
        "        slot.calls -= done.calls\n",
        "",
    ),
    Mutant(
        "what comes back goes last",
        "pool",
        "            if event.first:\n",
        "            if False:\n",
    ),
    Mutant(
        "nobody looks after calls behind the first",
        "credit",
        "        if task.calls > 1:\n            self._expect_news(slot)\n        if self._lends",
        "        if self._lends",
    ),
    Mutant(
        "calls that end are no sign of life",
        "credit",
        "            return\n"
        "        slot.state_due = self._crew.now + self.config.worker_timeout\n",
        "            return\n",
    ),
    Mutant(
        "calls that end do not put off the look",
        "credit",
        "        if slot.task is not None and slot.task.calls > 1:\n"
        "            self._expect_news(slot)\n",
        "",
    ),
    Mutant(
        "a worker that got going again is still stuck",
        "credit",
        "        self._crew.stuck.pop(slot.worker.slot, None)\n        if slot.task is not None",
        "        if slot.task is not None",
    ),
    Mutant(
        "taken back again and again",
        "credit",
        "            slot.task.calls = 1\n",
        "            pass\n",
    ),
    Mutant(
        "closing forgets the calls behind the first",
        "pool",
        "            if slot.task and slot.task.calls > 1:\n                self._reclaim(slot)\n",
        "",
    ),
    Mutant(
        "nothing is taken back when somebody asks",
        "credit",
        "        if task and task.slot and task.slot.state is SlotState.BUSY:\n"
        "            self._reclaim(task.slot)\n",
        "        pass\n",
    ),
    Mutant(
        "the next worker is looked after because of the last",
        "credit",
        "        slot.stall_due = math.inf\n        super()._dispatch",
        "        super()._dispatch",
    ),
]


def source_of(module: str) -> str:
    path = importlib.import_module(f"wetlands.core.{module}").__file__
    assert path is not None
    return Path(path).read_text(encoding="utf-8")


def mutated_source(mutant: Mutant) -> str:
    source = source_of(mutant.module)
    assert source.count(mutant.old) == 1, f"{mutant.name}: applies {source.count(mutant.old)} times"
    return source.replace(mutant.old, mutant.new)


@contextmanager
def loaded(mutant: Mutant) -> Iterator[dict[str, types.ModuleType]]:
    """Load the core with the mutation, as modules that nobody else can import afterwards."""
    package = "wetlands_core_mutant"
    names = [package, *(f"{package}.{module}" for module in MODULES)]
    sys.modules[package] = types.ModuleType(package)
    try:
        for module in MODULES:
            source = mutated_source(mutant) if module == mutant.module else source_of(module)
            for other in MODULES:
                source = source.replace(
                    f"wetlands.core.{other} import", f"{package}.{other} import"
                )
            name = f"{package}.{module}"
            loading = sys.modules[name] = types.ModuleType(name)
            exec(compile(source, f"<{mutant.name}: {module}.py>", "exec"), loading.__dict__)
        yield {module: sys.modules[f"{package}.{module}"] for module in MODULES}
    finally:
        for name in names:
            sys.modules.pop(name, None)
