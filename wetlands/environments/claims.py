"""Who may do what with an environment's folder, among all processes and threads.

Two locks an environment keep two questions apart. ``build.lock`` (exclusive) answers "who makes,
extends or removes it?": whoever waits for it waits for a builder, which ends. ``use.lock``
(shared) answers "who uses it?": workers hold it for as long as they live, so nobody waits for it,
and whoever must change the prefix is told that it is in use. With one lock for both, a waiter
could not tell a build that is about to finish from a pool that runs for a week.

The order is always ``build.lock``, then ``use.lock``, and what was read before a lock was got is
read again after. Locks are the kernel's: a killed process frees them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from wetlands.environments.disk import explained, make_folder
from wetlands.environments.flock import FileLock, Lease
from wetlands.environments.layout import Layout
from wetlands.environments.progress import Reporter, Stage
from wetlands.environments.upkeep.last_use import note_use
from wetlands.errors import EnvironmentInUseError

_ATTEMPTS = 100


@contextlib.contextmanager
def building(layout: Layout, reporter: Reporter | None) -> Iterator[FileLock]:
    """Be the only one who changes the environment.

    Args:
        layout: The environment.
        reporter: Told when another builder has to be waited for; without it nobody waits.

    Raises:
        EnvironmentInUseError: There is another builder, and no reporter.
        ProvisioningError: The folder can't be written.
    """
    lock = FileLock(layout.build_lock)
    with explained("write to", layout.folder):
        for remaining in reversed(range(_ATTEMPTS)):
            make_folder(layout.folder)
            try:
                _acquire(lock, layout, reporter)
                break
            except FileNotFoundError:  # the folder was just deleted with the environment
                if not remaining:
                    raise
    with lock:
        yield lock


def _acquire(lock: FileLock, layout: Layout, reporter: Reporter | None) -> None:
    if lock.acquire(block=False):
        return
    if reporter is None:
        raise EnvironmentInUseError(
            f"environment {layout.folder.name!r} is being built or extended by another process or "
            "thread: try again when it is done"
        )
    reporter.stage(Stage.WAITING, "waiting for another process that is working on it")
    reporter.cancellation.acquire(lock)


@contextlib.contextmanager
def unused(layout: Layout) -> Iterator[FileLock]:
    """Be sure, as the builder, that nobody uses the prefix, and that nobody begins to.

    Raises:
        EnvironmentInUseError: Somebody uses it.
    """
    with FileLock(layout.use_lock) as lock:
        if not lock.acquire(block=False):
            raise EnvironmentInUseError(
                f"environment {layout.folder.name!r} is in use: workers of this or another process "
                "run in it. End them first (Environment.exit()), or use another name"
            )
        yield lock


def take_lease(layout: Layout) -> Lease:
    """Keep the prefix from being replaced or removed.

    Raises:
        FileNotFoundError: There is no such environment.
        EnvironmentInUseError: It is being changed right now.
    """
    lock = FileLock(layout.use_lock)
    if not layout.marker.exists():
        raise FileNotFoundError(layout.marker)
    if not lock.acquire(shared=True, block=False):
        raise EnvironmentInUseError(
            f"environment {layout.folder.name!r} is being built, replaced or deleted right now: "
            "call create() to wait for it"
        )
    note_use(layout)
    return Lease(lock, on_close=lambda: note_use(layout))
