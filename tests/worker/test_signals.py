"""Signals that reach an idle worker: handlers of users run then, and not with the next task.

Handlers in Python run on the main thread when it comes back to the interpreter. The kernel wakes it
only if the signal is its own, and if it comes when it sleeps already, not in the instant before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from tests.worker.peer import MODULES, Peer

SIGNALS = str(MODULES / "signals.py")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals")


def _call(worker: Peer, function: str, *args: object) -> object:
    return worker.call(function, *args, target=SIGNALS)


def _signal_to_a_thread_is_handled(worker: Peer, folder: Path) -> bool:
    """Have a signal reach an idle worker in a way that does not wake its main thread."""
    noted, order = folder / "noted", folder / "order"
    noted.unlink(missing_ok=True)
    order.unlink(missing_ok=True)
    _call(worker, "note_signals", str(noted))
    _call(worker, "have_a_thread_take_one", str(order))
    wait_until(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_SLEEPING)
    order.touch()
    return wait_until(noted.exists, 2.0, fail=False)


def test_a_handler_runs_at_once_even_if_nothing_wakes_the_main_thread(
    worker: Peer, tmp_path: Path
) -> None:
    for _ in range(3):
        assert _signal_to_a_thread_is_handled(worker, tmp_path)


def test_also_after_a_task_that_used_asyncio(worker: Peer, tmp_path: Path) -> None:
    _call(worker, "handle_one_in_asyncio")
    assert _signal_to_a_thread_is_handled(worker, tmp_path)


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)], ids=["read", "write", "both"])
def test_also_after_a_task_that_closed_what_it_did_not_know(
    worker: Peer, tmp_path: Path, which: Sequence[int]
) -> None:
    _call(worker, "close_ends", list(which))
    assert _signal_to_a_thread_is_handled(worker, tmp_path)


@pytest.mark.parametrize("which", [0, 1], ids=["read", "write"])
def test_what_a_task_opened_in_its_place_is_not_touched(
    worker: Peer, tmp_path: Path, which: int
) -> None:
    _call(worker, "take_number_of_end", which)
    assert _signal_to_a_thread_is_handled(worker, tmp_path)
    assert _call(worker, "read_what_is_there") == b"mine"


def test_what_a_task_left_to_be_woken_by_is_left(worker: Peer, tmp_path: Path) -> None:
    _call(worker, "leave_a_descriptor_to_be_woken_by")
    assert _signal_to_a_thread_is_handled(worker, tmp_path)
    assert _call(worker, "take_it_back") is True


def test_a_worker_that_was_woken_for_nothing_sleeps_again(worker: Peer, tmp_path: Path) -> None:
    assert _signal_to_a_thread_is_handled(worker, tmp_path)
    process = psutil.Process(worker.pid)
    before = process.cpu_times()
    assert not wait_until(lambda: process.cpu_times().user > before.user + 0.1, 0.3, fail=False)
