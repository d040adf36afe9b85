"""Several Runs in one message: begun in order, skipped if reclaimed, their endings noted."""

from __future__ import annotations

from pathlib import Path

from tests.support.waiting import wait_until
from tests.worker.conftest import Start
from tests.worker.peer import PATIENCE, Peer
from worker_entry import protocol


def endings(peer: Peer, count: int) -> list[tuple[type, int]]:
    """Return the kinds and tasks of the endings that were noted, once there are so many."""
    wait_until(lambda: len(peer.noted()) >= count, PATIENCE)
    return [(type(message), message.task) for message in peer.noted()]


def test_endings_are_noted_in_order_and_the_host_is_told_to_look(start: Start) -> None:
    peer = start()
    numbers = peer.send_pack([("echo", i) for i in range(4)])
    assert endings(peer, 4) == [(protocol.Result, number) for number in numbers]
    values = [peer.codec.loads(message.payload) for message in peer.noted()]
    assert values == [((i,), {}) for i in range(4)]
    assert [peer.receive(), peer.receive()] == [protocol.Void()] * 2  # in the middle, at the end


def test_what_is_reclaimed_in_time_is_skipped(start: Start) -> None:
    peer = start()
    peer.mark(peer.next_number() + 1)
    first, second, third = peer.send_pack([("echo", i) for i in range(3)])
    assert endings(peer, 3) == [
        (protocol.Result, first),
        (protocol.Skipped, second),
        (protocol.Result, third),
    ]


def test_an_ending_that_may_still_be_on_its_way_is_noted_before_the_next_task_begins(
    start: Start,
) -> None:
    peer = start()
    peer.call("echo", 1)
    last = peer._number
    (number,) = peer.send_pack([("echo", 2)])
    assert endings(peer, 2) == [(protocol.Result, last), (protocol.Result, number)]


def test_calls_that_go_together_end_one_by_one(start: Start) -> None:
    peer = start()
    numbers = peer.send_batch("echo", list(range(5)))
    assert endings(peer, 5) == [(protocol.Result, number) for number in numbers]
    assert [peer.codec.loads(message.payload)[0] for message in peer.noted()] == [
        (i,) for i in range(5)
    ]
    assert peer.receive() == protocol.Void()  # once, at the end
    assert peer.started == 5


def test_of_calls_that_go_together_one_is_skipped_and_one_fails(start: Start) -> None:
    peer = start()
    peer.mark(peer.next_number() + 2)
    numbers = peer.send_batch("fail_if_two", [1, 2, 3, 4])
    kinds = [protocol.Result, protocol.Failure, protocol.Skipped, protocol.Result]
    assert endings(peer, 4) == list(zip(kinds, numbers, strict=True))


def test_calls_of_what_is_not_there_fail_one_by_one(start: Start) -> None:
    peer = start()
    numbers = peer.send_batch("no_such_function", [1, 2])
    assert endings(peer, 2) == [(protocol.Failure, number) for number in numbers]


def test_calls_that_go_together_may_take_the_handle(start: Start) -> None:
    peer = start()
    first, second = peer.send_batch("steps", [2, 1])
    assert endings(peer, 2) == [(protocol.Result, first), (protocol.Result, second)]
    heard = [peer.receive() for _ in range(4)]
    updates = [message.task for message in heard if isinstance(message, protocol.Update)]
    assert updates == [first, first, second]


def test_what_a_call_leaves_behind_is_put_right_before_the_next_one_of_its_batch(
    start: Start,
) -> None:
    peer = start()
    numbers = peer.send_batch("say_and_close", ["one", "two", "three"])
    assert endings(peer, 3) == [(protocol.Result, number) for number in numbers]
    wait_until(lambda: peer.stdout.split() == ["one", "two", "three"], PATIENCE)


def test_a_failing_call_of_a_batch_keeps_nothing_alive(start: Start) -> None:
    peer = start()
    numbers = peer.send_batch("fail_with_something", [1, 2])
    assert endings(peer, 2) == [(protocol.Failure, number) for number in numbers]
    assert peer.call("alive") == [False, False]


def test_a_module_that_breaks_is_imported_once_for_each_call(start: Start, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\nraise OSError\n")
    peer = start()
    numbers = peer.send_batch("anything", [1, 2, 3], target=str(broken))
    assert endings(peer, 3) == [(protocol.Failure, number) for number in numbers]
    assert (tmp_path / "runs").read_text() == "xxx"


def test_what_is_too_large_to_be_noted_is_sent(start: Start) -> None:
    peer = start()
    first, second = peer.send_pack([("echo", b"x" * 10_000), ("echo", 2)])
    message = peer.receive()
    assert isinstance(message, protocol.Result)
    assert message.task == first
    assert endings(peer, 1) == [(protocol.Result, second)]


def test_a_single_run_follows_a_pack_as_ever(start: Start) -> None:
    peer = start()
    peer.send_pack([("echo", 1)])
    assert peer.receive() == protocol.Void()
    assert peer.call("echo", 2) == ((2,), {})
    assert peer.started == 2
