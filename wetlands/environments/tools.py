"""Runs a command, hands on its lines as they come, and never leaves it behind.

It leads a session of its own: a Ctrl-C in the terminal reaches only the host, which then ends the
command with everything that it started, whatever state it is in. If the host itself is killed, the
command ends by itself and, with the descriptors that it was given, keeps the environment locked
until then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from wetlands.environments.cancellation import Cancellation
from wetlands.environments.masking import mask, mask_command
from wetlands.environments.probing import NO_WINDOW
from wetlands.errors import EnvironmentBuildError


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    on_line: Callable[[str], None],
    purpose: str,
    pass_fds: Sequence[int] = (),
    stdout: bool = False,
    cancellation: Cancellation | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[str]:
    """Run a command to its end and return its lines.

    Args:
        command: Program and arguments; no shell in between.
        env: Its whole environment.
        cwd: Its folder.
        on_line: Called with each line, credentials hidden.
        purpose: What it is run for, as the beginning of a sentence about its failure.
        pass_fds: Descriptors that it keeps open (POSIX only).
        stdout: Whether standard output counts, or only standard error.
        cancellation: What ends it early.
        meanwhile: Called once it runs; no line is read before that is over.

    Raises:
        EnvironmentBuildError: It could not be started, failed, or was ended by a signal.
        CreationCanceledError: It was canceled, and ended with all that it started.
    """
    lines: list[str] = []
    with started(
        command, env=env, cwd=cwd, purpose=purpose, pass_fds=pass_fds, stdout=stdout,
        cancellation=cancellation,
    ) as process:  # fmt: skip
        meanwhile()
        output = process.stdout if stdout else process.stderr
        assert output is not None
        for raw in output:
            lines.append(mask(raw.rstrip("\r\n")))
            on_line(lines[-1])
    if process.returncode:
        raise _failed(command, process.returncode, lines, purpose)
    return lines


@contextlib.contextmanager
def started(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    purpose: str,
    pass_fds: Sequence[int] = (),
    stdout: bool = False,
    stdin: bool = False,
    cancellation: Cancellation | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and wait at the end of the block for its own end; otherwise as `run`.

    An error in the block, or a cancellation, ends the command with all that it started.

    Args:
        stdin: Whether its standard input is a pipe, which is closed after the block.
    """
    canceling = cancellation or Cancellation()
    canceling.check()
    process = _start(command, env, cwd, pass_fds, stdout, purpose, stdin)
    output = process.stdout if stdout else process.stderr
    assert output is not None
    with output, _ended_with_all_it_started(process), canceling.calling(lambda: _kill(process)):
        try:
            yield process
        finally:
            if process.stdin is not None:
                with contextlib.suppress(OSError):  # it is gone, with words for it in the buffer
                    process.stdin.close()
    canceling.check()


def _start(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    pass_fds: Sequence[int],
    stdout: bool,
    purpose: str,
    stdin: bool,
) -> subprocess.Popen[str]:
    posix = sys.platform != "win32"
    try:
        return subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if stdout else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=posix,
            pass_fds=tuple(pass_fds) if posix else (),
            creationflags=NO_WINDOW,
        )
    except OSError as error:
        raise EnvironmentBuildError(
            f"{purpose}: {command[0]!r} could not be started: {error.strerror}",
            command=mask_command(command),
        ) from error


@contextlib.contextmanager
def _ended_with_all_it_started(process: subprocess.Popen[str]) -> Iterator[None]:
    watch = threading.Thread(target=_end_leftovers, args=(process,), name="wetlands-tool")
    watch.start()
    try:
        yield
        watch.join()
        process.wait()
    except BaseException:
        if process.returncode is None:
            _kill(process)
        raise
    finally:
        watch.join()
        process.wait()


def _end_leftovers(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a command, then end what is left of its session."""
    if sys.platform == "win32":
        pass  # there are no sessions
    elif sys.platform == "darwin":
        process.wait()
        _kill(process)
    else:
        # Its exit status stays to be read: until it is, no other process can get its number.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _failed(
    command: Sequence[str], returncode: int, lines: Sequence[str], purpose: str
) -> EnvironmentBuildError:
    output = "\n".join(lines)
    return EnvironmentBuildError(
        f"{purpose}: {_ending(command, returncode)}. {advise(output, returncode)}\n{output}",
        command=mask_command(command),
        returncode=returncode,
        log_tail=output,
    )


def _ending(command: Sequence[str], returncode: int) -> str:
    program = os.path.basename(command[0])
    if returncode > 0:
        return f"{program} failed with exit status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"{program} was ended by {name}"


# What a tool printed -> what to do, the most telling first.
_ADVICE = {
    "no space left": "Free some space on the disk, then try again",
    "was not found in the package registry": (
        "Check the spelling of the package's name, and that the package index has it (uv is told "
        "about another index by the variable UV_INDEX)"
    ),
    "no solution found": (
        "These requirements can't be met together on this Python: loosen or correct those below"
    ),
    "hash mismatch": (
        "A file is not the one that was locked: it was replaced or damaged, don't trust it before "
        "you know why"
    ),
    "failed to build": (
        "A package has no ready-made wheel for this Python and could not be built: ask for a "
        "version that has one, or install what its build needs"
    ),
    "error sending request": "Check the network connection, the proxy and the package index",
    "failed to fetch": "Check the network connection, the proxy and the package index",
    "permission denied": "Check the permissions of the folder",
}


def advise(output: str, returncode: int) -> str:
    """Return one sentence that says what to do about a failure."""
    if returncode < 0:
        return "Something outside ended it, perhaps for want of memory: try again"
    lowered = " ".join(output.lower().split())
    advice = next((advice for sign, advice in _ADVICE.items() if sign in lowered), "It printed")
    return f"{advice}:"
