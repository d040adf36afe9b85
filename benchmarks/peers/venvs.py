"""Venvs for peers, made with uv: those with many requirements should not touch each other's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import uv

from benchmarks.peers.adapter import Adapter

#: Kept from run to run.
FOLDER = Path(__file__).parents[1] / "results" / "venvs"
#: Written last: a venv without it was not finished.
DONE = "requirements.txt"


class UnavailableError(Exception):
    """A peer can't be installed; the text says why."""


def python_for(kind: type[Adapter], folder: Path = FOLDER) -> str:
    """Return the interpreter that has a peer, installing it first if it must be.

    Raises:
        UnavailableError: It can't be installed here.
    """
    if not kind.requirements:
        return sys.executable
    venv = folder / f"{kind.name.lower()}-{sys.version_info[0]}.{sys.version_info[1]}"
    python = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = "\n".join(kind.requirements)
    done = venv / DONE
    if not done.exists() or done.read_text("utf-8") != wanted:
        shutil.rmtree(venv, ignore_errors=True)
        _uv("venv", "--python", sys.executable, str(venv))
        _uv("pip", "install", "--python", str(python), *kind.requirements)
        done.write_text(wanted, "utf-8")
    return str(python)


def _uv(*arguments: str) -> None:
    command = [uv.find_uv_bin(), "--quiet", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise UnavailableError(" ".join(line.strip() for line in lines)[:300])
