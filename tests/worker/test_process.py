"""The worker as a process: how it starts, what it sees, what it survives and how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import cloudpickle
import psutil
import pytest

from tests.support.waiting import wait_until
from tests.worker.conftest import Start
from tests.worker.peer import MODULES, Peer
from wetlands.runtime.launcher import WORKER_ENTRY
from worker_entry import protocol

REPOSITORY = str(WORKER_ENTRY.parent)


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _number_in(path: Path) -> int:
    wait_until(path.exists)
    return int(path.read_text())


# -- the handshake ---------------------------------------------------------------------------------


def test_a_worker_that_is_rejected_says_why_and_ends(start: Start) -> None:
    peer = start(greet=False)
    hello = peer.receive()
    assert isinstance(hello, protocol.Hello)
    assert (hello.version, hello.token, hello.pid) == (protocol.VERSION, peer.token, peer.pid)
    peer.tell(protocol.Reject("protocol 1, not 9"))
    assert peer.wait() == 1
    assert "the host rejected this worker: protocol 1, not 9" in peer.stderr


def test_a_worker_that_hears_nonsense_ends_with_a_sentence(start: Start) -> None:
    in_handshake = start(greet=False)
    in_handshake.receive()
    in_handshake.tell(protocol.Stop())
    on_tasks, on_control, misplaced = start(), start(), start()
    on_tasks.send_garbage([b"garbage", b"more"])
    on_control.send_garbage([b""], control=True)
    misplaced.send(protocol.Interrupt(1, 0))
    for peer in (in_handshake, on_tasks, on_control, misplaced):
        assert peer.wait() == 76
        assert "the host sent what makes no sense here" in peer.stderr
        assert "Traceback" not in peer.stderr


def test_a_busy_worker_that_hears_nonsense_ends_too(start: Start, tmp_path: Path) -> None:
    peer = start()
    peer.start("busy_in_python", str(tmp_path / "busy"))
    wait_until((tmp_path / "busy").exists)
    peer.send_garbage([b"garbage"], control=True)
    assert peer.wait() == 76


# -- what code sees --------------------------------------------------------------------------------


def test_nothing_of_the_host_is_on_the_search_path(worker: Peer) -> None:
    state = worker.call("process_state")
    host = [REPOSITORY, str(WORKER_ENTRY), str(Path(cloudpickle.__file__).parents[1]), "sidecar"]
    for entry in state["path"]:
        assert not any(entry == place or "sidecar" in entry for place in host), entry
    assert state["path"][-1] == str(MODULES)
    assert state["flags"] == (1, 1)
    assert state["thread"]
    assert "PYTHONPATH" not in state["environ"]


def test_packages_of_the_host_cannot_be_imported(worker: Peer) -> None:
    found = worker.call("can_import", "wetlands", "hypothesis", "psutil", "cloudpickle.no_such")
    site_packages = str(Path(cloudpickle.__file__).parents[1])
    assert found["wetlands"] is None
    assert not any((file or "").startswith(site_packages) for file in found.values())


def test_cloudpickle_is_the_hosts_copy_where_functions_go_by_value(
    worker: Peer, same_minor: bool
) -> None:
    if same_minor:
        assert worker.call("which_cloudpickle") == cloudpickle.__file__
    else:
        assert worker.run("which_cloudpickle").failure["type"] == "ModuleNotFoundError"


def test_the_pythonpath_is_honoured_when_the_user_asks_for_it(start: Start, tmp_path: Path) -> None:
    (tmp_path / "wished_for.py").write_text("")
    wished = str(tmp_path / "wished_for.py")
    # The variable alone does nothing: workers run isolated.
    peer = start(environ={"PYTHONPATH": str(tmp_path)})
    assert peer.call("can_import", "wished_for") == {"wished_for": None}
    peer = start(pythonpath=[str(tmp_path)])
    assert peer.call("can_import", "wished_for") == {"wished_for": wished}


def test_garbage_of_tasks_is_collected(worker: Peer) -> None:
    assert worker.call("collects_garbage")


def test_stdin_is_at_its_end(worker: Peer) -> None:
    assert worker.call("read_stdin") == ""


def test_the_started_file_tells_the_task_before_its_arguments_are_rebuilt(worker: Peer) -> None:
    number = worker.next_number()
    path = str(worker._started)
    call = b"ctasks\nstarted_number\n"
    pickled = b"(" + call + b"(V" + path.encode() + b"\ntRt}\x86."
    assert worker.call("echo", arguments=b"(" + pickled[1:]) == ((number,), {})
    assert worker.started == number


# -- scripts ---------------------------------------------------------------------------------------


def test_a_script_sees_its_arguments_and_its_name(worker: Peer, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, helper_of_script\n"
        "print('script', __name__, sys.argv[1:], sys.argv[0] == __file__, helper_of_script.x)\n"
    )
    (tmp_path / "helper_of_script.py").write_text("x = 5\n")
    before = worker.call("process_state")
    assert worker.run_script(script, "a", "b c").value is None
    assert worker.run_script(script, run_name="other").value is None
    assert "script __main__ ['a', 'b c'] True 5" in worker.stdout
    assert "script other [] True 5" in worker.stdout
    assert worker.call("process_state") == before


@pytest.mark.parametrize(
    ("code", "error"),
    [("", None), ("0", None), ("None", None), ("3", "3"), ("'text'", "text"), ("True", "True")],
)
def test_the_exit_status_of_a_script_decides(
    worker: Peer, tmp_path: Path, code: str, error: str | None
) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.exit({code})\n")
    ended = worker.run_script(script)
    if error is None:
        assert ended.value is None
    else:
        assert ended.failure["error"] == f"SystemExit: {error}"


def test_a_script_that_fails_shows_its_own_lines_only(worker: Peer, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def f():\n    1 / 0\nf()\n")
    failure = worker.run_script(script).failure
    assert failure["type"] == "ZeroDivisionError"
    assert [line for line in failure["traceback"] if "File" in line] == [
        f'  File "{script}", line 3, in <module>',
        f'  File "{script}", line 2, in f',
    ]


# -- what it survives ------------------------------------------------------------------------------


def test_the_next_task_can_print_whatever_the_last_one_closed(worker: Peer, tmp_path: Path) -> None:
    spoilers: list[tuple[object, ...]] = [
        ("close_descriptors", 1),
        ("close_descriptors", 0, 1, 2),
        ("print_then_close", "lost"),
        ("replace_descriptor", 1, str(tmp_path / "file")),
        ("replace_descriptor", 2, str(tmp_path / "file")),
        ("close_streams",),
        ("drop_streams",),
    ]
    for number, (function, *arguments) in enumerate(spoilers):
        assert worker.run(str(function), *arguments).ending
        assert worker.call("say", f"out {number}") is None
        assert worker.call("say", f"err {number}", "stderr") is None
        assert worker.call("read_stdin") == ""
        assert f"out {number}\n" in worker.stdout
        assert f"err {number}\n" in worker.stderr
    assert (tmp_path / "file").read_bytes() == b""


def test_what_a_task_prints_is_written_before_its_result(worker: Peer) -> None:
    for number in range(20):
        worker.call("say", f"line {number}: \u00e9 \udcff")
        assert f"line {number}: \u00e9 \\udcff\n" in worker.stdout


def test_functions_of_the_standard_library_may_be_replaced(start: Start) -> None:
    peer = start()
    peer.call("replace_stdlib")
    assert len(peer.run("report").said) == 5
    assert peer.run("fail").failure["message"] == "on purpose"
    peer.call("put_stdlib_back")


def test_a_lower_recursion_limit_hurts_nobody_else(worker: Peer) -> None:
    before = worker.call("lower_recursion_limit", 120)
    assert worker.run("overflow").failure["type"] == "RecursionError"
    assert worker.call("add", 1) == 2
    worker.call("lower_recursion_limit", before)


def test_signals_between_tasks_hurt_nobody(start: Start) -> None:
    peer = start()
    peer.takes_repeats = True
    peer.call("add", 1)
    for _ in range(20):
        wait_until(lambda: psutil.Process(peer.pid).status() == psutil.STATUS_SLEEPING)
        os.kill(peer.pid, signal.SIGINT)
        assert peer.run("add", 1).ending
    peer.call("raise_alarm_later", 0.01)
    wait_until(lambda: "the alarm of a task that is gone" in peer.stderr)
    assert peer.call("add", 1) == 2


def test_an_interrupt_from_the_keyboard_ends_the_running_task_alone(
    worker: Peer, tmp_path: Path
) -> None:
    worker.start("busy_in_python", str(tmp_path / "busy"))
    wait_until((tmp_path / "busy").exists)
    os.kill(worker.pid, signal.SIGINT)
    assert worker.finish().failure["type"] == "KeyboardInterrupt"
    assert worker.call("add", 1) == 2


def test_a_forked_child_that_comes_back_never_speaks_for_its_parent(worker: Peer) -> None:
    ended = worker.run("fork_and_return")
    assert ended.value == ("parent", 0)
    assert ended.said == []
    assert "printed by the child\n" in worker.stdout
    assert worker.call("fork_and_raise", "exit") == 7
    assert worker.call("fork_and_raise", "error") == 1
    assert "ValueError: in the child" in worker.stderr
    assert worker.call("add", 1) == 2
    assert worker.nothing_more()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_tasks_may_use_multiprocessing(start: Start, method: str) -> None:
    assert start().call("pool", method) == [0, 1, 4, 9, 16]


# -- how it ends -----------------------------------------------------------------------------------


def test_stop_ends_it_properly(start: Start, tmp_path: Path) -> None:
    peer = start()
    peer.call("at_exit", str(tmp_path / "left"))
    peer.call("leave_pool_of_threads")
    peer.send(protocol.Stop())
    assert peer.wait() == 0
    assert (tmp_path / "left").exists()
    assert peer.stderr == ""


def test_a_task_may_end_the_process(start: Start) -> None:
    peer = start()
    number = peer.start("die", 7)
    assert peer.wait() == 7
    assert peer.started == number


def test_a_crash_leaves_its_traceback(start: Start) -> None:
    peer = start()
    peer.start("crash")
    assert peer.wait() == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in peer.stderr
    assert "in crash" in peer.stderr


def test_a_handler_of_the_users_may_end_it_between_tasks(start: Start) -> None:
    peer = start()
    peer.call("handled_term")
    os.kill(peer.pid, signal.SIGTERM)
    assert peer.wait() == 5


# -- the lifeline ----------------------------------------------------------------------------------


def _idle(peer: Peer, path: Path) -> None:
    peer.call("add", 1)


def _in_python(peer: Peer, path: Path) -> None:
    peer.start("busy_in_python", str(path))
    wait_until(path.exists)


def _in_c(peer: Peer, path: Path) -> None:
    peer.start("busy_in_c", str(path))
    wait_until(path.exists)


@pytest.mark.parametrize("state", [_idle, _in_python, _in_c])
def test_a_worker_dies_with_its_host(
    start: Start, tmp_path: Path, state: Callable[[Peer, Path], None]
) -> None:
    peer = start()
    state(peer, tmp_path / "busy")
    peer.hang_up()
    assert peer.wait(2.0) == -signal.SIGKILL


def test_a_worker_that_was_not_welcomed_yet_dies_with_its_host(start: Start) -> None:
    peer = start(greet=False)
    peer.receive()
    peer.hang_up()
    assert peer.wait(2.0) == -signal.SIGKILL
    peer = start(greet=False)  # which may not even have begun to listen
    peer.hang_up()
    assert peer.wait(5.0) in (-signal.SIGKILL, 1)


def test_children_of_tasks_die_with_the_host(start: Start, tmp_path: Path) -> None:
    peer = start()
    path = tmp_path / "child"
    code = "import time\nwhile True: time.sleep(60)"
    peer.start("child", str(path), code)
    child = _number_in(path)
    peer.hang_up()
    assert peer.wait(2.0) == -signal.SIGKILL
    wait_until(lambda: _gone(child), 2.0)
