"""Which Pythons this machine has, and which of them a recipe gets.

They come from everywhere people have them, the cheapest source first; what doesn't start, is no
CPython from 3.7 on or is a venv itself (its base is taken) is passed over silently, because a
machine full of half-removed Pythons is normal. A pyenv shim is never started: it is a shell script
that asks which Python this *folder* wants, and answers slowly that there is none.

The choice is the newest fitting minor, of it the newest micro; the host's own Python and then the
order of the sources decide between equals. A recipe without a wish gets the host's own Python, if
workers can run on it, whatever newer one lies around: it is known to exist and to be wanted here.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from wetlands.environments.probing import Interpreter, probe
from wetlands.environments.python_request import fits
from wetlands.errors import ConfigurationError, InterpreterNotFoundError

OLDEST = (3, 7)

__all__ = ["Interpreter", "choose", "find_interpreters", "probe"]

_CONDA_HOMES = (
    *("~/miniconda3", "~/anaconda3", "~/miniforge3", "~/mambaforge", "~/micromamba"),
    *("/opt/conda", "/opt/miniconda3", "/opt/anaconda3", "/opt/homebrew/Caskroom/miniforge/base"),
)
_PYTHON = re.compile(r"python(3(\.\d+)?t?)?(\.exe)?")


def find_interpreters(*, cache: Path | None = None) -> list[Interpreter]:
    """Return the Pythons of this machine that are no venvs, the host's own first.

    Args:
        cache: Where what they say about themselves is kept on disk, if anywhere.

    Safe to call from any thread.
    """
    found: dict[str, Interpreter] = {}
    for path in candidates():
        interpreter = _probe_base(path, cache)
        if interpreter is not None:
            found.setdefault(os.path.realpath(interpreter.executable), interpreter)
    return list(found.values())


def choose(request: str, *, cache: Path | None = None) -> Interpreter:
    """Return the Python that fits a canonical request best.

    Args:
        request: A version specifier; empty for the host's own Python.
        cache: Where what Pythons say about themselves is kept on disk, if anywhere.

    Raises:
        InterpreterNotFoundError: None fits; ``found`` lists those that were seen.
    """
    if not request and (own := _probe_base(_host(), cache)) and usable(own):
        return own
    found = find_interpreters(cache=cache)
    fitting = [each for each in found if usable(each) and fits(request, each.version)]
    if not fitting:
        raise _not_found(request, found)
    # max() keeps the first of equals, and the sources stand in order of preference.
    return max(fitting, key=lambda each: (not each.abi.endswith("t"), each.version))


def usable(interpreter: Interpreter) -> bool:
    """Tell whether environments can be made from it."""
    return interpreter.implementation == "CPython" and interpreter.version >= OLDEST


def _not_found(request: str, found: list[Interpreter]) -> InterpreterNotFoundError:
    listed = sorted(found, key=lambda each: each.version)
    lines = [each.describe() + ("" if usable(each) else ", too old") for each in listed]
    version = re.search(r"\d+\.\d+", request)
    wish = version[0] if version else "3.12"
    return InterpreterNotFoundError(
        f"no Python on this machine fits {request or 'workers'!r}. Found:"
        + ("".join(f"\n  {line}" for line in lines) or " none")
        + f"\nGet one, for example with `python -m uv python install {wish}` or "
        f"`pyenv install {wish}`, or ask for another version with dependencies['python']",
        request=request,
        found=lines,
    )


def _probe_base(path: Path, cache: Path | None) -> Interpreter | None:
    try:
        interpreter = probe(path, cache=cache)
        if interpreter.virtual:
            interpreter = probe(interpreter.base_executable or path, cache=cache)
    except ConfigurationError:
        return None
    return None if interpreter.virtual else interpreter


# -- where they are --------------------------------------------------------------------------------


def candidates() -> Iterator[Path]:
    """Yield executables that may be Pythons, each real file once, the preferred ones first."""
    seen: set[str] = set()
    for source in (_host_only, _managed_by_uv, _pyenv, _on_path, _py_launcher, _conda):
        for path in source():
            real = os.path.realpath(path)
            if real not in seen and os.access(path, os.X_OK) and not _is_stub(path):
                seen.add(real)
                yield path


def _is_stub(path: Path) -> bool:
    """Tell a pyenv shim, or the Windows alias that opens a shop, from a Python."""
    parts = [part.lower() for part in path.parts]
    return "shims" in parts[-2:-1] or "windowsapps" in parts


def _host() -> Path:
    # If it is a venv's, _probe_base() finds what it was made from.
    return Path(getattr(sys, "_base_executable", None) or sys.executable or "python3")


def _host_only() -> Iterator[Path]:
    # In a frozen application sys.executable is the application, and must not be started as a
    # Python.
    if sys.executable and not getattr(sys, "frozen", False):
        yield _host()


def _managed_by_uv() -> Iterator[Path]:
    from wetlands.environments.uv import query

    # With a PATH uv would start every Python on it, pyenv's shims too, only to leave them out.
    listed = query(["python", "list", "--only-installed", "--managed-python",
                    "--output-format", "json"], PATH="")  # fmt: skip
    try:
        entries = json.loads(listed or "[]")
    except ValueError:
        return
    yield from (Path(entry["path"]) for entry in entries if entry.get("path"))


def _pyenv() -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    for folder in (root / "versions", root / "pyenv-win" / "versions"):
        for prefix in sorted(glob.glob(str(folder / "*"))):
            yield from in_prefix(Path(prefix))


def _on_path() -> Iterator[Path]:
    for folder in os.get_exec_path():
        try:
            names = sorted(os.listdir(folder or "."), reverse=True)
        except OSError:
            continue
        yield from (Path(folder, name).absolute() for name in names if _PYTHON.fullmatch(name))


def _py_launcher() -> Iterator[Path]:
    if os.name != "nt":
        return
    try:
        done = subprocess.run(
            ["py", "-0p"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return
    for line in done.stdout.splitlines():
        if found := re.search(r"[A-Za-z]:\\.*\.exe", line):
            yield Path(found[0])


def _conda() -> Iterator[Path]:
    homes = [os.environ.get("CONDA_PREFIX", ""), *_CONDA_HOMES]
    homes += [os.environ.get("MAMBA_ROOT_PREFIX", "")]
    listed = Path("~/.conda/environments.txt").expanduser()
    if listed.is_file():
        homes += listed.read_text(encoding="utf-8", errors="replace").split("\n")
    for home in filter(str.strip, homes):
        prefix = Path(home.strip()).expanduser()
        yield from in_prefix(prefix)
        for inner in sorted(glob.glob(str(prefix / "envs" / "*"))):
            yield from in_prefix(Path(inner))


def in_prefix(prefix: Path) -> Iterator[Path]:
    """Yield the executable of a prefix, whatever kind of prefix it is."""
    for inner in ("bin/python", "bin/python3", "python.exe", "Scripts/python.exe"):
        if (prefix / inner).is_file():
            yield prefix / inner
            return
