"""Shell commands of the user: run once to see what they do to the environment variables, or run
for their own sake inside an environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from wetlands.errors import ConfigurationError, WorkerStartError

#: Either a list of shell commands, or lists for "all", "linux", "mac" and "windows".
Commands = Sequence[str] | Mapping[str, Sequence[str]]

_DUMP = "import json, os; print(json.dumps(dict(os.environ)))"
_MARK = "wetlands-environment-variables:"


def for_this_system(commands: Commands | None) -> list[str]:
    """Return the commands to run on this system: those for all first, then its own.

    Raises:
        ConfigurationError: They are no lists of strings, or are keyed by something else.
    """
    if commands is None:
        return []
    system = {"linux": "linux", "darwin": "mac", "win32": "windows"}.get(sys.platform, "linux")
    if not isinstance(commands, Mapping):
        commands = {"all": commands}
    unknown = set(commands) - {"all", "linux", "mac", "windows"}
    if unknown:
        raise ConfigurationError(
            f"commands are given for {sorted(unknown)}; the keys are all, linux, mac and windows"
        )
    lines: list[str] = []
    for key in ("all", system):
        found = commands.get(key, ())
        if isinstance(found, str) or not all(isinstance(line, str) for line in found):
            raise ConfigurationError(f"commands must be a list of strings, not {found!r}")
        lines.extend(found)
    return lines


def apply(commands: list[str], environ: dict[str, str], executable: Path) -> dict[str, str]:
    """Return the environment variables as the commands leave them.

    They run once, in a shell that ends; workers then start with what they set, without a shell in
    between, so that exit codes and signals are the workers' own.

    Raises:
        WorkerStartError: One of them failed; the error has their output.
    """
    if not commands:
        return environ
    import json
    import subprocess  # which those who only import the package need not wait for

    dump = f'"{executable}" -I -c "{_DUMP}"'
    script = "\n".join([*commands, f"echo {_MARK}", f"exec {dump}"])
    done = subprocess.run(
        [*shell(), "set -e\n" + script],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
    )
    head, mark, found = done.stdout.rpartition(_MARK + "\n")
    if done.returncode != 0 or not mark:
        output = (head + done.stderr).strip()
        raise WorkerStartError(
            f"the activation commands {commands!r} failed with status {done.returncode}:\n{output}",
            log_tail=output,
        )
    changed: dict[str, str] = json.loads(found)
    for name in ("_", "SHLVL", "PWD", "OLDPWD"):  # the shell's own
        changed.pop(name, None)
        if name in environ:
            changed[name] = environ[name]
    return changed


def shell() -> list[str]:
    """Return the command line of a shell, to be followed by a script's text."""
    if os.name == "nt":
        return ["cmd.exe", "/d", "/c"]
    import shutil

    return [shutil.which("bash") or "/bin/sh", "-c"]
