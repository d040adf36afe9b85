"""One worker process: what it was started with, how to kill it, how to say what it died of."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field

import psutil

from wetlands.runtime import reap
from wetlands.runtime.bell import WorkerBell
from wetlands.runtime.memory import own_memory
from wetlands.runtime.output import WorkerOutput


@dataclass(frozen=True)
class Death:
    """How a worker ended.

    Attributes:
        returncode: The exit status, negative for a signal; None if it never started.
        reason: Why we killed it, or why it did not start; empty if it died by itself.
        log_tail: The last lines of its stderr.
        out_of_memory: Whether the kernel ended it because memory ran out, as far as that is known.
        chunk: The task that ran its last chunk, and the results that it had made for that.
    """

    returncode: int | None
    reason: str = ""
    log_tail: str = ""
    out_of_memory: bool = False
    chunk: tuple[int, bytes] = field(default=(0, b""), repr=False)

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it, for example ``"SIGSEGV"``."""
        if self.returncode is None or self.returncode >= 0:
            return None
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:
            return f"signal {-self.returncode}"

    def describe(self) -> str:
        """Say it in words that continue "The worker ..."."""
        if self.returncode is None:
            return f"could not be started: {self.reason}"
        if self.reason:
            return f"was killed: {self.reason}"
        if self.out_of_memory:
            return "was ended by the kernel because memory ran out"
        if self.signal:
            return f"died of {self.signal}{_HINTS.get(self.signal, '')}"
        return f"exited with status {self.returncode}"


_HINTS = {
    "SIGKILL": " (killed by somebody, or by the kernel because memory ran out)",
    "SIGSEGV": " (a crash in native code)",
    "SIGABRT": " (native code gave up)",
    "SIGBUS": " (a crash in native code, or a full file system under a memory map)",
}


@dataclass(eq=False)
class WorkerProcess:
    """A running worker. Owned by the health thread from the moment it is watched."""

    popen: subprocess.Popen[bytes]
    tag: str  #: in the environment variables of all that it starts
    output: WorkerOutput
    lifeline: int  #: write end; the worker dies when it closes
    bell: WorkerBell = field(default_factory=WorkerBell)
    children: list[psutil.Process] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its process group and session."""
        return self.popen.pid

    def memory(self) -> int:
        """Return the bytes that it has for itself."""
        return own_memory(self.pid)

    def kill(self) -> None:
        """Kill the process and all that it started, as far as it can be found."""
        with contextlib.suppress(psutil.Error):
            # Before the kill: orphans have no parent to be found by.
            self.children = psutil.Process(self.pid).children(recursive=True)
        self.kill_group()
        if not hasattr(os, "killpg"):
            self.popen.kill()

    def kill_group(self) -> None:
        """Kill what is left of its group and of the children that were seen.

        Safe only until the process is reaped: until then its number can't belong to another.
        """
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        for child in self.children:
            with contextlib.suppress(psutil.Error):
                child.kill()

    def kill_rest(self) -> None:
        """Kill what it started in sessions of their own, too."""
        self.kill_group()
        reap.kill_tagged(self.tag)

    def close(self) -> None:
        """Release the descriptors of a process that is gone."""
        self.output.close()
        self.bell.close()
        with contextlib.suppress(OSError):
            os.close(self.lifeline)
