"""What may happen in a world by chance: for Hypothesis, and for walks that are much quicker.

Hypothesis looks for short examples and remembers them, which is worth its time where a failure is
news. Where a failure is certain, and the question is only whether it is seen, as with a core that
was broken on purpose, a walk at random will do. Both take the same rules: those of a class whose
methods have the decorators of this module.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import hypothesis.strategies as st
from hypothesis import stateful


class Chance(NamedTuple):
    """A value that is drawn."""

    strategy: st.SearchStrategy[Any]
    draw: Callable[[Random], Any]


class Rule(NamedTuple):
    """A method that may be called at any time, with values that are drawn."""

    name: str
    chances: dict[str, Chance]


def one_of(*values: Any) -> Chance:
    """Any of these, each as likely as the others."""
    return Chance(st.sampled_from(values), lambda random: random.choice(values))


def whole(first: int, last: int) -> Chance:
    return one_of(*range(first, last + 1))


def some_of(*values: Any, least: int, most: int) -> Chance:
    """A list of so many of these, where each may occur several times."""
    strategy = st.lists(st.sampled_from(values), min_size=least, max_size=most)
    return Chance(strategy, lambda random: random.choices(values, k=random.randint(least, most)))


def made(make: Callable[..., Any], **parts: Chance) -> Chance:
    """What a function makes of other values that are drawn."""
    strategy = st.builds(make, **{name: part.strategy for name, part in parts.items()})
    return Chance(strategy, lambda random: make(**drawn(parts, random)))


def or_none(chance: Chance) -> Chance:
    strategy = st.none() | chance.strategy
    return Chance(strategy, lambda random: chance.draw(random) if random.random() < 0.5 else None)


def drawn(chances: dict[str, Chance], random: Random) -> dict[str, Any]:
    return {name: chance.draw(random) for name, chance in chances.items()}


def first(**chances: Chance) -> Callable[[Any], Any]:
    """Call the method before all others."""
    return _marked(stateful.initialize, "first", chances)


def rule(**chances: Chance) -> Callable[[Any], Any]:
    """Call the method at any time; it does nothing if there is nothing for it to do."""
    return _marked(stateful.rule, "rule", chances)


def always(check: Any) -> Any:
    """Call the method after each of the others."""
    return _marked(lambda: stateful.invariant(), "always", {})(check)


def _marked(decorate: Any, mark: str, chances: dict[str, Chance]) -> Callable[[Any], Any]:
    def decorator(function: Any) -> Any:
        strategies = {name: chance.strategy for name, chance in chances.items()}
        method = decorate(**strategies)(function)
        method.by_chance = (mark, Rule(function.__name__, chances))
        return method

    return decorator


def rules_of(world: type, mark: str) -> list[Rule]:
    marks = (getattr(member, "by_chance", None) for _, member in inspect.getmembers(world))
    return [found[1] for found in marks if found and found[0] == mark]


def walk(world: type, seed: int, steps: int) -> None:
    """Take so many steps in a new world, and have it check itself at the end of each.

    Every walk does without some of the rules, so that others get to their ends.
    """
    random, here = Random(seed), world()
    share = random.random()
    rules, checks = rules_of(world, "rule"), rules_of(world, "always")
    rules = [rule for rule in rules if random.random() < share] or rules
    for step in [*rules_of(world, "first"), *random.choices(rules, k=steps)]:
        getattr(here, step.name)(**drawn(step.chances, random))
        for check in checks:
            getattr(here, check.name)()
    here.teardown()
