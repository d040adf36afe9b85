"""A world against the pool core: Hypothesis plays the user, the operating system and the clock.

After every step the core must agree with the books (`PoolBooks`); at the end the pool must drain,
and must be closable, in a world that behaves well and in worlds that do not.
"""

from __future__ import annotations

from chances import first, one_of, rule
from hypothesis.stateful import RuleBasedStateMachine
from pool_chances import CONFIGS, MAYBE, WORLDS
from pool_processes import Processes
from pool_relays import Relays
from pool_safety import Safety
from pool_standstill import Standstills
from pool_user import User

from wetlands.core import events as on
from wetlands.core.events import Outcome


class PoolWorld(User, Processes, Standstills, Relays, Safety):
    @first(
        config=CONFIGS,
        world=one_of(*WORLDS),
        warm=one_of(True, True, False),
        known=MAYBE,
        withholds=MAYBE,
    )
    def open_pool(self, config, world, warm, known, withholds):
        self.world = world
        self.open_books(config)
        self.withholds = withholds
        if warm:
            self.run_smoothly()
        if warm and known:
            self.learn("quick")

    # -- time -------------------------------------------------------------------------------------

    @rule(dt=one_of(0.0, 0.5, 1.0, 3.0, 11.0, 40.0))
    def wait(self, dt):
        self.feed(on.ClockAdvanced(), delay=dt)

    @rule()
    def wait_for_the_next_deadline(self):
        due = self.core.next_deadline()
        if due is not None:
            self.feed(on.ClockAdvanced(), delay=max(0.0, due - self.now))

    # -- liveness: from every state that can be reached the pool drains, and can be closed ---------

    def teardown(self):
        if not getattr(self, "sound", False):
            return  # it failed already, or had not even begun
        if self.world == "fair":
            self.drain()
        self.close_for_good(grace=4.0)

    def drain(self):
        """Where processes boot, work and die when killed, every task ends."""
        for process in self.alive.values():
            process.undead = process.undead and process.kills > 0
        for _ in range(2000):
            if len(self.resolved) == len(self.timeouts):
                return
            self.step_or_wait()
        raise AssertionError("the pool stalls")

    def close_for_good(self, grace):
        """However processes behave, close ends in bounded time, and nothing is left behind."""
        start = self.now
        self.request_close(grace)
        for _ in range(2000):
            if "closed" in self.announced:
                break
            self.step_or_wait()
        config = self.config
        bound = grace + config.stop_grace + config.kill_retry * config.kill_limit
        assert self.now - start <= bound, "too late"
        assert self.announced.count("closed") == 1, list(self.core.story)[-6:]
        lost = set(self.timeouts) - set(self.resolved)
        assert not lost, "task lost"
        assert all(p.kills == config.kill_limit for p in self.alive.values()), "process leaked"
        assert self.core.next_deadline() is None

    def step_or_wait(self):
        if self.judged and self.world == "fair":
            self.decide(next(iter(self.judged)), again=True)
        elif not any(self.step(worker, process) for worker, process in list(self.alive.items())):
            due = self.core.next_deadline()
            assert due is not None, "nothing to wait for, and yet not at the end"
            self.feed(on.ClockAdvanced(), delay=max(0.0, due - self.now))
        self.check_everything()

    def step(self, worker, process) -> bool:
        """Let the process do what it does in this world; return whether it did anything."""
        if process.given_up:
            return False
        if self.world == "fair":
            return self.step_fairly(worker, process)
        if not process.undead and (
            self.world == "mortal" or (self.world == "hostile" and process.kills)
        ):
            self.exit(worker)
            return True
        if process.last:
            self.progress(worker)  # it is not silent at least
        return False

    def step_fairly(self, worker, process) -> bool:
        if process.kills or process.asked:
            if not process.undead:
                self.exit(worker)
            return not process.undead
        if not process.booted:
            self.boot_process(worker)
        elif process.held and not process.undead:
            self.end_task(worker, Outcome.COMPLETED)
        else:
            return False
        return True


class PoolMachine(PoolWorld, RuleBasedStateMachine):
    """The same, for Hypothesis."""
