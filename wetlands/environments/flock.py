"""Locks among processes that end with the process, whatever ends it.

The lock is the kernel's and belongs to an open file, so there is nothing to clean up after a crash
and no process id that could be taken by another. Three rules make it safe to rely on:

* Nobody upgrades. Two holders of a shared lock that both wait for the exclusive one never get it;
whoever
  needs it gives the shared one up first, and looks again at what changed meanwhile.
* A locked file may be removed by its holder. Whoever got a lock compares the open file with what
the path
  names now, and starts over when they differ: otherwise two processes would hold "the" lock on two
  files.
* A child process that is given the descriptor holds the lock too. An installer that outlives its
killed
  parent so keeps everybody else out until it is done, and a worker keeps its environment in use.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

if sys.platform == "win32":
    from wetlands.environments import flock_windows as _system
else:
    from wetlands.environments import flock_posix as _system


class FileLock:
    """One hold on a lock file, shared or exclusive; not to be used by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._shared = False

    def acquire(self, *, shared: bool = False, block: bool = True) -> bool:
        """Get the lock; False when ``block`` is false and another holder is in the way.

        Raises:
            OSError: The file can't be opened, for example because its folder is gone.
        """
        while True:
            descriptor = _open(self.path, shared)
            try:
                if not _system.lock(descriptor, shared, block):
                    os.close(descriptor)
                    return False
            except BaseException:
                os.close(descriptor)
                raise
            if _is_current(descriptor, self.path):
                self._descriptor, self._shared = descriptor, shared
                return True
            os.close(descriptor)

    def fileno(self) -> int:
        """Return the descriptor that carries the lock."""
        if self._descriptor < 0:
            raise ValueError(f"the lock on {str(self.path)!r} is not held")
        return self._descriptor

    def release(self) -> None:
        """Give the lock up; does nothing when it isn't held."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        # A child that the host happened to fork during a build has the descriptor as well, and
        # would shut everybody out for as long as it lives. Heirs of a shared lock are meant to
        # keep it.
        if not self._shared:
            _system.unlock(descriptor)
        os.close(descriptor)

    def remove(self) -> None:
        """Remove the file of an exclusive lock that is held, and give the lock up."""
        # Where an open file can't be removed, it stays: an empty file hurts nobody.
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.release()

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _open(path: Path, shared: bool) -> int:
    # Reading is enough to share: environments on a read-only disk can be used.
    if shared:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            return os.open(path, os.O_RDONLY)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


class Lease:
    """Keeps an environment in use: nobody can replace or delete it until this is closed.

    Safe to close from any thread, and more than once.
    """

    def __init__(self, lock: FileLock, on_close: Callable[[], object] = lambda: None) -> None:
        self._lock = lock
        self._on_close = on_close

    def fileno(self) -> int:
        """Return a descriptor that a worker may inherit, to hold the lease as well."""
        return self._lock.fileno()

    def close(self) -> None:
        """Give the environment up."""
        self._on_close()
        self._lock.release()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
