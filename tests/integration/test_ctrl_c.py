"""Ctrl-C where people press it: at a prompt, in a notebook, in an asyncio program."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from tests.support.processes import runs
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses terminals and signals of POSIX")

ROOT = Path(__file__).parents[2]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON_BASIC_REPL": "1", "TERM": "dumb"}


def launched(root: Path) -> str:
    """Return lines of Python that launch one worker as ``env``."""
    return (
        "import sys\n"
        "from wetlands import EnvironmentManager\n"
        f"work = {str(WORK)!r}\n"
        f"env = EnvironmentManager({str(root)!r}, progress=False).load('h', sys.executable)\n"
        "env.launch()\n"
    )


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, *command: str) -> None:
        import pty

        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            try:
                os.execve(command[0], command, ENVIRON)
            finally:
                os._exit(127)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def wait_for(self, text: str, timeout: float = 15.0) -> str:
        """Read until the text is shown; return what came before it."""
        import select

        end = time.monotonic() + timeout
        while text not in self.shown:
            ready = select.select([self.descriptor], [], [], max(0.0, end - time.monotonic()))[0]
            assert ready, f"{text!r} does not come, but {self.shown!r}"
            try:
                self.shown += os.read(self.descriptor, 65536).decode(errors="replace")
            except OSError:  # the end of the program
                assert text in self.shown, self.shown
        before, _, self.shown = self.shown.partition(text)
        return before

    def close(self) -> int:
        """Wait for the end; return the exit status."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.descriptor)
        return status


def test_at_a_prompt_the_call_is_interrupted_and_the_worker_stays(
    tmp_path: Path, gate: Gate
) -> None:
    terminal = Terminal(sys.executable, "-q", "-i")
    terminal.wait_for(">>> ")
    for line in launched(tmp_path / "root").splitlines():
        terminal.type(line + "\n")
    terminal.type("print('pid:', env.execute(work, 'pid'))\n")
    terminal.wait_for("pid: ")  # the echo of what was typed has no space behind it, but a quote
    pid = terminal.wait_for("\r\n").strip()
    terminal.type(f"env.execute(work, 'hold_politely', ({gate.path!r},))\n")
    gate.wait_started()
    terminal.type("\x03")
    before = terminal.wait_for("KeyboardInterrupt")
    terminal.type("print('then:', env.execute(work, 'pid'))\n")
    between = terminal.wait_for("then: ")
    assert terminal.wait_for("\r\n").strip() == pid
    assert (before + between).count("Traceback") == 1  # that of the call, and no worker's
    terminal.type("exit()\n")
    assert terminal.close() == 0
    wait_until(lambda: not runs(int(pid)), timeout=5)


ASYNC = """
import asyncio, os
async def main():
    print(env.execute(work, "pid"), flush=True)
    try:
        await env.submit(work, "hold_politely", (os.environ["GATE"],))
    except asyncio.CancelledError:
        print("canceled", flush=True)
        raise
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", env.execute(work, "pid"), flush=True)
"""


def test_in_an_asyncio_program_the_await_is_canceled(tmp_path: Path, gate: Gate) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", launched(tmp_path / "root") + ASYNC],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRON, "GATE": gate.path},
        start_new_session=True,
    )
    assert program.stdout is not None
    pid = int(program.stdout.readline())
    gate.wait_started()
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, err = program.communicate(timeout=15)
    assert out == f"canceled\ninterrupted {pid}\n"
    assert err == ""
    assert program.returncode == 0
    wait_until(lambda: not runs(pid), timeout=5)


# -- notebooks -------------------------------------------------------------------------------------


class Notebook:
    """A kernel of Jupyter, and what cells print."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel  # type: ignore[import-untyped]

        self.manager, self.client = start_new_kernel(
            kernel_name="python3", env=ENVIRON, startup_timeout=60
        )

    def start(self, code: str) -> str:
        return str(self.client.execute(code))

    def finish(self, cell: str) -> tuple[str, str]:
        """Wait for the end of a cell; return what it printed, and the name of its error."""
        printed, error = "", ""
        while True:
            message: dict[str, Any] = self.client.get_iopub_msg(timeout=30)
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
            elif message["msg_type"] == "error":
                error = content["ename"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return printed, error

    def run(self, code: str) -> tuple[str, str]:
        return self.finish(self.start(code))

    def close(self) -> None:
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=False)
        self.client.stop_channels()
        self.manager.cleanup_resources()
        for context in (self.client.context, self.manager.context):
            context.destroy(linger=0)


@pytest.fixture(scope="module", autouse=True)
def loop_of_jupyter() -> None:
    """Have jupyter_core make what it keeps for good before any test looks for leaks."""
    if _has_jupyter():
        from jupyter_core.utils import ensure_event_loop  # type: ignore[import-untyped]

        ensure_event_loop()


def _has_jupyter() -> bool:
    return all(importlib.util.find_spec(name) for name in ("ipykernel", "jupyter_client"))


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    if not _has_jupyter():
        pytest.skip("needs ipykernel and jupyter_client: the extra 'notebook'")
    notebook = Notebook()
    yield notebook
    notebook.close()


def test_in_a_notebook_a_cell_is_interrupted_and_the_worker_stays(
    notebook: Notebook, tmp_path: Path, gate: Gate
) -> None:
    assert notebook.run(launched(tmp_path / "root")) == ("", "")
    pid, _ = notebook.run("print(env.execute(work, 'pid'))")
    cell = notebook.start(f"env.execute(work, 'hold_politely', ({gate.path!r},))")
    gate.wait_started()
    notebook.manager.interrupt_kernel()
    assert notebook.finish(cell) == ("", "KeyboardInterrupt")
    assert notebook.run("print(env.execute(work, 'pid'))") == (pid, "")
    # In a notebook an event loop is running; awaiting works at the top of a cell.
    assert notebook.run("print(await env.submit(work, 'echo', (5,)))") == ("5\n", "")
    notebook.close()
    wait_until(lambda: not runs(int(pid)), timeout=5)


# -- the end of the interpreter --------------------------------------------------------------------

ORDERS = {
    "a hook of atexit that was there first": (
        "import atexit\n"
        "@atexit.register\n"
        "def last():\n"
        "    try:\n"
        "        env.execute(work, 'echo', (1,))\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, flush=True)\n",
        "",
        "PoolClosedError\n",
    ),
    "a hook of atexit that came later": (
        "",
        "import atexit\n"
        "atexit.register(lambda: print(env.execute(work, 'echo', (7,)), flush=True))\n",
        "7\n",
    ),
    "a finalizer of a module's last object": (
        "",
        "class Last:\n"
        "    def __del__(self):\n"
        "        try:\n"
        "            env.submit(work, 'echo', (1,))\n"
        "        except Exception as error:\n"
        "            print(type(error).__name__)\n"
        "last = Last()\n",
        "PoolClosedError\n",
    ),
    "threads of an executor that still wait": (
        "",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "pool = ThreadPoolExecutor(2)\n"
        "print(pool.submit(env.execute, work, 'echo', (3,)).result())\n"
        "pool.submit(env.submit(work, 'silent_for', (0.3,)).wait_for)\n",
        "3\n",
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_in_whatever_order_an_interpreter_ends_it_ends(tmp_path: Path, name: str) -> None:
    before, after, expected = ORDERS[name]
    done = subprocess.run(
        [sys.executable, "-c", before + launched(tmp_path / "root") + after],
        capture_output=True,
        text=True,
        env=ENVIRON,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
