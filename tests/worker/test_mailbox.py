"""Runs that are handed over in memory: found, in their turn, by a worker that looks for them."""

from __future__ import annotations

from tests.support.waiting import wait_until
from tests.worker.conftest import Start
from tests.worker.peer import PATIENCE, Peer
from worker_entry import protocol


def results(peer: Peer, count: int) -> list[tuple[int, object]]:
    found = []
    for _ in range(count):
        message = peer.receive()
        assert isinstance(message, protocol.Result)
        found.append((message.task, peer.codec.loads(message.payload)[0][0]))
    return found


def test_a_worker_that_sleeps_is_rung_for(start: Start) -> None:
    peer = start()
    wait_until(lambda: peer.asleep, PATIENCE)
    number = peer.post("echo", "posted", behind=0)
    assert peer.nothing_more()
    peer.send(protocol.Void())
    assert results(peer, 1) == [(number, "posted")]


def test_a_run_waits_for_those_that_were_sent_before(start: Start) -> None:
    peer = start()
    posted = peer.post("echo", "posted", behind=2)
    sent = [(peer.start("echo", value), value) for value in ("sent", "sent too")]
    assert results(peer, 3) == [*sent, (posted, "posted")]


def test_a_run_goes_before_those_that_were_sent_later(start: Start) -> None:
    peer = start()
    numbers = [peer.post("echo", 0, behind=0), peer.start("echo", 1), peer.start("echo", 2)]
    assert results(peer, 3) == [(number, value) for value, number in enumerate(numbers)]


def test_many_are_found_one_after_the_other(start: Start) -> None:
    peer = start()
    for value in range(200):
        number = peer.post("echo", value, behind=value)
        peer.send(protocol.Void())
        assert results(peer, 1) == [(number, value)]


def test_a_bell_without_a_run_does_nothing(start: Start) -> None:
    peer = start()
    peer.send(protocol.Void())
    assert peer.call("echo", 1) == ((1,), {})
