"""The private folders of one host process: its socket, what its workers leave for it, segments.

Mode 0700, so that no other user can connect. The host holds a lock on a file in it for as long as
it lives, however it ends; a folder whose lock is free belongs to nobody any more, and the next host
removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

#: A file system in memory, on systems that have it.
MEMORY = "/dev/shm"
#: Longest path of a Unix socket, less some room for the file's name.
_MAX_PATH = 80


class HostFolder:
    """A folder that exists as long as its host process."""

    def __init__(self, parent: str | None = None) -> None:
        parent = parent or _parent()
        _sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_prefix(), dir=parent))
        # Locked before it has its name: a sweeper must never find it free.
        new = self.path / "owner.new"
        self._owner = os.open(new, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600)
        _lock(self._owner)
        os.rename(new, self.path / "owner")

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._owner)

    def forget(self) -> None:
        """Let go of the lock in a forked child, whose copy would outlive the host."""
        with contextlib.suppress(OSError):
            os.close(self._owner)


def segment_folders() -> list[HostFolder]:
    """Make the folders for mapped segments: one in memory, where there is such a file system, and
    one among temporary files."""
    made = []
    for parent in dict.fromkeys((MEMORY, tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            made.append(HostFolder(parent))
    return made


def _prefix() -> str:
    return f"wetlands-{os.getuid() if hasattr(os, 'getuid') else 0}-"


def _parent() -> str:
    for candidate in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if candidate and len(candidate) <= _MAX_PATH and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    return tempfile.gettempdir()


def _sweep(parent: str) -> None:
    """Remove the folders of hosts that are gone."""
    with os.scandir(parent) as entries:
        stale = [entry.path for entry in entries if _is_stale(entry)]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)


def _is_stale(entry: os.DirEntry[str]) -> bool:
    if not entry.name.startswith(_prefix()):
        return False
    try:
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode) or (
            hasattr(os, "getuid") and found.st_uid != os.getuid()
        ):
            return False
        owner = os.open(os.path.join(entry.path, "owner"), os.O_RDWR)
    except OSError:
        return False  # just being made, or removed
    try:
        return _lock(owner)
    finally:
        os.close(owner)


def _lock(descriptor: int) -> bool:
    """Take the lock if it is free; say whether it was."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
