"""Control groups of a test's own, where this machine lets one make them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

MOUNT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def control_group(controller: str, *files: str) -> Iterator[tuple[Path, str]]:
    """Make a group below our own; give it, and which of these files it has.

    Skips the test where that can't be done. The file ``cgroup.procs`` in it takes process ids. It
    is gone afterwards, and who was in it has to be.
    """
    group = _own_place(controller) / f"wetlands-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of {controller} can be made here: {error}")
    try:
        found = [name for name in files if (group / name).exists()]
        if not found:
            pytest.skip(f"a control group has none of {', '.join(files)} here")
        yield group, found[0]
    finally:
        wait_until(lambda: _removed(group), timeout=10)


def _own_place(controller: str) -> Path:
    """Return our own group: of this controller (version 1), or of all (version 2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        pytest.skip("there are no control groups here")
    places = {controllers: place for _, controllers, place in (x.split(":", 2) for x in lines)}
    if controller in places:
        return MOUNT / controller / places[controller].lstrip("/")
    return MOUNT / places.get("", "").lstrip("/")


def _removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()
