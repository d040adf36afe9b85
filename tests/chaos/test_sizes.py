"""What large values and long queues take: memory, and until the first of them is done."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.conftest import WORK, Gate, Launch

np = pytest.importorskip("numpy")

MB = 2**20

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def memory(pid: int | str = "self") -> tuple[int, int]:
    """Return the bytes that a process has for itself, and the most that it ever had in all."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found = {line[0]: int(line[1]) * 1024 for line in lines if line[0] in ("RssAnon:", "VmHWM:")}
    return found["RssAnon:"], found["VmHWM:"]


def forget_the_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def make(megabytes: int) -> object:
    import numpy

    return numpy.ones(megabytes * 2**17)


def look_at(array: object) -> tuple[float, int]:
    total = float(array.sum())  # type: ignore[attr-defined]
    with open("/proc/self/status") as file:
        (own,) = [line.split()[1] for line in file if line.startswith("RssAnon:")]
    return total, int(own) * 1024


@pytest.mark.parametrize("megabytes", [100, pytest.param(2048, marks=pytest.mark.long)])
def test_an_array_costs_one_copy_on_its_way_in_memory_that_both_sides_share(
    launch: Launch, megabytes: int
) -> None:
    env = launch(max_shared_memory=3 * megabytes * MB)
    size, fifth = megabytes * MB, megabytes * MB // 5
    env.execute(look_at, args=(np.ones(9),))  # imports it
    pid = env.execute(WORK, "pid")
    (own, _), (_, peak) = memory(), memory(pid)
    result = env.execute(make, args=(megabytes,))
    assert memory()[0] - own < fifth, "the host has a copy"
    assert memory(pid)[1] - peak < 2 * size + fifth, "more than the array and what is shared"
    assert result.sum() == megabytes * 2**17
    del result
    array = np.ones(megabytes * 2**17)
    forget_the_peak()
    before = memory()[1]
    total, own_of_worker = env.execute(look_at, args=(array,))
    assert total == array.size
    assert memory()[1] - before < size + fifth, "more than what is shared"
    assert own_of_worker < 80 * MB + fifth, "the worker has a copy"


@pytest.mark.parametrize("count", [5_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_long_queue_takes_little_and_holds_up_nobody(
    launch: Launch, gate: Gate, count: int
) -> None:
    env = launch()
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    first = env.submit(WORK, "echo", (0,))
    gc.collect()
    before = psutil.Process().memory_info().rss
    tasks = [env.submit(WORK, "echo", (number,)) for number in range(1, count)]
    each = (psutil.Process().memory_info().rss - before) / count
    assert each < 1800, "bytes for a task that waits, its argument included"
    gate.release()
    begin = time.monotonic()
    assert first.wait_for(10).result == 0
    assert time.monotonic() - begin < 1
    tasks[count // 2].cancel()
    env.exit(grace=0)
    assert held.status.is_finished()
    assert all(task.status.is_finished() for task in tasks)
