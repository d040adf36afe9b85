"""What runs, how it ends, and what of it the host hears."""

from __future__ import annotations

from tests.worker.peer import Peer


def test_a_function_of_a_file_runs(worker: Peer) -> None:
    assert worker.call("add", 1, b=2) == 3
    assert worker.call("version") == worker.interpreter.version[:2]
