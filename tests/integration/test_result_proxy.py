"""Results that stay in their worker: passed on, fetched, dropped, and lost."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import signal
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.pythons import interpreters
from tests.support.waiting import wait_until
from wetlands import Environment, ResultProxy
from wetlands.errors import (
    ConfigurationError,
    ResultError,
    SerializationError,
    WorkerLostError,
)
from wetlands.task import TaskStatus


def make(env: Environment, *args: Any) -> ResultProxy:
    proxy = env.execute(WORK, "make_counter", args, result="proxy")
    assert isinstance(proxy, ResultProxy)
    return proxy


def dropped(env: Environment) -> list[str]:
    return list(env.execute(WORK, "dropped_counters"))


def test_a_value_stays_in_its_worker_and_is_passed_to_the_next_task(env: Environment) -> None:
    task = env.submit(WORK, "make_counter", (5,), result="proxy").wait_for(5)
    proxy = task.result
    assert (proxy.type_name, proxy.alive) == ("work.Counter", True)
    assert repr(proxy).startswith("<ResultProxy of a work.Counter in worker")
    calls = [env.submit(WORK, "count_up", (proxy,), {"by": 2}) for _ in range(20)]
    assert [call.wait_for(5).result for call in calls] == list(range(7, 47, 2))
    assert {call.worker for call in calls} == {task.worker}


def test_it_may_be_nested_and_mapped_over_and_be_in_a_closure(env: Environment) -> None:
    proxy = make(env, 3)
    values, pid = env.execute(WORK, "count_up_in", ({"counters": [proxy, proxy]},))
    assert values == [3, 3]
    assert pid != os.getpid()
    assert list(env.map(WORK, "count_up", [proxy] * 3)) == [4, 5, 6]
    assert sorted(t.wait_for(5).result for t in env.map_tasks(WORK, "count_up", [proxy])) == [7]

    def peek() -> int:
        return proxy.value  # type: ignore[attr-defined, no-any-return]

    assert env.execute(peek) == 7


def test_plain_data_can_be_fetched_and_what_can_not_be_sent_says_so(env: Environment) -> None:
    data = env.execute(WORK, "echo", ({"a": [1, 2]},), result="proxy")
    assert data.type_name == "dict"
    assert data.fetch() == {"a": [1, 2]}
    with pytest.raises(ResultError, match="stays where it is"):
        make(env).fetch()


def test_dropping_the_proxy_drops_the_value(launch: Launch) -> None:
    env = launch()
    proxies = [make(env, 0, name) for name in "abc"]
    proxies[0].release()
    assert not proxies[0].alive
    proxies[0].release()  # once is enough
    del proxies[1]
    wait_until(lambda: dropped(env) == ["a", "b"])
    assert env.execute(WORK, "count_up", (proxies[1],)) == 1
    with pytest.raises(SerializationError, match="released"):
        env.submit(WORK, "count_up", (proxies[0],))
    with pytest.raises(SerializationError, match="released"):
        proxies[0].fetch()


def test_a_result_that_nobody_looks_at_is_dropped_and_one_that_is_canceled(launch: Launch) -> None:
    env = launch()
    env.submit(WORK, "make_counter", (0, "unseen"), result="proxy").wait_for(5)
    task = env.submit(WORK, "make_and_cancel", result="proxy").wait_for(5)
    assert task.status is TaskStatus.CANCELED
    gc.collect()
    wait_until(lambda: dropped(env) == ["canceled", "unseen"])


def test_a_task_that_waits_keeps_its_values(launch: Launch, gate: Gate) -> None:
    env = launch()
    proxy = make(env, 1)
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    task = env.submit(WORK, "count_up", (proxy,))
    del proxy
    gc.collect()
    gate.release()
    held.wait_for(5)
    assert task.wait_for(5).result == 2
    wait_until(lambda: dropped(env) == ["counter"])


def test_a_worker_that_is_never_idle_drops_as_well(launch: Launch, gate: Gate) -> None:
    env = launch()
    proxy = make(env)
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    at_once_after = env.submit(WORK, "dropped_counters")
    proxy.release()
    gate.release()
    held.wait_for(5)
    assert at_once_after.wait_for(5).result == ["counter"]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no stopping of processes")
def test_a_worker_that_is_slow_to_drop_does_not_look_unreachable(launch: Launch) -> None:
    env = launch()
    task = env.submit(WORK, "make_counter", result="proxy").wait_for(5)
    pool, pid = env._pool, task.worker.pid  # type: ignore[union-attr]
    driver, loop, worker = pool._driver, pool._host.loop, task.result._worker  # type: ignore[union-attr]
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(20_000):
            loop.post(driver, lambda: driver.drop(worker, 1_000_000))
        sent = env.submit(WORK, "echo", (1,))
        wait_until(lambda: sent.started)
        assert not loop._timers  # which would be the end of a patience
    finally:
        os.kill(pid, signal.SIGCONT)
    assert sent.wait_for(5).result == 1


def test_a_result_that_comes_too_late_is_dropped(launch: Launch, gate: Gate) -> None:
    env = launch()
    release = env.submit(
        WORK, "hold_politely", (gate.path,), result="proxy", timeout=0.1
    )  # ends within the grace of a task that ran out of time, and returns something
    assert release.wait_for(5).status is TaskStatus.FAILED
    assert env.execute(WORK, "echo", (1,)) == 1


def test_the_death_of_the_worker_takes_the_value_along(launch: Launch, gate: Gate) -> None:
    env = launch(max_workers=2)
    task = env.submit(WORK, "make_counter", result="proxy").wait_for(5)
    proxy = task.result
    running = env.submit(WORK, "count_up_in", ({"counters": [proxy]}, gate.path))
    gate.wait_started()
    queued = env.submit(WORK, "count_up", (proxy,))
    free = env.submit(WORK, "echo", (1,))
    assert free.wait_for(5).result == 1  # the other worker takes what anybody can
    assert queued.status is TaskStatus.PENDING
    os.kill(task.worker.pid, signal.SIGKILL)  # type: ignore[union-attr]
    assert isinstance(running.wait_for(5).exception, WorkerLostError)
    assert isinstance(queued.wait_for(5).exception, WorkerLostError)
    assert "kept by a worker" in str(queued.error)
    assert "SIGKILL" in str(queued.error)
    assert not proxy.alive
    assert repr(proxy).endswith(", gone>")
    with pytest.raises(SerializationError, match="lost with its worker"):
        env.submit(WORK, "count_up", (proxy,))
    proxy.release()
    wait_until(lambda: env.worker_count == 2)


def test_a_queued_task_with_a_proxy_can_be_canceled(launch: Launch, gate: Gate) -> None:
    env = launch()
    proxy = make(env, 1)
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    task = env.submit(WORK, "count_up", (proxy,))
    task.cancel()
    assert task.status is TaskStatus.CANCELED
    gate.release()
    held.wait_for(5)
    assert env.execute(WORK, "count_up", (proxy,)) == 2


def test_what_makes_no_sense_is_refused(env: Environment, launch: Launch, gate: Gate) -> None:
    proxy = make(env)
    with pytest.raises(ConfigurationError, match="'value' or 'proxy', not 'copy'"):
        env.submit(WORK, "echo", (1,), result="copy")
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="can't be pickled or copied"):
            use(proxy)
    other = launch(name="other")
    with pytest.raises(SerializationError, match="no value in the workers of environment 'other'"):
        other.submit(WORK, "count_up", (proxy,))
    # Two values that are certainly in two workers.
    first = env.submit(WORK, "hold", (gate.path, "first"), result="proxy")
    second = env.submit(WORK, "hold", (gate.path, "second"), result="proxy")
    gate.wait_started("first", "second")
    gate.release("first", "second")
    both = (first.wait_for(5).result, second.wait_for(5).result)
    with pytest.raises(SerializationError, match="in different workers"):
        env.submit(WORK, "echo", (both,))


def test_after_exit_it_is_gone_and_says_so(launch: Launch) -> None:
    env = launch()
    proxy = make(env)
    env.exit()
    assert not proxy.alive
    proxy.release()
    with pytest.raises(SerializationError, match="lost with its worker"):
        proxy.fetch()
    env.launch()
    with pytest.raises(SerializationError):
        env.submit(WORK, "count_up", (proxy,))


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_it_works_with_other_pythons(launch: Launch, version: str) -> None:
    if version not in interpreters():
        pytest.skip(f"no Python {version} here")
    env = launch(python=interpreters()[version])
    proxy = make(env, 1)
    assert env.execute(WORK, "count_up", (proxy,)) == 2
