"""Starting workers: `<prefix>/python -I <worker_entry>`, with no shell in between.

The exit status and the signals are then the worker's own. What it needs to know arrives on its
stdin, the launch token with it; see `worker_entry.__main__`. Starting happens on a thread of its
own: it takes milliseconds, which the loop does not have.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wetlands.runtime import reap
from wetlands.runtime.bell import WorkerBell
from wetlands.runtime.output import Emit, WorkerOutput
from wetlands.runtime.process import WorkerProcess

logger = logging.getLogger(__name__)

#: The folder that a worker's interpreter is told to run.
WORKER_ENTRY = Path(__file__).parents[2] / "worker_entry"


class Lease(Protocol):
    """A lock that is shared by all who use an environment."""

    def fileno(self) -> int:
        """Return the descriptor that holds it."""

    def close(self) -> None:
        """Give it up."""


@dataclass(frozen=True)
class WorkerPlan:
    """What every worker of a pool is started with.

    Attributes:
        environment: The environment's name, for messages.
        executable: The interpreter.
        environ: For every slot, the whole environment of its worker.
        environ_of: Gives that of a further slot; runs code of the user.
        sidecar: The folder with a pyzmq for this interpreter; None if it has its own.
        pickle_protocol: The highest that both sides know.
        by_value: Whether code objects may cross: host and worker are of the same minor version.
        lease: What keeps the environment from being changed. Workers inherit it, so that it
            holds as long as one of them lives, their host gone or not.
        max_shared_memory: Bytes that segments may take in memory; None: half of what is free.
        trust: "full", or "data" where nothing but data may come from the workers.
        initializer: What each worker runs before its first task, as a call; empty: nothing.
        portable: Types that users registered: names of the type, of what takes its values apart
            and of what rebuilds them.
    """

    environment: str
    executable: Path
    environ: tuple[Mapping[str, str], ...]
    sidecar: Path | None
    pickle_protocol: int
    by_value: bool
    environ_of: Callable[[int], Mapping[str, str]] | None = None
    lease: Lease | None = None
    max_shared_memory: int | None = None
    trust: str = "full"
    portable: tuple[tuple[str, str, str], ...] = ()
    initializer: tuple[Any, ...] = ()

    @property
    def inherit(self) -> tuple[int, ...]:
        """Descriptors that a worker keeps open."""
        return () if self.lease is None else (self.lease.fileno(),)


def start_worker(
    plan: WorkerPlan,
    slot: int,
    tag: str,
    connection: Mapping[str, Any],
    emit: Emit,
    bell: int = -1,
) -> WorkerProcess:
    """Start one worker.

    Args:
        plan: What all workers of the pool have in common.
        slot: The worker's number.
        tag: Marks the worker and whatever it starts.
        connection: Where it connects to, as whom, and the token that proves it.
        emit: Where the lines that it prints go.
        bell: The end of the host's bell that it may write to; -1 if there is none.

    Raises:
        OSError: The interpreter can't be started.
    """
    environ = plan.environ[slot]
    # The write end stays here and is not inherited by any other child: its closing, for whatever
    # reason, must mean that this host is gone.
    (lifeline_read, lifeline_write), (bell_read, bell_write) = _make_pipes(2)
    try:
        popen = subprocess.Popen(
            [str(plan.executable), "-I", "-X", "faulthandler", str(WORKER_ENTRY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**environ, reap.VARIABLE: tag},
            # Its own session: Ctrl-C in a terminal is the host's business, and the worker's
            # number names the group of all that it starts.
            start_new_session=True,
            pass_fds=(lifeline_read, bell_read, *((bell,) if bell >= 0 else ()), *plan.inherit),
        )
    except BaseException:
        _close(lifeline_write, bell_write)
        raise
    finally:
        _close(lifeline_read, bell_read)
    config = {
        **connection,
        "lifeline": lifeline_read,
        "woken_by": bell_read,
        "bell": bell,
        # Who looks for what is about to come keeps others from a processor, if these are few. (As
        # many workers as there have been at most.)
        "alert": len(plan.environ) <= (os.cpu_count() or 1),
        "sidecar": str(plan.sidecar) if plan.sidecar else "",
        "pickle_protocol": plan.pickle_protocol,
        "by_value": plan.by_value,
        "portable": plan.portable,
        "environment": plan.environment,
        "cloudpickle": _cloudpickle_folder() if plan.by_value else "",
        "pythonpath": [part for part in environ.get("PYTHONPATH", "").split(os.pathsep) if part],
    }
    try:
        _tell(popen, json.dumps(config).encode())
        output = _take_pipes(popen, emit)
        return WorkerProcess(popen, tag, output, lifeline_write, WorkerBell(bell_write))
    except BaseException:  # no more descriptors, say
        _close(lifeline_write, bell_write)
        popen.kill()
        popen.wait()
        for stream in (popen.stdin, popen.stdout, popen.stderr):
            if stream is not None:
                stream.close()
        raise


def _make_pipes(count: int) -> list[tuple[int, int]]:
    pipes: list[tuple[int, int]] = []
    try:
        pipes.extend(os.pipe() for _ in range(count))
    except OSError:  # those that were made before are in the list
        _close(*itertools.chain(*pipes))
        raise
    return pipes


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _tell(popen: subprocess.Popen[bytes], config: bytes) -> None:
    assert popen.stdin is not None
    try:
        popen.stdin.write(config)
        popen.stdin.close()
    except BrokenPipeError:
        pass  # it is dead already, which its exit will tell


def _take_pipes(popen: subprocess.Popen[bytes], emit: Emit) -> WorkerOutput:
    """Take the pipes' descriptors from the objects that would close them behind our back."""
    assert popen.stdout is not None
    assert popen.stderr is not None
    ends = [os.dup(stream.fileno()) for stream in (popen.stdout, popen.stderr)]
    popen.stdout.close()
    popen.stderr.close()
    popen.stdin = popen.stdout = popen.stderr = None
    return WorkerOutput(ends[0], ends[1], emit)


def _cloudpickle_folder() -> str:
    """Return where the host's cloudpickle lies; to import it would hold up the first worker."""
    spec = importlib.util.find_spec("cloudpickle")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("cloudpickle, which wetlands depends on, is not installed")
    return str(Path(spec.origin).parent)


class Launcher:
    """Runs requests to start something, one after the other, on a thread of its own."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="wetlands-launch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def post(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the thread; for any thread."""
        self._queue.put(call)

    def stop(self, timeout: float) -> None:
        """End the thread after what was posted before; wait ``timeout`` seconds for it."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            call = self._queue.get()
            if call is None:
                return
            try:
                call()
            except Exception:
                logger.exception("Starting a worker failed")
            del call


#: Variables that would make the environment's Python look into the host's.
_HOST_ONLY = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONEXECUTABLE",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "__PYVENV_LAUNCHER__",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "CONDA_SHLVL",
    "CONDA_PROMPT_MODIFIER",
)


def base_environ(prefix: Path, executable: Path) -> dict[str, str]:
    """Return the host's environment variables, turned towards another prefix.

    Programs of the environment come first on PATH, as if it were activated.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _HOST_ONLY}
    bin_folder = str(executable.parent)
    environ["PATH"] = os.pathsep.join(part for part in (bin_folder, environ.get("PATH")) if part)
    if (prefix / "pyvenv.cfg").is_file():
        environ["VIRTUAL_ENV"] = str(prefix)
    elif (prefix / "conda-meta").is_dir():
        environ["CONDA_PREFIX"] = str(prefix)
    return environ


def same_minor(version: tuple[int, int, int]) -> bool:
    """Whether code objects of this process mean the same to that version of Python."""
    return version[:2] == sys.version_info[:2]
