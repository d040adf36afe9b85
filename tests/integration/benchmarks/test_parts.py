"""The parts of the benchmarks, as a smoke run has them."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

from benchmarks import arrays, echoes, latency, values, work
from benchmarks.gate import Gate
from benchmarks.part import Options

ROOT = Path(__file__).parents[3]


def test_who_holds_goes_on_when_the_gate_is_opened_and_not_before():
    with ThreadPoolExecutor(2) as threads:
        with Gate() as gate:
            held = gate.hold(lambda path: threads.submit(work.hold, path))
            assert not any(one.done() for one in held)
            gate.open()
            assert [one.result(10) for one in held] == [None, None]
        with Gate() as gate:
            held = gate.hold(lambda path: threads.submit(work.hold, path))
            folder = Path(gate._folder.name)
        assert [one.result(10) for one in held] == [None, None]
    assert not folder.exists()


def test_work_that_spins_says_who_did_it_and_when():
    pid, begin, end = work.spin(0.01)
    assert pid == os.getpid()
    assert end - begin == pytest.approx(0.01, abs=0.2)


def test_a_smoke_run_of_a_part_has_what_its_bars_need():
    found = {series.name: series for series in latency.measure(Options(smoke=True))}
    assert all(series.values for series in found.values())
    assert all(bar.judge(found) for bar in latency.PART.bars)


def test_a_queued_task_takes_memory():
    # In a process of its own, as in the part: here, memory that other tests freed is used again.
    command = [sys.executable, "-m", "benchmarks.queue_memory", "5000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert 100 < float(done.stdout) < 20_000


@pytest.mark.parametrize("kind", [echoes.ECHO, echoes.EXCHANGE])
def test_arrays_there_and_back_are_what_the_bars_and_the_table_of_values_name(kind):
    size, count, _, _ = values.SIZES[2]
    measured = echoes.measured(size, count, rounds=2, block=1, kind=kind)
    found = {series.name: series for series in measured}
    assert all(len(series.values) == 2 for series in found.values())
    named = {echoes.name_of(size, who, kind) for who in (echoes.OURS, echoes.POOL, echoes.COPY)}
    assert named <= set(found)
    assert [bar.text for bar in values.PART.bars if bar.judge(found)] == [
        f"{kind} of 1 MB: ProcessPoolExecutor's time / ours"
    ]
    assert f"| {kind} of 1 MB |" in values.table(found)


def test_what_an_array_is_exchanged_for_is_another_one():
    array = numpy.arange(9)
    other = arrays.exchange(array)
    assert not numpy.shares_memory(other, array)
    assert (other == array).all()
    assert arrays.exchange(array) is other
