"""pyzmq for Pythons that have none of their own, beside the environment instead of in it.

A worker needs pyzmq, and the user's environment stays exactly as locked. So one folder a kind of
Python (ABI, platform, C library) holds pyzmq for all environments of that kind; workers append it
to the end of their search path. It is made once, from a wheel: nothing is compiled behind the
user's back.
"""

from __future__ import annotations

from pathlib import Path

from wetlands.environments import uv
from wetlands.environments.disk import make_folder, read_json, remove_tree, write_json
from wetlands.environments.flock import FileLock
from wetlands.environments.layout import Layout
from wetlands.environments.probing import Interpreter, find_pyzmq
from wetlands.environments.progress import Reporter
from wetlands.environments.workspace import Workspace
from wetlands.errors import EnvironmentBuildError

LAYOUT = 1


def tag_of(interpreter: Interpreter) -> str:
    """Return the kind of Python that can share binaries, e.g. ``cp310-linux_x86_64-gnu``."""
    parts = (interpreter.abi, interpreter.platform, interpreter.libc)
    return "-".join(part for part in parts if part)


def ensure_sidecar(folder: Path, interpreter: Interpreter, reporter: Reporter) -> Path | None:
    """Return the folder that holds pyzmq for a Python, None when it has its own.

    Raises:
        EnvironmentBuildError: There is no wheel of pyzmq for it, or it can't be fetched.
    """
    if interpreter.pyzmq is not None:
        return None
    layout = _SidecarLayout(folder, tag_of(interpreter))
    if layout.ready():
        return layout.prefix
    make_folder(folder)
    with FileLock(layout.build_lock) as lock:
        if not lock.acquire(block=False):
            reporter.line("waiting for another process that installs pyzmq")
            reporter.cancellation.acquire(lock)
        if not layout.ready():
            _install(Workspace(layout, reporter, [lock]), layout, interpreter)
    return layout.prefix


class _SidecarLayout(Layout):
    def __init__(self, folder: Path, tag: str) -> None:
        super().__init__(folder)
        self.prefix = folder / tag
        self.marker = folder / f"{tag}.json"
        self.log = folder / f"{tag}.log"
        self.build_lock = folder / f"{tag}.lock"

    def ready(self) -> bool:
        record = read_json(self.marker)
        if record is None or record.get("layout") != LAYOUT:
            return False
        return (self.prefix / "zmq" / "__init__.py").is_file()


def _install(work: Workspace, layout: _SidecarLayout, interpreter: Interpreter) -> None:
    layout.marker.unlink(missing_ok=True)
    remove_tree(layout.prefix)
    work.reporter.line(f"installing pyzmq for {interpreter.abi} workers")
    arguments = ["pip", "install", "--no-build", "--target", str(layout.prefix)]
    try:
        work.uv(
            [*arguments, "--python", str(interpreter.executable), "pyzmq"],
            "pyzmq, which its workers need, can't be installed; if it can't be had as a wheel, add "
            "'pyzmq' to the environment's own packages",
        )
    except EnvironmentBuildError:
        remove_tree(layout.prefix)
        raise
    record = {"layout": LAYOUT, "pyzmq": find_pyzmq([layout.prefix]), "uv": uv.version()}
    write_json(layout.marker, record)
