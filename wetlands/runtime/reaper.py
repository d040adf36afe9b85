"""The host's side of the reaper: a tiny process that outlives a host which was killed.

Workers die with their host by their lifelines; the reaper is for what they have started in sessions
of their own, and for workers on systems whose kernel can't turn a hang-up into a kill. It is told
which workers live, and its own lifeline is the pipe that this comes through. See `reap`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import subprocess
from pathlib import Path

from wetlands.runtime import reap

logger = logging.getLogger(__name__)


class Reaper:
    """A process that waits for ours to die. For the launcher's thread, but for `tag`."""

    def __init__(self) -> None:
        #: What all workers of this host have in their environment variables. A random name and no
        #: process id, which could be that of an older host whose children live on.
        self.tag = secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None
        self._living: set[int] = set()

    def start(self, python: Path) -> None:
        """Start the process, unless it runs; any Python will do.

        This can wait until a worker is there, and about to run what may start something: to be
        started with the workers, it would take its share of the processors from them.

        A host that is embedded in another program is no Python that could be started: hence an
        environment's own.
        """
        if self._process is not None or os.name == "nt":
            return
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-S", reap.__file__, self.tag],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                # A host that is itself a task's child must not have its reaper ended with it.
                env={k: v for k, v in os.environ.items() if k != reap.VARIABLE},
            )
        except OSError:
            logger.warning("Children of workers may outlive a host that is killed", exc_info=True)
        self._write("".join(f"+{pid}\n" for pid in self._living))

    def add(self, pid: int) -> None:
        """Say that a worker lives."""
        self._living.add(pid)
        self._write(f"+{pid}\n")

    def discard(self, pid: int) -> None:
        """Say that a worker has ended; its number may soon be another's."""
        self._living.discard(pid)
        self._write(f"-{pid}\n")

    def stop(self) -> None:
        """End the process: nothing is left for it to do."""
        if self._process is None:
            return
        self._write("q\n")
        self.forget()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)

    def forget(self) -> None:
        """Close our end of the pipe; in a forked child, because it would hide our host's death."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _write(self, line: str) -> None:
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            return
        with contextlib.suppress(OSError):  # somebody killed it
            os.write(self._process.stdin.fileno(), line.encode())
