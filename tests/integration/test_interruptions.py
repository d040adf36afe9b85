"""Signals whose handlers raise, at any place of a call, and calls that overtake each other."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import itertools
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.conftest import _folders, _threads
from tests.integration.conftest import WORK, Gate, Launch
from tests.support.processes import runs
from tests.support.waiting import wait_until
from wetlands import Environment, launching
from wetlands.runtime.host import Host
from wetlands.runtime.pool import Pool
from wetlands.task import Task, TaskStatus

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals")


class Alarm(BaseException):
    """What the handler raises; no Exception, as KeyboardInterrupt is none."""


class Clock:
    """Interrupts calls on the main thread."""

    def __init__(self) -> None:
        self._armed = False

    def ring(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            raise Alarm

    def interrupts(self, call: Callable[[], Any], delay: float) -> bool:
        """Call; say whether the handler raised in the middle of it."""
        try:
            try:
                self._armed = True
                signal.setitimer(signal.ITIMER_REAL, delay)
                call()
            finally:
                self._armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Alarm:
            return True
        return False


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    before = signal.signal(signal.SIGALRM, made.ring)
    yield made
    signal.signal(signal.SIGALRM, before)


class Striker(Clock):
    """Interrupts calls on the main thread as Ctrl-C does."""

    def __init__(self) -> None:
        super().__init__()
        self._delays: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self._struck: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._strike, name="striker")
        self._thread.start()

    def interrupts(self, call: Callable[[], Any], delay: float) -> bool:
        try:
            try:
                self._armed = True
                self._delays.put(delay)
                call()
            finally:
                self._armed = False
                self._struck.get()
        except Alarm:
            return True
        return False

    def stop(self) -> None:
        self._delays.put(None)
        self._thread.join()

    def _strike(self) -> None:
        while (delay := self._delays.get()) is not None:
            end = time.perf_counter() + delay
            while time.perf_counter() < end:
                pass
            os.kill(os.getpid(), signal.SIGINT)
            self._struck.put(None)


@pytest.fixture
def striker() -> Iterator[Striker]:
    made = Striker()
    before = signal.signal(signal.SIGINT, made.ring)
    yield made
    made.stop()
    assert signal.signal(signal.SIGINT, before) == made.ring


class Torn:
    """Lets ``Pool.start_task`` do its work, and then raises as a signal handler would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def start(self, task: Task[Any]) -> None:
        whole = Pool.start_task

        def start_task(pool: Pool, task: Task[Any]) -> None:
            whole(pool, task)
            raise Alarm

        with self._monkeypatch.context() as patch:
            patch.setattr(Pool, "start_task", start_task)
            with pytest.raises(Alarm):
                task.start()


@pytest.fixture
def torn(monkeypatch: pytest.MonkeyPatch) -> Torn:
    return Torn(monkeypatch)


def left() -> set[str]:
    """Return what a host has while one of its environments is launched."""
    return _threads() | _folders()


# -- submit, start, cancel -------------------------------------------------------------------------


# An interruption of a weak reference's callback can only be printed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_storm_of_interruptions_costs_the_calls_that_it_hits_and_nothing_else(
    launch: Launch, clock: Clock
) -> None:
    env = launch(max_workers=2)
    chance = random.Random(7)
    tasks: list[Task[Any]] = []
    hits = 0
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        task = env.submit(WORK, "echo", (1,), start=False)
        tasks.append(task)
        for call in chance.choice(
            [
                (task.start,),
                (task.start, task.cancel),
                (task.cancel, task.start),
                (lambda: tasks.append(env.submit(WORK, "echo", (1,))),),
            ]
        ):
            try:
                hits += clock.interrupts(call, chance.uniform(5e-6, 1.2e-4))
            except RuntimeError as error:
                # Of threading.Condition, which is not made for signal handlers that raise.
                assert "un-acquired lock" in str(error)  # noqa: PT017
    assert hits > 100
    for task in tasks[::2]:
        task.start()
    for task in tasks[1::2]:
        task.cancel()
    for task in tasks:
        assert task.wait_for(5).status in (TaskStatus.COMPLETED, TaskStatus.CANCELED)
    assert env.execute(WORK, "echo", (5,)) == 5
    assert env.worker_count == 2
    env.exit()
    assert left() == set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_storm_of_ctrl_c_costs_the_calls_that_it_hits_and_nothing_else(
    launch: Launch, striker: Striker
) -> None:
    """The main thread runs the pool's work here; with the alarms above it does not."""
    env = launch(max_workers=2)
    chance = random.Random(7)
    tasks: list[Task[Any]] = []

    def submit() -> Task[Any]:
        tasks.append(env.submit(WORK, "echo", (1,)))
        return tasks[-1]

    hits = 0
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        call = chance.choice(
            [
                submit,
                lambda: submit().cancel(),
                lambda: submit().wait_for(5),
                lambda: env.execute(WORK, "echo", (1,)),
                lambda: submit().wait_for(1e-4),
            ]
        )
        with contextlib.suppress(TimeoutError, RuntimeError):  # the latter as above
            hits += striker.interrupts(call, 10 ** chance.uniform(-5.5, -3.0))
    assert hits > 100
    for task in tasks:
        assert task.wait_for(5).status in (TaskStatus.COMPLETED, TaskStatus.CANCELED)
    assert env.execute(WORK, "echo", (5,)) == 5
    assert env.worker_count == 2
    env.exit()
    assert left() == set()


def test_a_start_that_was_interrupted_can_be_repeated_and_runs_once(
    launch: Launch, gate: Gate, torn: Torn
) -> None:
    env = launch()
    task = env.submit(WORK, "count_call", (gate.path,), start=False)
    torn.start(task)
    assert task.start().wait_for(5).result == 0
    assert env.execute(WORK, "echo", (1,)) == 1
    assert len(list(Path(gate.path).iterdir())) == 1


def test_a_start_that_was_interrupted_can_be_canceled_and_hurts_no_worker(
    launch: Launch, gate: Gate, torn: Torn
) -> None:
    env = launch()
    busy = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    task = env.submit(WORK, "count_call", (gate.path,), start=False)
    torn.start(task)
    task.cancel()
    assert task.status is TaskStatus.CANCELED
    gate.release()
    assert busy.wait_for(5).result == "gate"
    after = env.submit(WORK, "pid").wait_for(5)
    assert after.result == busy.worker.pid  # type: ignore[union-attr]
    assert not [path for path in Path(gate.path).iterdir() if path.name.startswith("call")]


def test_a_cancellation_that_overtakes_a_start_wins(
    launch: Launch, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = launch()
    task = env.submit(WORK, "count_call", (gate.path,), start=False)
    entered, go_on = threading.Event(), threading.Event()
    whole = Pool.start_task

    def slow(pool: Pool, task: Task[Any]) -> None:
        entered.set()
        go_on.wait(5)
        whole(pool, task)

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "start_task", slow)
        starter = threading.Thread(target=task.start)
        starter.start()
        assert entered.wait(5)
        task.cancel()
        assert task.status is TaskStatus.CANCELED
        go_on.set()
        starter.join(5)
    assert env.execute(WORK, "echo", (1,)) == 1
    assert task.status is TaskStatus.CANCELED
    assert list(Path(gate.path).iterdir()) == []


def test_a_cancellation_that_was_interrupted_can_be_repeated(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = launch()
    task = env.submit(WORK, "echo", (1,), start=False)
    whole = Pool.cancel_task

    def cancel_task(pool: Pool, task: Task[Any], force_after: float) -> None:
        whole(pool, task, force_after)
        raise Alarm

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "cancel_task", cancel_task)
        with pytest.raises(Alarm):
            task.cancel()
    task.cancel()
    assert task.wait_for(1).status is TaskStatus.CANCELED
    assert task.future.cancelled()


# -- exit ------------------------------------------------------------------------------------------


class FakeLease:
    """Notes whether it is held."""

    def __init__(self) -> None:
        self._descriptor = os.open(os.devnull, os.O_RDONLY)
        self.held = True

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if self.held:
            self.held = False
            os.close(self._descriptor)


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> FakeLease:
    """The lease of what is launched next."""
    made = FakeLease()
    whole = launching.make_plan

    def make_plan(*args: Any) -> Any:
        return dataclasses.replace(whole(*args), lease=made)

    monkeypatch.setattr(launching, "make_plan", make_plan)
    return made


def test_an_exit_that_was_interrupted_can_be_repeated_and_leaves_nothing(
    launch: Launch, gate: Gate, lease: FakeLease, clock: Clock
) -> None:
    env = launch()
    task = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    assert clock.interrupts(lambda: env.exit(grace=30), 0.02)
    assert lease.held
    gate.release()
    env.exit()
    assert left() == set()
    assert not lease.held
    assert task.status.is_finished()


class SlowStop:
    """Holds up the end of the host's threads, the last part of an exit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        whole = Host.stop

        def stop(host: Host, **options: Any) -> None:
            self.reached.set()
            self.go_on.wait(10)
            whole(host, **options)

        monkeypatch.setattr(Host, "stop", stop)


def _exit_and_look(env: Environment, seen: list[Any], lease: FakeLease) -> None:
    env.exit()
    seen.append((left(), lease.held))


def test_an_exit_that_was_interrupted_at_its_end_is_waited_for_by_the_next(
    launch: Launch, lease: FakeLease, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = launch()
    slow = SlowStop(monkeypatch)
    main = threading.main_thread().ident
    assert main is not None

    def ring() -> None:
        if slow.reached.wait(5):
            signal.pthread_kill(main, signal.SIGALRM)

    ringer = threading.Thread(target=ring)
    ringer.start()
    try:
        assert clock.interrupts(env.exit, 6.0)
    finally:
        ringer.join()  # its signal must not come later, when nobody handles it
    seen: list[Any] = []
    second = threading.Thread(target=_exit_and_look, args=(env, seen, lease))
    second.start()
    second.join(0.05)
    assert second.is_alive()
    slow.go_on.set()
    second.join(5)
    assert seen == [(set(), False)]


def test_when_any_of_many_exits_returns_nothing_is_left(
    launch: Launch, lease: FakeLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = launch()
    slow = SlowStop(monkeypatch)
    seen: list[Any] = []
    threads = [threading.Thread(target=_exit_and_look, args=(env, seen, lease)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert slow.reached.wait(5)
    threads[-1].join(0.05)
    assert all(thread.is_alive() for thread in threads)
    slow.go_on.set()
    for thread in threads:
        thread.join(5)
    assert seen == [(set(), False)] * 4


def test_a_listener_that_exits_as_well_holds_nobody_up(launch: Launch) -> None:
    assert _exit_twice(launch()) < 2


def test_a_listener_exits_in_the_instant_before_the_end_begins(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, come = Host._end, []

    def late(host: Host) -> None:
        come.append(host)
        if len(come) == 1:
            wait_until(lambda: len(come) == 2)  # the listener, too
        else:
            wait_until(host._ending.locked)
        end(host)

    monkeypatch.setattr(Host, "_end", late)
    assert _exit_twice(launch()) < 5


def _exit_twice(env: Environment) -> float:
    """Have a listener exit while another thread is about to be done with that; return how long
    both of them took."""
    entered, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def leave(event: Any) -> None:
        if event.task.status.is_finished():
            entered.set()
            go_on.wait(5)
            env.exit()
            done.set()

    env.submit(WORK, "echo", (1,), start=False).listen(leave).start()
    assert entered.wait(5)
    other = threading.Thread(target=env.exit)
    other.start()
    wait_until(lambda: env._closing._driver.closed.is_set())  # type: ignore[union-attr]
    go_on.set()
    begin = time.monotonic()
    assert done.wait(5)
    other.join(10)
    assert not other.is_alive()
    return time.monotonic() - begin


# -- what nobody holds any more --------------------------------------------------------------------


def test_an_environment_that_was_dropped_keeps_its_worker_until_the_program_ends(
    tmp_path: Path,
) -> None:
    code = f"""
import gc, os, psutil, sys
from wetlands import EnvironmentManager

def launch(name):
    env = EnvironmentManager({str(tmp_path / "root")!r}, progress=False).load(name, sys.executable)
    env.launch()
    return env, env.execute(os.getpid)

dropped = launch("dropped")[1]
gc.collect()
other, pid = launch("other")
other.exit()
print(psutil.pid_exists(dropped), psutil.pid_exists(pid), dropped)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    kept, gone, pid = done.stdout.split()
    assert (kept, gone, done.stderr) == ("True", "False", "")
    assert not runs(int(pid))


class Ring:
    """Garbage that only a collection finds, with an iterator of map() in it."""

    def __init__(self, results: Any) -> None:
        self.me = self
        self.results = results


def test_an_iterator_may_be_closed_or_collected_on_the_loop_thread(launch: Launch) -> None:
    env = launch()
    loop = env._pool._host.loop  # type: ignore[union-attr]
    results: list[Any] = [env.map(WORK, "echo", itertools.count()) for _ in range(2)]
    tasks = [task for found in results for task in found._window._pending]
    done = threading.Event()

    def close() -> None:
        results[0].close()
        results.clear()  # the other by being dropped
        done.set()

    loop.post(None, close)
    assert done.wait(2)
    for task in tasks:
        task.wait_for(5)
    assert env.execute(WORK, "echo", (1,)) == 1


def test_an_iterator_may_be_collected_under_the_lock_that_the_loop_waits_for(
    launch: Launch, gate: Gate
) -> None:
    env = launch()
    held = env.submit(WORK, "hold", (gate.path,))
    gate.wait_started()
    gc.collect()
    gc.disable()
    try:
        results = env.map(WORK, "echo", itertools.count())
        tasks = list(results._window._pending)
        Ring(results)
        del results
        collected = threading.Event()

        def collect() -> None:
            with held._lock:
                gate.release()
                # Now the loop wants this lock: the task ends, or has ended but for it.
                wait_until(lambda: held.number not in env._pool._driver.entries)  # type: ignore[union-attr]
                gc.collect()
                collected.set()

        thread = threading.Thread(target=collect)
        thread.start()
        assert collected.wait(5)
        thread.join(5)
    finally:
        gc.enable()
    assert held.wait_for(5).result == "gate"
    for task in tasks:
        task.wait_for(5)
    assert env.execute(WORK, "echo", (1,)) == 1
