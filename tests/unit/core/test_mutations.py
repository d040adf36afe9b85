"""The test of the test: break the core on purpose, and see the state machine notice."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test
from pool_machine import PoolMachine
from pool_mutants import MODULES, MUTANTS, Mutant, loaded, mutated_source

#: Those that the first few examples catch, of different kinds.
SAMPLE = [
    "dead incarnation accepted",
    "unlimited restarts",
    "closing forgets the calls behind the first",
    "deadline not armed when it moves earlier",
]


def examples_until_caught(mutant: Mutant, limit: int) -> int | None:
    """Return how many examples it took, or None when the mutant survived ``limit`` of them."""
    machines: list[PoolMachine] = []
    with loaded(mutant) as core:

        class MutantMachine(PoolMachine):
            core_type = core["pool"].PoolCore
            config_type = core["policy"].PoolConfig

            def __init__(self):
                super().__init__()
                machines.append(self)

        hunt = settings(
            max_examples=limit,
            stateful_step_count=50,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(MutantMachine, settings=hunt)
        except Exception:  # whatever it is: an oracle, or the core itself in its confusion
            return len(machines)
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutation_applies_once_and_compiles(mutant):
    compile(mutated_source(mutant), mutant.name, "exec")


def test_a_core_that_is_not_broken_passes():
    harmless = Mutant("nothing", "worker_events", '"hello")', '"hello again")')
    assert harmless.module in MODULES
    assert examples_until_caught(harmless, 20) is None


@pytest.mark.parametrize("name", SAMPLE)
def test_the_state_machine_catches_a_broken_core(name):
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == name]
    assert examples_until_caught(mutant, 300) is not None


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_state_machine_catches_every_broken_core(mutant):
    assert examples_until_caught(mutant, 2000) is not None, "an oracle is missing"
