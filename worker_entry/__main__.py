"""Start of a worker: `<prefix>/python -I <this folder>`, its configuration as JSON on stdin.

Stdin is an inherited pipe: what it carries, the launch token above all, shows on no command line
and in no environment variable, and user code that reads stdin afterwards finds its end.

This package is loaded by its place in the file system. Its parent folder, which is the host's
site-packages, never gets on `sys.path`.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib.util
import json
import os
import sys
from typing import Any


def _load_package(folder: str) -> None:
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    spec = importlib.util.spec_from_file_location(
        "worker_entry",
        os.path.join(folder, "__init__.py"),
        submodule_search_locations=[folder],
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["worker_entry"] = module
    spec.loader.exec_module(module)


def _read_config() -> Any:
    with os.fdopen(0, "rb", closefd=False) as pipe:
        config = json.loads(pipe.read().decode("utf-8"))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return config


class _HostCloudpickle:
    """Finds the host's copy of cloudpickle, whatever the environment holds.

    Its pickles are only read by the same or a newer version of it, and the host's own copy always
    fits, because functions go by value only between equal minor versions of Python.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "cloudpickle":
            return None
        return importlib.util.spec_from_file_location(
            name,
            os.path.join(self.folder, "__init__.py"),
            submodule_search_locations=[self.folder],
        )


def _main() -> None:
    gc.disable()  # next to nothing of what is loaded is garbage, and to look takes 6 % of a start
    config = _read_config()
    _load_package(os.path.dirname(os.path.abspath(__file__)))
    # Of a crash, the thread that crashed is what a user wants to see, not our own at their sockets.
    faulthandler.enable(all_threads=False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(  # type: ignore[union-attr]
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
    if config["by_value"]:
        sys.meta_path.insert(0, _HostCloudpickle(config["cloudpickle"]))
    sys.path[:0] = config["pythonpath"]
    # At the end, so that a pyzmq of the environment's own wins; and only while it is imported, so
    # that user code can't come to lean on what happens to lie beside it.
    if config["sidecar"]:
        sys.path.append(config["sidecar"])
    from worker_entry.worker import serve

    if config["sidecar"]:
        sys.path.remove(config["sidecar"])
    # What is here now stays: no collection of a task's has to look at it. (PyPy has no such call.)
    getattr(gc, "freeze", bool)()
    gc.enable()
    serve(config)


if __name__ == "__main__":
    _main()
