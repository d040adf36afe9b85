"""The interpreters of this machine that tests run workers under."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

#: Minor versions that a worker must run under.
SUPPORTED = ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


@functools.lru_cache(maxsize=1)
def interpreters() -> dict[str, str]:
    """Return an interpreter for every minor version that is installed here."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": base_python()}
    for python in sorted(root.glob("3.*/bin/python")):
        minor = ".".join(python.parts[-3].split(".")[:2])
        if _works(python):
            found.setdefault(minor, str(python))
    return found


def base_python() -> str:
    """Return the interpreter that our virtual environment was made from."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).absolute())


def _works(python: Path) -> bool:
    code = "import json, sys; print(json.dumps(sys.version_info[:2]))"
    try:
        done = subprocess.run(
            [python, "-I", "-c", code], capture_output=True, timeout=20, check=False
        )
    except OSError:
        return False
    return done.returncode == 0 and bool(json.loads(done.stdout))
