"""What a Python is, asked of itself.

The question is a script of the standard library that every Python from 3.6 on can read. It runs
isolated (``-I``), so that neither the host's ``PYTHON*`` variables nor a file in the current
folder answers in its place. Answers are kept on disk, by path, time of change and size of the
executable: they don't change until it does, and asking costs a process each. Only the Python's own
pyzmq can come and go meanwhile, and is looked up in its folders every time, without importing it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wetlands.environments import answers
from wetlands.errors import ConfigurationError

TIMEOUT = 30.0

_MARK = "wetlands-probe:"
_SCRIPT = """
import json, os, pickle, platform, sys, sysconfig
config = sysconfig.get_config_var
name = sys.implementation.name
tag = {"cpython": "cp", "pypy": "pp"}.get(name, name)
free = "t" if config("Py_GIL_DISABLED") else ""
musl = "musl" in str(config("SOABI")) + str(config("HOST_GNU_TYPE"))
virtual = sys.prefix != sys.base_prefix
base = getattr(sys, "_base_executable", None) or sys.executable
if virtual and base == sys.executable:  # before 3.11, except on Windows
    base = os.path.realpath(base)
print("MARK" + json.dumps({
    "prefix": sys.prefix, "virtual": virtual, "base_executable": base,
    "version": list(sys.version_info[:3]), "implementation": platform.python_implementation(),
    "abi": "%s%d%d%s" % (tag, sys.version_info[0], sys.version_info[1], free),
    "platform": sysconfig.get_platform().replace("-", "_").replace(".", "_"),
    "libc": ("musl" if musl else "gnu") if sys.platform.startswith("linux") else "",
    "pickle_protocol": pickle.HIGHEST_PROTOCOL,
    "path": [entry for entry in sys.path if os.path.isdir(entry)],
}))
""".replace("MARK", _MARK)

_PYZMQ = re.compile(r"pyzmq-([^-]+)(?:-[^/]*)?\.(?:dist|egg)-info", re.IGNORECASE)


class Interpreter(NamedTuple):
    """A Python that can be started.

    Attributes:
        executable: Absolute, as it is to be started: a venv's link is never resolved, because it is
            what makes the venv.
        prefix: Its ``sys.prefix``.
        version: Major, minor and micro.
        implementation: For example ``"CPython"``.
        abi: For example ``"cp310"``, or ``"cp313t"`` for a free-threaded build.
        platform: For example ``"linux_x86_64"``.
        pickle_protocol: The highest that it knows.
        pyzmq: The version of its own pyzmq, None when it has none.
        base_executable: The Python that it was made from; the same for one that is no venv.
        virtual: Whether it belongs to a venv.
        libc: ``"gnu"`` or ``"musl"`` on Linux.
    """

    executable: Path
    prefix: Path
    version: tuple[int, int, int]
    implementation: str
    abi: str
    platform: str
    pickle_protocol: int
    pyzmq: str | None
    base_executable: Path | None = None
    virtual: bool = False
    libc: str = ""

    def describe(self) -> str:
        """Return its version and where it is, for a person."""
        return f"{self.implementation} {'.'.join(map(str, self.version))} ({self.executable})"


def probe(executable: str | os.PathLike[str], *, cache: Path | None = None) -> Interpreter:
    """Start a Python and return what it says about itself.

    Args:
        executable: Its path.
        cache: Where answers are kept on disk, if anywhere.

    Raises:
        ConfigurationError: There is no such file, or it is no Python from 3.6 on.
    """
    path = Path(os.path.abspath(executable))
    try:
        fingerprint = fingerprint_of(path)
    except OSError as error:
        raise ConfigurationError(f"there is no Python at {str(path)!r}: {error.strerror}") from None
    answer = answers.recall(cache, path, fingerprint)
    if answer is None:
        answer = _ask(path)
        answers.remember(cache, path, fingerprint, answer)
    return _interpreter(path, answer)


def venv_of(base: Interpreter, executable: Path, prefix: Path) -> Interpreter:
    """Return what a venv's Python would say about itself, from what its base says (PEP 405).

    Starting it only to hear that would take a third of the time that making the venv takes.

    Args:
        base: The Python that the venv was just made from.
        executable: The venv's own.
        prefix: Its folder.
    """
    patterns = ("lib*/python3*/site-packages", "Lib/site-packages")
    folders = [folder for pattern in patterns for folder in sorted(prefix.glob(pattern))]
    return base._replace(
        executable=executable, prefix=prefix, pyzmq=find_pyzmq(folders),
        base_executable=base.executable, virtual=True,
    )  # fmt: skip


def fingerprint_of(path: Path) -> list[int]:
    """Return what changes when an executable, or what it links to, is replaced."""
    status = os.stat(path)
    return [status.st_mtime_ns, status.st_size]


def _ask(path: Path) -> dict[str, Any]:
    import subprocess  # loads slowly, and most answers are known

    command = [str(path), "-I", "-c", _SCRIPT]
    # PYTHON* is shut out by -I; what remains would only matter to the launcher of a macOS
    # framework.
    environment = {k: v for k, v in os.environ.items() if k != "__PYVENV_LAUNCHER__"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
            env=environment, check=False, creationflags=NO_WINDOW,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _unusable(path, f"it did not answer within {TIMEOUT:.0f} s") from None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    output = done.stdout.decode("utf-8", "replace")
    try:
        parsed: dict[str, Any] = json.loads(output.partition(_MARK)[2])
    except ValueError:  # also when there is nothing behind the mark, or no mark
        said = (done.stderr.decode("utf-8", "replace") or output).strip()
        raise _unusable(
            path, f"exit status {done.returncode}, it printed: {said[-500:]!r}"
        ) from None
    return parsed


# A host without a console must not make one flash up for every tool that it runs.
if sys.platform == "win32":
    from subprocess import CREATE_NO_WINDOW as NO_WINDOW
else:
    NO_WINDOW = 0


def _unusable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{str(path)!r} can't be used as a Python (3.6 or newer): {reason}; give the path of a "
        "Python executable, or of an environment that has one"
    )


def _interpreter(path: Path, answer: Mapping[str, Any]) -> Interpreter:
    major, minor, micro = answer["version"]
    return Interpreter(
        executable=path,
        prefix=Path(answer["prefix"]),
        version=(major, minor, micro),
        implementation=answer["implementation"],
        abi=answer["abi"],
        platform=answer["platform"],
        pickle_protocol=answer["pickle_protocol"],
        pyzmq=find_pyzmq(answer["path"]),
        base_executable=Path(answer["base_executable"]),
        virtual=answer["virtual"],
        libc=answer["libc"],
    )


def find_pyzmq(folders: Iterable[str | os.PathLike[str]]) -> str | None:
    """Return the version of the first pyzmq installed in one of the folders."""
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if found := _PYZMQ.fullmatch(name):
                return found[1]
    return None
