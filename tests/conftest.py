"""What every test gets: a check that it leaves nothing behind, and options."""

from __future__ import annotations

import contextlib
import gc
import glob
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from tests.support.conda.channel import Channel, build_channel
from tests.support.conda.cpython import packable
from tests.support.processes import runs
from tests.support.pythons import base_python
from tests.support.side_by_side import process_count, shared_folder, turn
from tests.support.waiting import wait_until
from wetlands.runtime import folder as host_folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run soaks and wide matrices")
    parser.addoption("--network", action="store_true", help="also run on public Conda channels")


#: How many examples Hypothesis makes up for each property.
settings.register_profile("usual", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("long", settings.get_profile("usual"), max_examples=3000)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--hypothesis-profile") is None:
        settings.load_profile("long" if config.getoption("--long") else "usual")
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
    off = [mark for mark in ("long", "network") if not config.getoption(f"--{mark}")]
    chosen, left_out = [], []
    for item in items:
        unwanted = any(item.get_closest_marker(mark) for mark in off)
        (left_out if unwanted else chosen).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    # First those that would keep one process busy when the others are done.
    items[:] = sorted(chosen, key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    # What is made here are the tests themselves, and stays: no sweep of the garbage collector,
    # which many tests ask for, need look at it.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return process_count(config)


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


@pytest.fixture(scope="session")
def folder_of_the_run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder that all processes of this run have in common."""
    return shared_folder(request.config, tmp_path_factory.getbasetemp())


@pytest.fixture(autouse=True)
def in_turn(request: pytest.FixtureRequest, folder_of_the_run: Path) -> Iterator[None]:
    """Keep other test processes away from tests that are marked so."""
    with turn(folder_of_the_run, alone=request.node.get_closest_marker("alone") is not None):
        yield


@pytest.fixture(autouse=True)
def nothing_is_left_behind(in_turn: None) -> Iterator[None]:
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


@pytest.fixture(scope="session")
def conda_channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """A channel of real Conda packages; not to be changed, but `Channel.copy` makes another."""
    if not packable(base_python()):
        pytest.skip("the Python that runs the tests can't be packed as a Conda package")
    return build_channel(tmp_path_factory.mktemp("channel"))
