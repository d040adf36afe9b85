"""The host's side of one worker, bare: a ROUTER, a lifeline and files for what it prints.

Everything that the product's host does beyond that is left out, so that what these tests see is
the worker alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
import zmq

from tests.support.waiting import wait_until
from wetlands.environments.probing import Interpreter
from wetlands.runtime.launcher import WORKER_ENTRY, base_environ, same_minor
from worker_entry import batch, notes, protocol
from worker_entry.codec import Codec

MODULES = Path(__file__).parent / "modules"
TASKS = str(MODULES / "tasks.py")
#: Seconds to wait for anything; a machine that is busy with other things is slow.
PATIENCE = 20.0
_ENDINGS = (protocol.Result, protocol.Failure, protocol.Canceled, protocol.Skipped)


@dataclass
class Ended:
    """A task that came to its end: all that the worker said about it."""

    codec: Codec
    messages: list[protocol.Message] = field(default_factory=list)

    @property
    def ending(self) -> Any:
        return self.messages[-1]

    @property
    def said(self) -> list[Any]:
        return self.messages[:-1]

    @property
    def value(self) -> Any:
        assert isinstance(self.ending, protocol.Result), self.ending
        return self.codec.loads(self.ending.payload)

    @property
    def failure(self) -> dict[str, Any]:
        assert isinstance(self.ending, protocol.Failure), self.ending
        return self.ending.description


class Peer:
    """One worker process, and all that its host holds of it."""

    def __init__(
        self,
        interpreter: Interpreter,
        sidecar: Path | None,
        *,
        environ: dict[str, str] | None = None,
        pythonpath: Sequence[str] = (),
        executable: Path | None = None,
    ) -> None:
        self.interpreter = interpreter
        by_value = same_minor(interpreter.version)
        self.codec = Codec(min(5, interpreter.pickle_protocol), by_value)
        self.folder = Path(tempfile.mkdtemp(prefix="peer-", dir="/tmp"))
        self.token = secrets.token_hex(16)
        self.tasks, self.control = b"t" + secrets.token_bytes(8), b"c" + secrets.token_bytes(8)
        self._started = self.folder / "started"
        self._started.write_bytes(bytes(notes.SIZE))
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(f"ipc://{self.folder}/socket")
        self._number = 0
        self._posted = 0
        #: Whether the ending of the task before may come twice, as it may after a signal.
        self.takes_repeats = False
        lifeline, self.lifeline = os.pipe()
        config = {
            "endpoint": f"ipc://{self.folder}/socket",
            "curve": "",
            "token": self.token,
            "task_identity": self.tasks.hex(),
            "control_identity": self.control.hex(),
            "started_file": str(self._started),
            "lifeline": lifeline,
            "bell": -1,
            "mark": "",
            "woken_by": -1,
            "alert": True,
            "sidecar": str(sidecar or ""),
            "pickle_protocol": self.codec.protocol,
            "by_value": by_value,
            "cloudpickle": str(Path(cloudpickle.__file__).parent) if by_value else "",
            "pythonpath": list(pythonpath),
        }
        python = executable or interpreter.executable
        with self._file("stdout") as stdout, self._file("stderr") as stderr:
            self.process = subprocess.Popen(
                [str(python), "-I", "-X", "faulthandler", str(WORKER_ENTRY)],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                env={**base_environ(interpreter.prefix, python), **(environ or {})},
                start_new_session=True,
                pass_fds=(lifeline,),
            )
        os.close(lifeline)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(config).encode())
        self.process.stdin.close()

    def _file(self, name: str) -> Any:
        return open(self.folder / name, "ab", buffering=0)

    # -- the conversation -------------------------------------------------------------------------

    def greet(self) -> Peer:
        """Go through the handshake; afterwards the worker takes tasks."""
        hello = self.receive()
        assert isinstance(hello, protocol.Hello)
        assert hello == (protocol.VERSION, self.token, self.process.pid)
        self.tell(protocol.Welcome())
        assert self.receive() == protocol.Ready()
        return self

    def send(self, message: protocol.Message) -> None:
        """Send to the socket on which tasks arrive."""
        self._socket.send_multipart([self.tasks, *protocol.encode(message)])

    def tell(self, message: protocol.Message) -> None:
        """Send to the control socket."""
        self._socket.send_multipart([self.control, *protocol.encode(message)])

    def send_garbage(self, frames: list[bytes], *, control: bool = False) -> None:
        self._socket.send_multipart([self.control if control else self.tasks, *frames])

    def receive(self) -> protocol.Message:
        deadline = time.monotonic() + PATIENCE
        while not self._socket.poll(50):
            if self.process.poll() is not None and not self._socket.poll(50):
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.stderr}")
            assert time.monotonic() < deadline, f"no message from the worker\n{self.stderr}"
        identity, *frames = self._socket.recv_multipart()
        assert identity in (self.tasks, self.control)
        return protocol.decode(frames)

    def nothing_more(self) -> bool:
        """Whether no message is there, now."""
        return not self._socket.poll(0)

    # -- tasks ------------------------------------------------------------------------------------

    def next_number(self) -> int:
        return self._number + 1

    def start(
        self,
        function: str,
        *args: Any,
        how: str = "file",
        target: str = TASKS,
        between: Sequence[bytes] = (),
        arguments: bytes | None = None,
        call: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> int:
        """Send a Run; return its number."""
        self._number += 1
        request = {"how": how, "target": target, "function": function, **(call or {})}
        frames = self.codec.dumps_call(args, kwargs) if arguments is None else [arguments]
        payload = (json.dumps(request).encode(), *between, *frames)
        self.send(protocol.Run(self._number, 0, payload))
        return self._number

    def post(self, function: str, argument: Any, behind: int) -> int:
        """Put a Run of a function of the file into the mailbox; return its number."""
        self._number += 1
        call = {"how": "file", "target": TASKS, "function": function}
        payload = (json.dumps(call).encode(), *self.codec.dumps_call((argument,), {}))
        (message,) = protocol.encode(protocol.Run(self._number, 0, payload))
        self._posted += 1
        with open(self._started, "r+b", buffering=0) as file:
            file.seek(notes.POST_AT)
            file.write(notes.POST.pack(len(message), behind) + message)
            file.seek(8 * notes.POSTED)
            file.write(self._posted.to_bytes(8, sys.byteorder))
        return self._number

    def send_pack(self, calls: Sequence[tuple[str, Any]]) -> list[int]:
        """Send Runs of functions of the file, each with one argument, as one message."""
        messages = []
        for function, argument in calls:
            self._number += 1
            call = {"how": "file", "target": TASKS, "function": function}
            payload = (json.dumps(call).encode(), *self.codec.dumps_call((argument,), {}))
            messages += protocol.encode(protocol.Run(self._number, 0, payload))
        self._socket.send_multipart([self.tasks, protocol.pack(messages)])
        return list(range(self._number + 1 - len(calls), self._number + 1))

    def send_batch(self, function: str, arguments: Sequence[Any], target: str = TASKS) -> list[int]:
        """Send calls of a function of the file, each with one argument, that go together."""
        numbers = [self._number + 1 + i for i in range(len(arguments))]
        self._number += len(arguments)
        call = json.dumps({"how": "file", "target": target, "function": function}).encode()
        frames = [self.codec.dumps_call((argument,), {})[0] for argument in arguments]
        payload = batch.encode([(number, 0) for number in numbers], call, frames)
        (message,) = protocol.encode(protocol.Runs(numbers[0], 0, payload))
        self._socket.send_multipart([self.tasks, protocol.pack([message])])
        return numbers

    def noted(self) -> list[Any]:
        """Return all endings that it has noted, as messages."""
        content = self._started.read_bytes()
        written = notes.NUMBERS.unpack_from(content)[notes.WRITTEN]
        ring = content[notes.RING_AT : notes.RING_AT + written]
        return [
            protocol.Result(noted.task, noted.attempt, (noted.ending,))
            if noted.task
            else protocol.decode([noted.ending])
            for noted in notes.split(ring)
        ]

    def mark(self, number: int) -> None:
        """Reclaim a Run."""
        with open(self._started, "r+b") as file:
            file.seek(notes.MARKS_AT + number % notes.MARKS)
            file.write(b"\1")

    def finish(self) -> Ended:
        """Collect what the worker says about the task that was sent last."""
        ended = Ended(self.codec)
        while True:
            message: Any = self.receive()
            if isinstance(message, protocol.Void):
                continue
            if self.takes_repeats and message.task == self._number - 1:
                assert isinstance(message, _ENDINGS)
                continue
            assert (message.task, message.attempt) == (self._number, 0)
            ended.messages.append(message)
            if isinstance(message, _ENDINGS):
                return ended

    def run(self, function: str, *args: Any, **kwargs: Any) -> Ended:
        self.start(function, *args, **kwargs)
        return self.finish()

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Run a function of a file, and return what it returns."""
        return self.run(function, *args, **kwargs).value

    def run_script(self, path: Path, *args: str, run_name: str = "__main__") -> Ended:
        call = {"args": list(args), "run_name": run_name}
        return self.run("", how="script", target=str(path), call=call)

    def cancel(self, number: int) -> None:
        self.tell(protocol.Interrupt(number, 0))

    # -- the process ------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def started(self) -> int:
        """How many tasks it has begun, which is the number of the last one."""
        return int.from_bytes(self._started.read_bytes()[:8], sys.byteorder)

    @property
    def asleep(self) -> bool:
        """Whether it says that it needs a message to look into the mailbox."""
        return bool(notes.NUMBERS.unpack_from(self._started.read_bytes())[notes.ASLEEP])

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the process to end; return its exit status."""
        wait_until(lambda: self.process.poll() is not None, timeout)
        return int(self.process.returncode)

    def hang_up(self) -> None:
        """Close the lifeline, as the end of the host would."""
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()
        self._socket.close(0)
        self._context.term()
        shutil.rmtree(self.folder)


def host_minor() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
