"""Our side of a pool in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from benchmarks.peers.adapters import ADAPTERS
from benchmarks.peers.venvs import python_for

ROOT = Path(__file__).parents[2]
#: Seconds after which a pool is taken for hung.
LIMIT = 120.0


class PeerError(Exception):
    """A pool did not do what it should; the text says what it said."""


class RemotePeer:
    """A pool behind the five calls of `Adapter`, in its own process and its own venv.

    A context manager; whatever happens, nothing of the pool is left at its end.

    Args:
        name: One of `ADAPTERS`.
        log: Where what it prints goes.
        limit: Seconds that a call may take.

    Raises:
        UnavailableError: It can't be installed.
    """

    def __init__(self, name: str, log: Path, limit: float = LIMIT) -> None:
        python = python_for(ADAPTERS[name])
        self.name = name
        self._limit = limit
        self._log = log.open("ab")
        command = [python, "-m", "benchmarks.peers.driver", name]
        # Parsl looks for its programs on PATH.
        path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
        environ = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environ,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> RemotePeer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._kill()
            self._process.wait()
            self._process.stdout.close()
            self._log.close()

    def call(self, method: str, *arguments: int) -> Any:
        """Call a method of the adapter over there.

        Raises:
            PeerError: It failed, or took too long, which ends the process.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(self._limit, self._kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps([method, *arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError as error:
            raise PeerError(f"{self.name}, {method}: {error}") from None
        finally:
            watch.cancel()
        if not line:
            raise PeerError(f"{self.name}, {method}: it ended, or did not answer in time")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self.name}, {method}: {answer['error']}")
        return answer["value"]

    def _kill(self) -> None:
        """End it with everything that it has started and that still runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
