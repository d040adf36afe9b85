"""Who waits for a short call looks for its end; whatever else comes meanwhile is seen as well."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment, RetryPolicy, Task, TaskEventType, TaskStatus
from wetlands.errors import ExecutionException, WorkerLostError
from wetlands.runtime.driver import Driver
from worker_entry import spinning
from worker_entry.spinning import Spinning

MODULE = '''
import os
import signal
import threading
import time


def mostly_quick(x):
    """Short, but for some."""
    if x == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if x == "raise":
        raise ValueError(x)
    if x == "print":
        print("printed")
    if x == "large":
        return b"x" * 100_000
    if isinstance(x, str) and os.sep in x:
        open(os.path.join(x, "gate.started"), "w").close()
        while not os.path.exists(os.path.join(x, "gate.released")):
            time.sleep(0.005)
    return x


def work(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def tell(x, task):
    if x == "thread":
        thread = threading.Thread(target=lambda: [task.update(current=n) for n in range(20)])
        thread.start()
        thread.join()
    elif x is not None:
        task.update(current=x)
        task.set_output("x", x)
    return x
'''


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "short.py"
    path.write_text(MODULE)
    return path


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each look saw something in time; which is long, as others may need processors."""
    monkeypatch.setattr(spinning, "MOMENT", 5.0)
    found: list[bool] = []
    look = Spinning.look

    def note(self: Spinning, *args: Any, **options: Any) -> bool:
        found.append(look(self, *args, **options))
        return found[-1]

    monkeypatch.setattr(Spinning, "look", note)
    return found


def driver_of(env: Environment) -> Driver:
    return env._pool._driver  # type: ignore[union-attr]


def messages(env: Environment) -> int:
    return sum(link.received for link in driver_of(env)._workers.values())


def learn(env: Environment, module: Path, function: str) -> None:
    """Have the pool take a function for a short one, however busy the machine is."""
    for _ in range(100):
        driver_of(env).core.paces.note(f"{module.name}:{function}", 1e-6)


@pytest.mark.parametrize("trust", ["full", "data"])
def test_a_call_whose_end_is_looked_for_costs_no_message(
    launch: Launch, module: Path, looked: list[bool], trust: str
) -> None:
    env = launch(trust=trust)
    learn(env, module, "mostly_quick")

    def silently() -> bool:
        before = messages(env)
        assert env.execute(module, "mostly_quick", (1,)) == 1
        return messages(env) == before

    wait_until(silently)  # it may end before anybody looks
    assert all(looked)


def test_how_long_it_took_is_known_all_the_same(
    launch: Launch, module: Path, looked: list[bool]
) -> None:
    env = launch()
    core, kind = driver_of(env).core, f"{module.name}:work"

    def learned() -> bool:
        learn(env, module, "work")
        before = messages(env)
        env.execute(module, "work", (0.01,))
        return messages(env) == before

    wait_until(learned)
    assert core.paces.expect(kind) > 0.001


def test_neither_do_its_reports(launch: Launch, module: Path, looked: list[bool]) -> None:
    env = launch()
    learn(env, module, "tell")

    def silently() -> bool:
        before, task = messages(env), env.submit(module, "tell", (1,))
        assert task.wait_for(10).result == 1
        assert (task.current, task.outputs) == (1, {"x": 1})
        return messages(env) == before

    wait_until(silently)


def test_a_worker_that_is_awake_is_handed_its_next_call(
    launch: Launch, module: Path, looked: list[bool]
) -> None:
    env = launch()
    learn(env, module, "mostly_quick")

    def told() -> int:
        return sum(link.told for link in driver_of(env)._workers.values())

    def handed_over() -> bool:
        first, calls = told(), 100  # in a row, as it looks for the next one for a moment only
        assert [env.execute(module, "mostly_quick", (n,)) for n in range(calls)] == [*range(calls)]
        return told() < first + calls

    wait_until(handed_over)


def test_nobody_looks_for_the_end_of_what_is_long_or_not_known(
    launch: Launch, module: Path, looked: list[bool], gate: Gate
) -> None:
    env = launch()
    env.execute(module, "mostly_quick", (1,))
    assert not looked
    learn(env, module, "mostly_quick")
    task = env.submit(module, "mostly_quick", (str(gate.path),))
    gate.wait_started()
    gate.release()
    task.wait_for(10)
    driver_of(env).core.paces.note("short.py:mostly_quick", 0.1)
    looked.clear()
    env.execute(module, "mostly_quick", (1,))
    assert not looked  # until the mean of its runs is short again


@pytest.mark.parametrize("value", ["x", None, "thread", "large", "print"])
def test_whatever_it_says_meanwhile_comes_in_order(
    launch: Launch, module: Path, value: str | None
) -> None:
    env = launch()
    function = "tell" if value in ("x", None, "thread") else "mostly_quick"
    for n in range(100):
        learn(env, module, function)
        said = n if value == "x" else value
        task = env.submit(module, function, (said,), start=False)
        seen: list[Any] = []
        task.listen(lambda event, seen=seen: seen.append((event.type, event.task.current))).start()
        result = task.wait_for(10).result
        updates = [current for kind, current in seen if kind is TaskEventType.UPDATE]
        assert updates == {"x": [n, n], "thread": list(range(20))}.get(str(value), [])
        assert result == (b"x" * 100_000 if value == "large" else said)
        if value == "x":
            assert (task.current, task.outputs["x"]) == (n, n)


def test_the_death_of_a_worker_that_is_looked_at_is_seen(launch: Launch, module: Path) -> None:
    env = launch()
    for _ in range(3):
        learn(env, module, "mostly_quick")
        with pytest.raises(WorkerLostError):
            env.execute(module, "mostly_quick", ("die",))
    with pytest.raises(ExecutionException, match="raise"):
        env.execute(module, "mostly_quick", ("raise",))


def test_a_worker_that_is_gone_is_not_looked_at(launch: Launch, module: Path) -> None:
    env = launch()
    learn(env, module, "mostly_quick")
    task = env.submit(module, "mostly_quick", ("die",), retries=RetryPolicy(on_lost=1))
    wait_until(lambda: len(task.attempts) == 1)
    assert isinstance(task.wait_for(10).exception, WorkerLostError)  # begun while there was none
    assert env.execute(module, "mostly_quick", (1,)) == 1


def test_another_thread_cancels_a_call_that_is_looked_for(
    launch: Launch, module: Path, gate: Gate
) -> None:
    env = launch()
    learn(env, module, "mostly_quick")
    task: Task[Any] = env.submit(module, "mostly_quick", (str(gate.path),))

    def cancel() -> None:
        gate.wait_started()
        task.cancel(force_after=0)

    thread = threading.Thread(target=cancel)
    thread.start()
    task.wait_for(10)
    thread.join()
    assert task.status is TaskStatus.CANCELED
    assert env.execute(module, "mostly_quick", (1,)) == 1


def test_calls_of_many_kinds_lose_nothing(launch: Launch, module: Path) -> None:
    env, choose = launch(max_workers=2), random.Random(7)
    for number in range(1500):
        kind = choose.choice(["quick", "quick", "quick", "tell", "two", "print", "raise", "many"])
        if kind == "quick":
            assert env.execute(module, "mostly_quick", (number,)) == number
        elif kind == "tell":
            assert env.execute(module, "tell", (number,)) == number
        elif kind == "print":
            assert env.execute(module, "mostly_quick", ("print",)) == "print"
        elif kind == "raise":
            with pytest.raises(ExecutionException):
                env.execute(module, "mostly_quick", ("raise",))
        else:
            count = 2 if kind == "two" else 30
            tasks = [env.submit(module, "mostly_quick", (n,)) for n in range(count)]
            assert [task.wait_for(10).result for task in tasks] == list(range(count))
