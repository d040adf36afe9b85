"""NumPy's random generators, by their state: what they give next is the same on the other side."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Bit generators, and the highest position in the buffer that their state may name: NumPy itself
#: does not look, and would read beyond it.
_KINDS = {"MT19937": 624, "PCG64": 0, "PCG64DXSM": 0, "Philox": 4, "SFC64": 0}


def reduce_generator(protocol: int, generator: Any) -> Any:
    """Take a `Generator` apart."""
    return build_generator, (generator.bit_generator,)


def build_generator(bits: Any) -> Any:
    """Make a `Generator`."""
    return np.random.Generator(bits)


def reduce_random_state(protocol: int, generator: Any) -> Any:
    """Take a `RandomState` apart."""
    return build_random_state, (_plain(generator.get_state(legacy=False)),)


def build_random_state(state: dict[str, Any]) -> Any:
    """Make a `RandomState`."""
    _check(state)
    if state["bit_generator"] != "MT19937":
        bits = getattr(np.random, state["bit_generator"])()
    else:
        bits = np.random.MT19937(0)
    generator = np.random.RandomState(bits)
    generator.set_state(state)
    return generator


def reduce_bit_generator(protocol: int, bits: Any) -> Any:
    """Take a bit generator apart; the seeds of its children belong to it."""
    kind = type(bits).__name__
    if kind not in _KINDS:
        return bits.__reduce__()
    seeds = getattr(bits, "seed_seq", None) or getattr(bits, "_seed_seq", None)
    known = seeds if type(seeds) is np.random.SeedSequence else None
    return build_bit_generator, (_plain(bits.state), known)


def build_bit_generator(state: dict[str, Any], seeds: Any) -> Any:
    """Make a bit generator."""
    _check(state)
    cls = getattr(np.random, state["bit_generator"], None)
    if cls is None:
        raise TypeError(f"NumPy {np.__version__} has no {state['bit_generator']}")
    bits = cls(0 if seeds is None else seeds)
    bits.state = state
    return bits


def reduce_seed_sequence(protocol: int, seeds: Any) -> Any:
    """Take a `SeedSequence` apart."""
    state = dict(seeds.state)
    entropy = state["entropy"]
    if isinstance(entropy, np.ndarray):
        state["entropy"] = entropy.tolist()
    return build_seed_sequence, (state,)


def build_seed_sequence(state: dict[str, Any]) -> Any:
    """Make a `SeedSequence`."""
    names = ("entropy", "spawn_key", "pool_size", "n_children_spawned")
    if not 0 < state["pool_size"] <= 1024:
        raise ValueError("no pool of a SeedSequence")
    return np.random.SeedSequence(**{name: state[name] for name in names})


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Copy a state: what is in it may be NumPy's own scalars, or change meanwhile."""
    return {
        key: _plain(value)
        if isinstance(value, dict)
        else value.copy()
        if isinstance(value, np.ndarray)
        else value
        for key, value in state.items()
    }


def _check(state: dict[str, Any]) -> None:
    kind = state["bit_generator"]
    if kind not in _KINDS:
        raise ValueError(f"no bit generator: {kind!r}")
    inner = state["state"]
    position = inner.get("pos", 0) if kind == "MT19937" else state.get("buffer_pos", 0)
    if not 0 <= position <= _KINDS[kind]:
        raise ValueError("a position outside the buffer of a bit generator")
    for name, length in (("key", 624 if kind == "MT19937" else 2), ("counter", 4)):
        if name in inner and len(inner[name]) != length:
            raise ValueError(f"the {name} of a {kind} must have {length} parts")
    if kind == "Philox" and len(state["buffer"]) != 4:
        raise ValueError("the buffer of a Philox must have 4 parts")
