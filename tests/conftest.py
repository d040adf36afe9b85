"""What every test gets: a check that it leaves nothing behind, and options."""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.processes import runs
from tests.support.waiting import wait_until
from wetlands.runtime import folder as host_folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run soaks and wide matrices")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with SIGINT ignored, which every child inherits.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A folder of our own for sockets, or the check below would count those of other programs.
    folder = tempfile.TemporaryDirectory(prefix="wl-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_RUNTIME_DIR"] = folder.name
    # Likewise for segments, in memory where that is possible.
    parent = host_folder.MEMORY if os.access(host_folder.MEMORY, os.W_OK) else None
    memory = tempfile.TemporaryDirectory(prefix="wl-", dir=parent, ignore_cleanup_errors=True)
    config.add_cleanup(memory.cleanup)
    host_folder.MEMORY = memory.name


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    chosen, left_out = [], []
    for item in items:
        (left_out if item.get_closest_marker("long") else chosen).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = chosen


def _children() -> set[int]:
    """Return all descendants that are no zombies."""
    if not os.path.exists("/proc/thread-self/children"):
        return {child.pid for child in psutil.Process().children(recursive=True) if runs(child.pid)}
    # The same without looking at every process of the machine, twice in every test.
    found: set[int] = set()
    unseen = [os.getpid()]
    while unseen:
        for path in glob.glob(f"/proc/{unseen.pop()}/task/*/children"):
            with contextlib.suppress(OSError), open(path) as file:
                unseen += [int(pid) for pid in file.read().split()]
        found.update(unseen)
    return {pid for pid in found if runs(pid)}


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("wetlands")}


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def _folders() -> set[str]:
    own = host_folder._prefix()
    parents = (Path(host_folder._parent()), Path(host_folder.MEMORY))
    found = (entry.name for parent in parents for entry in parent.iterdir())
    return {name for name in found if name.startswith(own)}


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Compare processes, threads, descriptors and folders with those before the test."""
    children, threads, descriptors, folders = _children(), _threads(), _descriptors(), _folders()
    yield

    def clean() -> bool:
        return (
            _children() <= children
            and _threads() <= threads
            and _descriptors() <= descriptors
            and _folders() <= folders
        )

    if not wait_until(clean, timeout=10.0, fail=False):
        left = {
            "processes": _children() - children,
            "threads": _threads() - threads,
            "descriptors": _descriptors() - descriptors,
            "folders": _folders() - folders,
        }
        pytest.fail(f"the test left something behind: { {k: v for k, v in left.items() if v} }")
