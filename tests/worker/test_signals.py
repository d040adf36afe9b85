"""Signals that reach an idle worker: handlers of users run then, and not with the next task.

Handlers in Python run on the main thread when it comes back to the interpreter. The kernel wakes it
only if the signal is its own, and if it comes when it sleeps already, not in the instant before.
"""

from __future__ import annotations

import os
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
    process = psutil.Process(worker.pid)
    before = process.cpu_times().user  # and it sleeps again
    assert not wait_until(lambda: process.cpu_times().user > before + 0.05, 0.1, fail=False)


def test_whatever_tasks_did_to_the_descriptors_that_wake_it(worker: Peer, tmp_path: Path) -> None:
    """They used asyncio, which leaves none, or closed what they did not know."""
    _call(worker, "handle_one_in_asyncio")
    assert _signal_to_a_thread_is_handled(worker, tmp_path)
    for ends in ([0], [1], [0, 1]):
        _call(worker, "close_ends", ends)
        assert _signal_to_a_thread_is_handled(worker, tmp_path)


def test_while_a_task_runs_there_is_no_descriptor_but_its_own(worker: Peer) -> None:
    assert _call(worker, "wakeup_descriptor") == -1


def test_what_tasks_have_in_their_place_is_left_alone(worker: Peer, tmp_path: Path) -> None:
    for end in (0, 1):
        _call(worker, "take_number_of_end", end)
        assert _signal_to_a_thread_is_handled(worker, tmp_path)
        assert _call(worker, "read_what_is_there") == b"mine"
        assert _call(worker, "other_end_has_got") == b""
    _call(worker, "take_number_with_nothing_to_read")
    assert _signal_to_a_thread_is_handled(worker, tmp_path)
    assert "BrokenPipeError" not in worker.stderr
    _call(worker, "leave_a_descriptor_to_be_woken_by")
    assert _signal_to_a_thread_is_handled(worker, tmp_path)
    assert _call(worker, "take_it_back") is True
