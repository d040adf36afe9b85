"""What activating a Conda environment does to environment variables, found out once.

Packages bring scripts (``etc/conda/activate.d``) and variables (``etc/conda/env_vars.d``), users
have variables of their own (``conda-meta/state``). Reading these is cheap; the scripts are run in
one shell, and what they change is kept under the root until one of them changes. An environment
without scripts needs no shell at all. Nothing is written into the prefix.

What is kept are changes and not values: a script that puts a folder before ``PATH`` does so
whatever ``PATH`` is next time. Other variables that a script changed must be as they were when it
ran, else it is run again.

Sources: conda's documentation, "Managing environments"; CEP 24.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wetlands import activation
from wetlands.environments import answers
from wetlands.environments.disk import read_json

_SUFFIX = ".bat" if os.name == "nt" else ".sh"


def switched(
    prefix: Path,
    environ: Mapping[str, str],
    python: Path,
    cache: Path | None,
    own: Mapping[str, str] = {},
) -> dict[str, str]:
    """Return environment variables as `activated` leaves them, after what the host itself runs in
    was `deactivated`."""
    former = os.environ.get("CONDA_PREFIX")
    if former and Path(former) != prefix:
        environ = deactivated(Path(former), environ, python, cache)
    return activated(prefix, environ, python, cache, own)


def activated(
    prefix: Path,
    environ: Mapping[str, str],
    python: Path,
    cache: Path | None,
    own: Mapping[str, str] = {},
) -> dict[str, str]:
    """Return environment variables as activating a prefix leaves them.

    Args:
        prefix: The prefix; if it is none of Conda's, only its own variables are added.
        environ: The variables before, with the prefix's programs first on ``PATH``.
        python: The Python of the prefix.
        cache: Where the effect of scripts is kept, if anywhere.
        own: Variables of the environment's recipe, which come before those of packages.

    Raises:
        WorkerStartError: The shell that runs the scripts failed.
    """
    if not (prefix / "conda-meta").is_dir():
        return {**environ, **own}
    base = {
        **environ,
        "PATH": os.pathsep.join([*_folders(prefix), environ.get("PATH", os.defpath)]),
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": str(prefix),
        "CONDA_SHLVL": "1",
        **_variables(prefix),
        **own,
    }
    return _run(_scripts(prefix, "activate.d"), base, python, cache)


def deactivated(
    former: Path, environ: Mapping[str, str], python: Path, cache: Path | None
) -> dict[str, str]:
    """Return environment variables without what activating a prefix once did to them.

    A host that runs in a Conda environment has that one's variables (of GDAL, of PROJ, of
    compilers), which would lead the packages of another one astray. ``PATH`` stays: what is
    missing elsewhere may be found there.

    Args:
        former: The prefix.
        environ: The variables.
        python: Any Python, to read variables out of a shell.
        cache: Where the effect of scripts is kept, if anywhere.

    Raises:
        WorkerStartError: The shell that runs the scripts failed.
    """
    if not (former / "conda-meta").is_dir():
        return dict(environ)
    scripts = _scripts(former, "deactivate.d")[::-1]
    after = _run(scripts, {**environ, "CONDA_PREFIX": str(former)}, python, cache)
    own = {**_variables(former), "CONDA_PREFIX": str(former)}
    kept = {name: value for name, value in after.items() if own.get(name) != value}
    return {**kept, "PATH": environ.get("PATH", os.defpath)}


def _scripts(prefix: Path, folder: str) -> list[Path]:
    return sorted((prefix / "etc" / "conda" / folder).glob(f"*{_SUFFIX}"))


def _folders(prefix: Path) -> list[str]:
    """Return what is on ``PATH`` beside the folder of the Python, which is there already."""
    if os.name != "nt":
        return []
    inner = ("Library/mingw-w64/bin", "Library/usr/bin", "Library/bin", "Scripts", "bin")
    return [str(prefix / folder) for folder in inner]


def _variables(prefix: Path) -> dict[str, str]:
    found: dict[str, Any] = {}
    for file in sorted((prefix / "etc" / "conda" / "env_vars.d").glob("*.json")):
        found.update(read_json(file) or {})
    state = read_json(prefix / "conda-meta" / "state") or {}
    own = state.get("env_vars")
    found.update(own if isinstance(own, dict) else {})
    # conda marks so what the user has unset.
    unset = "***unset***"
    return {key: value for key, value in found.items()
            if isinstance(value, str) and value != unset}  # fmt: skip


def _run(
    scripts: list[Path], base: dict[str, str], python: Path, cache: Path | None
) -> dict[str, str]:
    """Return variables as scripts of one folder leave them."""
    if not scripts:
        return base
    folder = scripts[0].parent
    fingerprint = [_fingerprint(script) for script in scripts]
    known = answers.recall(cache, folder, fingerprint)
    changes = known.get("changes") if known else None
    if isinstance(changes, dict) and (done := _apply(changes, base)) is not None:
        return done
    # Unlike the user's own commands, scripts may fail here and there: conda does not look.
    run = "call" if os.name == "nt" else "."
    lines = ["set +e", *(f"{run} {shlex.quote(str(script))}" for script in scripts)]
    after = activation.apply(lines, base, python)
    answers.remember(cache, folder, fingerprint, {"changes": _compare(base, after)})
    return after


def _fingerprint(script: Path) -> list[Any]:
    status = script.stat()
    return [script.name, status.st_mtime_ns, status.st_size]


def _compare(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return how each variable that differs came to its value."""
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return {name: _change(before.get(name), after.get(name)) for name in changed}


def _change(old: str | None, new: str | None) -> list[Any]:
    """Return how a value came to be: the old one with entries around it, or a new one."""
    before, after = (value.split(os.pathsep) if value else [] for value in (old, new))
    for place in range(len(after) - len(before) + 1):
        if before and after[place : place + len(before)] == before:
            return ["around", after[:place], after[place + len(before) :]]
    return ["set", old, new]


def _apply(changes: Mapping[str, Any], base: Mapping[str, str]) -> dict[str, str] | None:
    """Return the variables after the changes, None if they might be others now."""
    environ = dict(base)
    for name, (kind, first, second) in changes.items():
        current = base.get(name)
        if kind == "around" and current:
            environ[name] = os.pathsep.join([*first, current, *second])
        elif kind == "around" or current != first:
            return None
        elif second is None:
            environ.pop(name, None)
        else:
            environ[name] = second
    return environ
