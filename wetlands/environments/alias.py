"""A name that venvs of one Python take turns in, so that uv need not ask each who it is.

uv remembers what a Python said about itself by its path. That of a new venv is new, so uv starts
it, which takes longer than linking thousands of files. Through a link of a fixed name uv sees a
path that it knows, and what it knows holds: all that is seen through one link are venvs of one
Python. They are made relocatable, so nothing in them names the link.

Whoever uses a link holds a lock, and so does the uv that works through it, even if the process that
started it is killed: no link is turned to another venv under an installer's hands.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from wetlands.environments.disk import make_folder
from wetlands.environments.flock import FileLock
from wetlands.environments.layout import Layout
from wetlands.environments.probing import Interpreter
from wetlands.environments.workspace import Workspace

#: As many creations at once have a link; those beyond have uv ask.
_LINKS = 32


@contextlib.contextmanager
def alias(work: Workspace, base: Interpreter, root: Path) -> Iterator[tuple[Workspace, Path]]:
    """Give the path by which uv may know a venv's Python, and the workspace that holds it.

    Args:
        work: The folder of the environment; its venv is made, and is relocatable.
        base: The Python that the venv was made from.
        root: The root of all environments.
    """
    prefix = work.layout.prefix
    # Windows lets not everybody make links.
    lock = _free_lock(root / "aliases", base) if os.name != "nt" else None
    if lock is None:
        yield work, work.layout.python
        return
    link = lock.path.with_suffix("")
    with lock:
        link.unlink(missing_ok=True)  # of one that was killed
        link.symlink_to(prefix, target_is_directory=True)
        try:
            yield work.holding(lock), Layout.python_of(link)
        finally:
            link.unlink(missing_ok=True)


def _free_lock(folder: Path, base: Interpreter) -> FileLock | None:
    make_folder(folder)
    python = hashlib.sha256(os.fsencode(base.executable)).hexdigest()[:12]
    for number in range(_LINKS):
        lock = FileLock(folder / f"{base.abi}-{python}-{number}.lock")
        if lock.acquire(block=False):
            return lock
    return None
