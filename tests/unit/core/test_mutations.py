"""The test of the test: break the core on purpose, and see the world of `PoolWorld` notice.

A mutant that takes more than a few hundred walks needs a better rule, or a sharper check: all of
them together take three minutes, and should not take longer.
"""

from __future__ import annotations

import pytest
from chances import walk
from mutation import MODULES, Mutant, loaded, mutated_source
from pool_machine import PoolWorld
from pool_mutants import MUTANTS

#: Those that the first few walks catch, of different kinds.
SAMPLE = [
    "dead incarnation accepted",
    "unlimited restarts",
    "no relays",
    "deadline not armed when it moves earlier",
]


def walks_until_caught(mutant: Mutant, limit: int) -> int | None:
    """Return how many walks it took, or None when the mutant survived ``limit`` of them."""
    with loaded(mutant) as core:

        class MutantWorld(PoolWorld):
            core_type = core["pool"].PoolCore
            config_type = core["policy"].PoolConfig
            plan_type = core["policy"].RetryPlan

        for seed in range(limit):
            try:
                walk(MutantWorld, seed, steps=50)
            except Exception:  # whatever it is: an oracle, or the core itself in its confusion
                return seed + 1
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutation_applies_once_and_compiles(mutant):
    compile(mutated_source(mutant), mutant.name, "exec")


def test_a_core_that_is_not_broken_passes():
    harmless = Mutant("nothing", "worker_events", '"hello")', '"hello again")')
    assert harmless.module in MODULES
    assert walks_until_caught(harmless, 20) is None


@pytest.mark.parametrize("name", SAMPLE)
def test_a_walk_catches_a_broken_core(name):
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == name]
    assert walks_until_caught(mutant, 300) is not None


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_walk_catches_every_broken_core(mutant):
    assert walks_until_caught(mutant, 2000) is not None, "an oracle is missing"
