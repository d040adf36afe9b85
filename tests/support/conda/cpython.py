"""An installed CPython as a Conda package.

CPython finds its prefix from where its executable lies. Only two things tie an installation to its
place: the run path to libpython in the executable, which is overwritten with ``$ORIGIN/../lib`` (it
is shorter, so it fits), and text files that name the prefix, which get the placeholder.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.conda.archive import PLACEHOLDER, File, Link, Package

_QUESTION = """
import json, os, sys, sysconfig
config = sysconfig.get_config_var
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3], "minor": "%d.%d" % sys.version_info[:2],
    "prefix": sys.base_prefix, "stdlib": sysconfig.get_path("stdlib"),
    "executable": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "shared": bool(config("Py_ENABLE_SHARED")), "library": config("INSTSONAME"),
    "libraries": config("LIBDIR"),
}))
"""
_RUN_PATH = b"$ORIGIN/../lib"
_LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "idle_test", "tkinter",
    "turtledemo", "lib2to3", "ensurepip", "pydoc_data", "unittest/test",
}  # fmt: skip


def packable(interpreter: str) -> bool:
    """Tell whether a Python can be packed: one of a distribution lies scattered over /usr."""
    return sys.platform == "linux" and ask(interpreter)["prefix"] not in ("/usr", "/")


def ask(interpreter: str) -> dict[str, Any]:
    """Return what a Python says about itself."""
    answer = subprocess.check_output([interpreter, "-I", "-c", _QUESTION], text=True)
    facts: dict[str, Any] = json.loads(answer)
    return facts


def pack_python(interpreter: str, subdir: str) -> Package:
    """Return an installed CPython as a package."""
    facts = ask(interpreter)
    minor, prefix = facts["minor"], facts["prefix"]
    files: dict[str, File | Link] = {
        f"bin/python{minor}": File(_moved(Path(facts["executable"]), prefix), 0o755),
        "bin/python3": Link(f"python{minor}"),
        "bin/python": Link(f"python{minor}"),
        f"lib/python{minor}/site-packages/README.txt": File(b"Packages are installed here.\n"),
    }
    if facts["shared"]:
        library = Path(facts["libraries"]) / facts["library"]
        files[f"lib/{library.name}"] = File(library.read_bytes(), 0o755)
    files.update(_standard_library(Path(facts["stdlib"]), minor, prefix))
    return Package("python", facts["version"], files, build="0_local", subdir=subdir)


def _moved(executable: Path, prefix: str) -> bytes:
    """Return an executable that finds its library beside itself."""
    old = os.path.join(prefix, "lib").encode()
    assert len(old) >= len(_RUN_PATH), prefix
    return executable.read_bytes().replace(old + b"\0", _RUN_PATH.ljust(len(old) + 1, b"\0"))


def _standard_library(stdlib: Path, minor: str, prefix: str) -> Iterator[tuple[str, File]]:
    tag = f".cpython-{minor.replace('.', '')}.pyc"
    bytecode: dict[str, File] = {}
    changed: set[str] = set()
    for path in _files(stdlib):
        target = f"lib/python{minor}/{path.relative_to(stdlib).as_posix()}"
        file = _file(path, prefix)
        if path.suffix == ".pyc":
            if path.name.endswith(tag):
                bytecode[target] = file
            continue
        if file.prefix:
            changed.add(target)
        yield target, file
    # Bytecode knows the size of its source, which changes where a prefix is written into it.
    for target, file in bytecode.items():
        head, _, name = target.rpartition("/__pycache__/")
        if f"{head}/{name.removesuffix(tag)}.py" not in changed:
            yield target, file


def _files(stdlib: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(stdlib):
        folders[:] = sorted(
            name for name in folders if name not in _LEFT_OUT and not name.startswith("config-")
        )
        yield from (path for name in sorted(names) if (path := Path(folder, name)).is_file())


def _file(path: Path, prefix: str) -> File:
    status, data = path.stat(), path.read_bytes()
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    if path.suffix != ".py" or prefix.encode() not in data:
        return File(data, mode, int(status.st_mtime))
    data = data.replace(prefix.encode(), PLACEHOLDER.encode())
    return File(data, mode, int(status.st_mtime), prefix="text")
