"""What `Environment.launch()` was asked for, checked and made into a plan for workers."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wetlands import activation
from wetlands.core.policy import PoolConfig
from wetlands.environments.registry import Prefix, Registry
from wetlands.errors import ConfigurationError
from wetlands.options import count, limit, positive
from wetlands.portable import told
from wetlands.runtime.launcher import WorkerPlan, base_environ, same_minor
from wetlands.target import encode_arguments, find_target
from worker_entry.codec import Codec

#: The least seconds after which a worker is taken for frozen.
LEAST_FROZEN = 0.01
#: Returns environment variables for a worker's number.
WorkerEnv = Callable[[int], Mapping[str, str]]


def make_plan(
    prefix: Prefix,
    registry: Registry,
    size: int,
    worker_env: WorkerEnv | None,
    activate: list[str],
    max_shared_memory: int | None,
    trust: str,
) -> WorkerPlan:
    """Return what the workers of an environment are started with.

    Args:
        prefix: The environment on disk.
        registry: What provides a pyzmq, and keeps the environment from being changed.
        size: How many workers.
        worker_env: The user's function.
        activate: Shell commands whose effect on environment variables the workers get.
        max_shared_memory: Bytes that large values may take in shared memory; None: half of it.
        trust: "full" or "data".

    Raises:
        ConfigurationError: ``worker_env`` returned something else than strings.
        WorkerStartError: A command, or an activation script, failed.
        EnvironmentBuildError: pyzmq could not be provided.
    """
    python = prefix.interpreter
    base = registry.activated(prefix, base_environ(prefix.path, python.executable))
    environ = activation.apply(activate, base, python.executable)

    # The user's code, and what may fail, before the lease, which somebody must give back.
    def environ_of(slot: int) -> Mapping[str, str]:
        return {**environ, **_variables(worker_env, slot)}

    per_worker = tuple(environ_of(slot) for slot in range(size))
    sidecar = registry.sidecar(python)
    return WorkerPlan(
        environment=prefix.name,
        executable=python.executable,
        environ=per_worker,
        environ_of=environ_of,
        sidecar=sidecar,
        pickle_protocol=min(pickle.HIGHEST_PROTOCOL, python.pickle_protocol),
        by_value=python.implementation == "CPython" and same_minor(python.version),
        lease=registry.lease(prefix.name) if prefix.managed else None,
        portable=tuple(told()),
        max_shared_memory=max_shared_memory,
        trust=trust,
    )


def make_config(
    *,
    max_workers: int,
    worker_timeout: float | None,
    frozen_timeout: float | None,
    startup_timeout: float,
    max_tasks_per_worker: int | None,
    max_memory_per_worker: int | None,
    idle_timeout: float | None,
) -> PoolConfig:
    """Return the limits of a pool, given as `Environment.launch()` takes them.

    Raises:
        ConfigurationError: One can't be right.
    """
    size = count("max_workers", max_workers)
    frozen = positive("frozen_timeout", frozen_timeout)
    if frozen < LEAST_FROZEN:  # somebody has to look twice in that time
        raise ConfigurationError(
            f"frozen_timeout must be {LEAST_FROZEN:g} seconds at least, or None"
        )
    shares = size / (os.cpu_count() or 1)
    return PoolConfig(
        size=size,
        # Where workers are more than processors, another one at work saves no time.
        wake=PoolConfig.credit if shares > 1 else PoolConfig.wake,
        startup_timeout=positive("startup_timeout", startup_timeout),
        worker_timeout=positive("worker_timeout", worker_timeout),
        frozen_timeout=frozen,
        max_tasks=limit("max_tasks_per_worker", max_tasks_per_worker),
        max_memory=limit("max_memory_per_worker", max_memory_per_worker),
        idle_timeout=positive("idle_timeout", idle_timeout),
        # Of many workers on few processors each has to wait for its turn, which is no stall.
        stall_timeout=PoolConfig.stall_timeout * max(1.0, shares),
    )


def initializer_call(
    codec: Codec,
    initializer: Any,
    initargs: Sequence[Any],
    place: str,
    version: tuple[int, int, int],
) -> tuple[Any, ...]:
    """Return the call that every worker makes before its first task.

    Raises:
        ConfigurationError: The initializer is no function.
        SerializationError: It, or an argument, can't be sent.
    """
    if not callable(initializer):
        kind = type(initializer).__name__
        raise ConfigurationError(f"initializer must be a function, not an object of type {kind}")
    found = find_target(initializer, None, codec, place, version)
    arguments, _ = encode_arguments(codec, initargs, None, found.label)
    return (*found.frames, *arguments)


def _variables(worker_env: WorkerEnv | None, slot: int) -> dict[str, str]:
    """Ask the user for one worker's variables; done once, so that replacements are alike."""
    if worker_env is None:
        return {}
    if not callable(worker_env):
        raise ConfigurationError(
            "worker_env must be a function of the worker's number, not an object of type "
            f"{type(worker_env).__name__}"
        )
    found: Any = worker_env(slot)
    if not isinstance(found, Mapping):
        # Without the value, here and below: it may be a secret.
        kind = type(found).__name__
        raise ConfigurationError(f"worker_env({slot}) must return a dict, not {kind}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError(
                f"worker_env({slot}) must map strings to strings; {name!r} is mapped to an object "
                f"of type {type(value).__name__}"
            )
    return dict(found)
