"""Big arrays: as they went, whatever way they take, and their memory back when they are gone."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Gate, Launch
from tests.support.pythons import interpreters
from tests.support.waiting import wait_until
from wetlands import Environment, EnvironmentManager
from wetlands.errors import (
    ConfigurationError,
    NotLaunchedError,
    PoolClosedError,
    TaskTimeoutError,
    WorkerLostError,
)

np = pytest.importorskip("numpy")

ARRAYS = Path(__file__).parent / "modules" / "arrays.py"
MB = 1024 * 1024

pytestmark = pytest.mark.skipif(os.name == "nt", reason="segments are for POSIX systems")


@pytest.fixture(scope="module")
def shared(manager: EnvironmentManager) -> Iterator[Environment]:
    env = manager.load("arrays", sys.executable)
    env.launch(max_workers=2)
    yield env
    env.exit()


@pytest.fixture
def env(shared: Environment) -> Iterator[Environment]:
    yield shared
    for task in [shared.submit(ARRAYS, "drop") for _ in range(8)]:
        task.wait_for(5)


def files(env: Environment, place: int = 0) -> list[str]:
    """Return the segments of an environment."""
    pool: Any = env._pool
    names = os.listdir(pool._host.segment_folders[place].path)
    own = f"{pool.codec.carrier._family}."
    return sorted(n for n in names if n.startswith(own) and not n.endswith("growing"))


def samples() -> list[Any]:
    ones = np.arange(600_000, dtype="i4").reshape(600, 1000)
    return [
        ones,
        np.asfortranarray(ones),
        ones[::2, ::3],
        ones.astype(">f8"),
        ones.view("M8[ms]") if ones.itemsize == 8 else ones.astype("M8[ms]"),
        np.zeros(100_000, [("a", "i4"), ("b", "f8", 2)]),
        {"many": [np.full(50_000, i) for i in range(5)], "small": np.arange(3)},
    ]


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return all(
            same(x, y) for x, y in zip(found["many"], expected["many"], strict=True)
        ) and same(found["small"], expected["small"])
    flags = "c_contiguous", "f_contiguous"
    return (
        found.dtype == expected.dtype
        and found.shape == expected.shape
        and found.flags.writeable
        and (found.tobytes() == expected.tobytes())
        and (
            expected.base is not None
            or all(getattr(found.flags, flag) == getattr(expected.flags, flag) for flag in flags)
        )
    )


def no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    from wetlands.runtime import host

    monkeypatch.setattr(host, "segment_folders", list)


@pytest.mark.parametrize("way", ["memory", "disk", "full", "none"])
def test_arrays_come_back_as_they_went_whatever_way_they_take(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "none":
        no_folders(monkeypatch)
    env = launch(max_shared_memory=None if way == "memory" else 0)
    if way == "full":
        # Of both folders, which takes what would be a write beyond the end of a file system.
        assert env._pool is not None
        env._pool.codec.carrier.pool._folders = ["/nowhere", "/nowhere"]  # type: ignore[attr-defined]
    for expected in samples():
        assert same(env.execute(ARRAYS, "echo", (expected,)), expected)
    if way in ("memory", "disk"):
        assert files(env, 0 if way == "memory" else 1)
        assert not files(env, 1 if way == "memory" else 0)


@pytest.mark.parametrize("version", ["3.7", "3.8", "3.9", "3.10", "3.12", "3.13"])
def test_workers_of_any_version_take_part(launch: Launch, tmp_path: Path, version: str) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"Python {version} is not here")
    plain = tmp_path / "plain.py"
    source = ARRAYS.read_text().replace("import numpy as np\n", "")
    plain.write_text(source)
    env = launch(python=python)
    content = os.urandom(2 * MB)
    if version == "3.7":
        assert env.execute(plain, "echo", (content,)) == content
        with pytest.raises(ConfigurationError, match=r"Python 3\.7"):
            env.empty(10, mode="inout")
        assert env.empty(10).shape == (10,)
        return
    for _ in range(3):
        found = env.execute(plain, "flip", (pickle.PickleBuffer(content),))
        assert bytes(found) == content[::-1]
        del found
    assert len(files(env)) == 2


# -- memory comes back -----------------------------------------------------------------------------


def test_segments_are_used_again_without_the_garbage_collector(env: Environment) -> None:
    array = np.ones(MB)
    gc.disable()
    try:
        for _ in range(30):
            env.execute(ARRAYS, "echo", (array,))
            task = env.submit(ARRAYS, "echo", (array,))
            task.wait_for(5)
            assert task.result[-1] == 1
            del task
    finally:
        gc.enable()
    assert len(files(env)) <= 6, "two in the host, and two in each worker"


@pytest.mark.parametrize("doing", ["fail", "cancel"])
def test_tasks_that_return_nothing_give_their_segments_back(env: Environment, doing: str) -> None:
    array = np.ones(MB)
    for _ in range(20):
        env.submit(ARRAYS, doing, (array,)).wait_for(5)
    assert len(files(env)) <= 6


def test_results_and_outputs_that_nobody_looks_at_give_theirs_back(env: Environment) -> None:
    for _ in range(10):
        env.submit(ARRAYS, "make", (1, MB)).wait_for(5)
        env.submit(ARRAYS, "publish", (1, MB)).wait_for(5)
    assert len(files(env)) <= 10


def test_a_task_that_is_dropped_before_its_start_gives_its_segment_back(env: Environment) -> None:
    count = len(files(env))
    for _ in range(10):
        env.submit(ARRAYS, "echo", (np.ones(3 * MB),), start=False)
        gc.collect()
    assert len(files(env)) <= count + 1


def test_what_a_worker_keeps_is_not_overwritten(launch: Launch) -> None:
    env = launch()
    for number in range(4):
        env.execute(ARRAYS, "keep", (number, np.full(MB, number, "u1")))
    for _ in range(10):
        env.execute(ARRAYS, "echo", (np.full(MB, 99, "u1"),))
    for number in range(4):
        assert env.execute(ARRAYS, "total", (number,)) == number * MB
    assert len(files(env)) == 5  # what is only echoed comes back where it was
    env.execute(ARRAYS, "drop")
    for _ in range(10):
        env.execute(ARRAYS, "echo", (np.full(MB, 99, "u1"),))
    assert len(files(env)) == 5  # what is only echoed comes back where it was


def test_a_worker_that_forks_still_holds_its_arguments(launch: Launch) -> None:
    env = launch()
    env.execute(ARRAYS, "keep", ("forked", np.full(MB, 3, "u1")))
    env.execute(ARRAYS, "fork_and_drop")
    env.execute(ARRAYS, "echo", (np.full(MB, 99, "u1"),))
    assert env.execute(ARRAYS, "total", ("forked",)) == 3 * MB


def test_what_the_host_keeps_is_not_overwritten(env: Environment) -> None:
    kept = [env.execute(ARRAYS, "make", (number, MB)) for number in range(10)]
    outputs = [env.submit(ARRAYS, "publish", (number, MB)).wait_for(5) for number in range(5)]
    for _ in range(10):
        env.execute(ARRAYS, "make", (99, MB))
    assert all((array == number).all() for number, array in enumerate(kept))
    for number, task in enumerate(outputs):
        assert (task.outputs["part2"] == number + 2).all()


def test_an_argument_can_be_written_to_and_the_callers_array_stays(env: Environment) -> None:
    array = np.ones(MB)
    assert env.execute(ARRAYS, "fill", (array, 5)) is True
    assert (array == 1).all()


def test_a_task_that_runs_out_of_time_keeps_its_argument_until_its_worker_stops(
    launch: Launch, gate: Gate
) -> None:
    env = launch()
    task = env.submit(ARRAYS, "hold", (np.full(MB, 1, "u1"), gate.path), timeout=0.2)
    gate.wait_started()
    with pytest.raises(TaskTimeoutError):
        task.future.result()
    others = [env.submit(ARRAYS, "echo", (np.full(MB, 7, "u1"),)) for _ in range(3)]
    assert len(files(env)) == 4
    gate.release()
    for other in others:
        assert (other.wait_for(10).result == 7).all()


def test_a_task_that_ends_before_its_worker_reads_it_keeps_its_argument(launch: Launch) -> None:
    env = launch()
    pid = env.execute(os.getpid)
    env.execute(ARRAYS, "drop")  # imports
    os.kill(pid, signal.SIGSTOP)
    try:
        late = env.submit(ARRAYS, "keep", ("late", np.full(MB, 1, "u1")), timeout=0.1)
        with pytest.raises(TaskTimeoutError):
            late.future.result(5)
        other = env.submit(ARRAYS, "echo", (np.full(MB, 7, "u1"),))
        assert len(files(env)) == 2
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (other.wait_for(10).result == 7).all()
    assert env.execute(ARRAYS, "total", ("late",)) == MB


def test_the_segment_of_an_argument_is_free_when_its_task_has_ended(launch: Launch) -> None:
    env = launch()
    array = np.ones(MB)
    for _ in range(30):
        env.execute(ARRAYS, "first", (array,))
    assert len(files(env)) == 1


# -- the ceiling -----------------------------------------------------------------------------------


def test_submitting_waits_for_space(launch: Launch, gate: Gate) -> None:
    env = launch(max_shared_memory=3 * MB)
    held = env.submit(ARRAYS, "hold", (np.ones(2 * MB, "u1"), gate.path))
    gate.wait_started()
    second: list[Any] = []

    def submit() -> None:
        second.append(env.submit(ARRAYS, "first", (np.full(2 * MB, 2, "u1"),)))

    thread = threading.Thread(target=submit)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "it must wait"
    gate.release()
    thread.join(10)
    assert not thread.is_alive()
    assert held.wait_for(5).result == 2 * MB
    assert second[0].wait_for(5).result == 2
    assert files(env, 1) == []


def test_nothing_waits_for_tasks_that_were_not_started(launch: Launch) -> None:
    env = launch(max_shared_memory=3 * MB)
    first = env.submit(ARRAYS, "first", (np.ones(2 * MB, "u1"),), start=False)
    assert env.execute(ARRAYS, "first", (np.full(2 * MB, 2, "u1"),)) == 2
    assert files(env, 1) != [], "it went another way"
    assert first.start().wait_for(5).result == 1


def test_a_map_of_more_than_fits_comes_through(launch: Launch) -> None:
    env = launch(max_workers=2, max_shared_memory=8 * MB)
    items = [np.full(MB, number, "u1") for number in range(40)]
    found = list(env.map(ARRAYS, "echo", items))
    assert [array[-1] for array in found] == list(range(40))


@pytest.mark.parametrize("value", [-1, 1.5, "1G", True])
def test_a_ceiling_is_a_number_of_bytes(launch: Launch, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_shared_memory"):
        launch(max_shared_memory=value)


# -- ends ------------------------------------------------------------------------------------------


def test_results_outlive_their_worker_and_their_environment(launch: Launch) -> None:
    env = launch()
    first = env.execute(ARRAYS, "make", (1, MB))
    lost = env.submit(ARRAYS, "fill_and_die", (np.ones(MB),))
    with pytest.raises(WorkerLostError):
        lost.future.result()
    second = env.execute(ARRAYS, "make", (2, MB))
    wait_until(lambda: not any(".0-1." in name for name in files(env)))
    env.exit()
    assert (first == 1).all()
    assert (second == 2).all()
    first[:] = 3
    assert (first == 3).all()


def test_exit_removes_every_segment_while_others_go_on(launch: Launch, env: Environment) -> None:
    env.execute(ARRAYS, "echo", (np.ones(MB),))
    folder = env._pool._host.segment_folders[0].path  # type: ignore[union-attr]
    before = sorted(os.listdir(folder))
    own = launch()
    kept = own.execute(ARRAYS, "echo", (np.ones(MB),))
    array = own.empty(MB)
    assert len(files(own)) == 2, "the array lies where the argument was"
    own.exit()
    assert sorted(os.listdir(folder)) == before
    assert kept[-1] == 1
    array[:] = 2
    assert env.execute(ARRAYS, "first", (array,)) == 2, "from here on it is copied"
    with pytest.raises(PoolClosedError):
        own.empty(1)


def test_what_a_killed_worker_held_is_free(launch: Launch) -> None:
    env = launch()
    for _ in range(10):
        task = env.submit(ARRAYS, "fill_and_die", (np.ones(MB),))
        with pytest.raises(WorkerLostError):
            task.future.result()
    env.execute(ARRAYS, "echo", (np.ones(MB),))
    assert len(files(env)) <= 3


# -- arrays that lie in segments from the start ----------------------------------------------------


def test_workers_write_into_the_callers_memory(env: Environment) -> None:
    array = env.empty((1000, 100), "i4", mode="inout")
    array[...] = 1
    env.execute(ARRAYS, "fill", (array, 2))
    assert (array == 2).all()
    env.execute(ARRAYS, "fill", (array[10:12], 3))  # far below the size of what is left out
    assert (array[10:12] == 3).all()
    assert (array[12:] == 2).all()
    tasks = [env.submit(ARRAYS, "fill", (array[i * 100 : i * 100 + 100], i)) for i in range(10)]
    for task in tasks:
        task.wait_for(5)
    assert (array.reshape(10, -1) == np.arange(10)[:, None]).all()


def test_submitting_a_shared_array_copies_nothing(env: Environment) -> None:
    array = env.share(np.arange(MB, dtype="u1"))
    before = files(env)
    tasks = [env.submit(ARRAYS, "first", (array[i:],)) for i in range(50)]
    assert [task.wait_for(5).result for task in tasks] == [float(i) for i in range(50)]
    assert files(env) == before


def test_what_workers_write_into_a_shared_array_stays_with_them(env: Environment) -> None:
    source = np.arange(MB)
    array = env.share(source)
    assert env.execute(ARRAYS, "fill", (array, 9)) is True
    assert (array == source).all()
    assert env.execute(ARRAYS, "first", (array[5:],)) == 5
    source[:] = 0
    assert array[5] == 5


def test_a_worker_may_keep_two_views_of_a_shared_array(launch: Launch) -> None:
    env = launch()
    array = env.share(np.full(MB, 1, "u1"))
    env.execute(ARRAYS, "keep", ("first", array))
    env.execute(ARRAYS, "keep", ("second", array[1:]))
    env.execute(ARRAYS, "keep", ("second", 0 * array[:1].copy()))
    del array
    for _ in range(4):
        del _
        env.execute(ARRAYS, "fill", (env.share(np.full(MB, 7, "u1")), 8))
    assert env.execute(ARRAYS, "total", ("first",)) == MB


def test_a_shared_array_lives_as_long_as_a_task_that_uses_it(env: Environment, gate: Gate) -> None:
    array = env.share(np.full(MB, 1, "u1"))
    task = env.submit(ARRAYS, "hold", (array, gate.path))
    gate.wait_started()
    del array
    others = [env.share(np.full(MB, 7, "u1")) for _ in range(3)]
    gate.release()
    assert task.wait_for(5).result == MB
    assert [other[0] for other in others] == [7] * 3


def test_the_memory_of_shared_arrays_is_used_again(env: Environment) -> None:
    for _ in range(10):
        array = env.empty(5 * MB, "u1")
        count = len(files(env))
        env.execute(ARRAYS, "first", (array,))
        del array
    assert len(files(env)) == count


def test_a_worker_that_is_killed_leaves_what_it_wrote(launch: Launch) -> None:
    env = launch()
    array = env.share(np.zeros(MB, "u1"), mode="inout")
    task = env.submit(ARRAYS, "fill_and_die", (array,))
    with pytest.raises(WorkerLostError):
        task.future.result()
    assert (array == 9).all()


@pytest.mark.parametrize(
    ("args", "kwargs", "match"),
    [
        ((-1,), {}, "whole numbers"),
        ((1.5,), {}, "whole numbers"),
        ((3, object), {}, "references"),
        ((3,), {"mode": "out"}, "mode"),
    ],
)
def test_what_can_be_no_shared_array_is_refused(
    env: Environment, args: Any, kwargs: Any, match: str
) -> None:
    with pytest.raises(ConfigurationError, match=match):
        env.empty(*args, **kwargs)


def test_without_space_an_array_that_is_only_read_is_an_ordinary_one(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = launch()
    pool: Any = env._pool
    pool.codec.carrier.pool._folders = ["/nowhere"]
    array = env.share(np.ones(MB))
    assert env.execute(ARRAYS, "first", (array,)) == 1
    with pytest.raises(MemoryError, match="max_shared_memory"):
        env.empty(MB, mode="inout")


def test_without_numpy_it_says_so(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ConfigurationError, match="install numpy"):
        env.empty(1)


def test_there_must_be_workers(manager: EnvironmentManager) -> None:
    with pytest.raises(NotLaunchedError):
        manager.load("arrays-unlaunched", sys.executable).empty(1)


# -- arguments that come back ----------------------------------------------------------------------


def lies_in_segment_of_host(env: Environment, array: Any) -> bool:
    """Whether an array lies in memory that went to the worker with the arguments."""
    pool: Any = env._pool
    address = array.__array_interface__["data"][0]
    for segment in pool.codec.carrier.pool.segments.values():
        begin = np.frombuffer(segment.map, "u1").__array_interface__["data"][0]
        if begin <= address < begin + len(segment.map):
            return True
    return False


def test_an_argument_that_is_returned_comes_back_in_its_own_memory(env: Environment) -> None:
    array = np.arange(300_000.0)
    found = env.execute(ARRAYS, "double", (array,))
    assert (found == np.arange(300_000.0) * 2).all()
    assert (array == np.arange(300_000.0)).all()
    assert lies_in_segment_of_host(env, found)
    others = [env.execute(ARRAYS, "double", (np.full(300_000, i),)) for i in range(5)]
    found += 1  # it can be written to, and is nobody else's
    assert [int(other[0]) for other in others] == [0, 2, 4, 6, 8]
    assert (found == np.arange(300_000.0) * 2 + 1).all()


def test_its_memory_is_used_again_when_it_is_gone(env: Environment) -> None:
    for _ in range(3):
        env.execute(ARRAYS, "double", (np.ones(300_000),))
    before = files(env)
    for _ in range(50):
        env.execute(ARRAYS, "double", (np.ones(300_000),))
    assert files(env) == before


def test_what_a_worker_goes_on_using_comes_back_as_a_copy(launch: Launch) -> None:
    env = launch()
    found = env.execute(ARRAYS, "keep_and_return", ("it", np.ones(300_000)))
    assert not lies_in_segment_of_host(env, found)
    # Now it is one of an earlier call, whose memory may not go back with this one.
    changed = env.execute(ARRAYS, "change_kept", ("it", 5.0))
    again = env.execute(ARRAYS, "change_kept", ("it", 7.0))
    assert [float(array[0]) for array in (found, changed, again)] == [1, 5, 7]
    env.execute(ARRAYS, "drop")


def test_two_arrays_in_the_same_memory_come_back_as_two(env: Environment) -> None:
    first, second, third = env.execute(ARRAYS, "overlapping", (np.arange(300_000.0),))
    first[:] = second[:] = -1
    assert (third == np.arange(300_000.0)).all()


def test_an_output_is_what_it_was_when_it_was_set(env: Environment) -> None:
    task = env.submit(ARRAYS, "publish_and_change", (np.ones(300_000),))
    assert float(task.wait_for(10).result[0]) == -1
    assert (task.outputs["before"] == 1).all()


def test_an_array_of_the_callers_that_is_returned_is_another_one(env: Environment) -> None:
    for mode in ("in", "inout"):
        shared = env.share(np.ones(300_000), mode=mode)
        found = env.execute(ARRAYS, "double", (shared,))
        assert (found == 2).all()
        assert float(shared[0]) == (1 if mode == "in" else 2)
        found[:] = 9
        assert float(shared[0]) == (1 if mode == "in" else 2)


def test_what_comes_back_outlives_its_environment(launch: Launch) -> None:
    env = launch()
    found = env.execute(ARRAYS, "double", (np.ones(300_000),))
    env.exit()
    assert (found == 2).all()
