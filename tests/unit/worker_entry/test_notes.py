"""What a worker and its host note for each other: a real file, both of its ends."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetlands.runtime.notes import WorkerNotes
from worker_entry import notes
from worker_entry.notes import Notes


class Both:
    """The two ends of one file."""

    def __init__(self, folder: Path, *, mapped: bool = False) -> None:
        self.path = folder / "notes"
        self.host = WorkerNotes(self.path, mapped=mapped)
        self.worker = Notes(str(self.path))

    def close(self) -> None:
        self.worker._numbers.release()
        self.worker._map.close()
        self.host.close()


@pytest.fixture(params=[True, False], ids=["mapped", "asking"])
def both(tmp_path: Path, request: pytest.FixtureRequest):
    made = Both(tmp_path, mapped=request.param)
    yield made
    made.close()
    assert not made.path.exists()


def test_what_has_begun_is_known_at_once(both: Both) -> None:
    assert both.host.begun() == 0
    assert both.worker.begin()
    assert both.worker.begin()
    assert both.host.begun() == 2


def test_what_is_reclaimed_in_time_does_not_begin(both: Both) -> None:
    both.worker.begin()
    assert both.host.reclaim([2, 3]) == [2, 3]
    assert [both.worker.begin() for _ in range(3)] == [False, False, True]


def test_of_what_may_have_begun_nothing_is_certain(both: Both) -> None:
    both.worker.begin()
    both.worker.begin()
    assert both.host.reclaim([2, 3]) == [3]


def test_a_mark_is_for_one_run_and_not_for_the_next_one_of_that_place(both: Both) -> None:
    both.host.reclaim([1])
    for number in range(1, notes.MARKS + 3):
        both.host.assign(number) if number > 1 else None
        assert both.worker.begin() == (number > 1), number


def test_how_long_a_task_took_is_known(both: Both) -> None:
    both.worker.end(0.25)
    assert both.host.lasted() == 0.25


def test_endings_are_read_in_order_and_once(both: Both) -> None:
    assert both.worker.add(b"first", 1, 0.5)
    assert both.worker.add(b"second", 1, 0.25, task=5, attempt=2)
    assert both.host.take(1) == [(1, 0.5, 0, 0, b"first"), (1, 0.25, 5, 2, b"second")]
    assert both.host.take(1) == []


def test_an_ending_waits_for_the_message_that_was_sent_before_it(both: Both) -> None:
    both.worker.add(b"first", 1, 0.5)
    both.worker.add(b"second", 2, 0.5)
    assert both.host.take(1) == [(1, 0.5, 0, 0, b"first")]
    assert both.host.take(1) == []
    assert both.host.take(2) == [(2, 0.5, 0, 0, b"second")]


def test_what_is_too_large_for_the_ring_or_for_what_is_left_of_it_is_refused(both: Both) -> None:
    assert not both.worker.add(bytes(notes.MAX_ENDING + 1), 0, 0.5)
    while both.worker.add(bytes(notes.MAX_ENDING), 0, 0.5):
        pass
    assert len(both.host.take(0)) == notes.RING // (notes.MAX_ENDING + notes.EXTRA)
    assert both.worker.add(bytes(notes.MAX_ENDING), 0, 0.5)


@given(sizes=st.lists(st.integers(0, notes.MAX_ENDING), max_size=40), every=st.integers(1, 7))
def test_the_ring_goes_round(tmp_path_factory, sizes: list[int], every: int) -> None:
    both = Both(tmp_path_factory.mktemp("ring"))
    noted, read = [], []
    for index, size in enumerate(sizes):
        ending = bytes([index % 256]) * size
        if both.worker.add(ending, 0, 0.5):
            noted.append(ending)
        if index % every == 0:
            read += [noted.ending for noted in both.host.take(0)]
    read += [noted.ending for noted in both.host.take(0)]
    both.close()
    assert read == noted


def test_a_worker_that_writes_nonsense_is_found_out(both: Both) -> None:
    with open(both.path, "r+b") as file:
        file.seek(8 * notes.WRITTEN)
        file.write((2 * notes.RING).to_bytes(8, "little"))
    with pytest.raises(ValueError, match="more than there is room for"):
        both.host.take(0)


@pytest.mark.parametrize("seconds", [math.nan, -1.0, -math.inf, math.inf])
def test_a_time_that_no_task_takes_is_nonsense_too(both: Both, seconds: float) -> None:
    both.worker.add(b"ending", 0, seconds)
    with pytest.raises(ValueError, match="less than no time"):
        both.host.take(0)


def test_what_is_handed_over_is_found_once(both: Both) -> None:
    assert not both.worker.has_post(0)
    for message in (b"one", b"", b"x" * notes.MAX_POST):
        assert both.host.post(message, 0)
        assert both.worker.has_post(0)
        assert both.worker.post() == message
        both.worker.fetch()
        assert not both.worker.has_post(0)


def test_what_is_handed_over_waits_for_the_messages_that_were_sent_before(both: Both) -> None:
    assert both.host.post(b"third", 2)
    assert [both.worker.has_post(received) for received in range(3)] == [False, False, True]


def test_nothing_is_handed_over_that_has_no_room(both: Both) -> None:
    assert not both.host.post(b"x" * (notes.MAX_POST + 1), 0)
    assert not both.worker.has_post(0)


def test_nothing_is_handed_over_to_a_worker_that_only_a_message_wakes(both: Both) -> None:
    both.worker.sleep(notes.DEEPLY)
    assert both.host.sleeps() == notes.DEEPLY
    assert not both.host.post(b"message", 0)
    both.worker.sleep(notes.AWAKE)
    assert not both.worker.has_post(0)
    assert both.host.sleeps() == notes.AWAKE


def test_to_a_worker_that_a_byte_wakes_it_is(both: Both) -> None:
    both.worker.sleep(notes.LIGHTLY)
    assert both.host.post(b"message", 0)
    assert both.host.sleeps() == notes.LIGHTLY
    assert both.worker.has_post(0)


def test_a_worker_that_says_nonsense_of_its_sleep_gets_messages(both: Both) -> None:
    both.worker.sleep(2**40)
    assert not both.host.post(b"message", 0)


def test_there_is_more_until_all_of_it_is_taken(both: Both) -> None:
    assert not both.host.has_more()
    both.worker.add(b"ending", 1, 0.5)
    assert both.host.take(0) == []
    assert both.host.has_more()
    both.host.take(1)
    assert not both.host.has_more()


def test_those_that_wait_for_messages_are_not_read_again_with_each_of_them(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, read, split = 1000, 0, notes.split

    def counted(ring: bytes) -> Iterator[notes.Noted]:
        nonlocal read
        for noted in split(ring):
            read += 1
            yield noted

    monkeypatch.setattr(notes, "split", counted)
    for sent in range(1, count + 1):
        assert both.worker.add(b"log", sent, 0.0)
    taken = [noted.sent for received in range(count + 1) for noted in both.host.take(received)]
    assert taken == list(range(1, count + 1))
    assert read <= 2 * count


def test_a_worker_that_cuts_the_file_off_has_begun_nothing(tmp_path: Path) -> None:
    both = Both(tmp_path)  # not mapped, as where workers are not trusted
    both.worker.begin()
    both.worker.add(b"ending", 0, 0.5)
    os.truncate(both.path, notes.RING_AT)
    with pytest.raises(ValueError, match="without its beginning"):
        both.host.take(0)
    os.truncate(both.path, 4)
    assert both.host.begun() == 0
    os.truncate(both.path, 100)
    both.host.take(0)
    both.close()


@pytest.mark.skipif(os.name == "nt", reason="uses an alarm")
def test_a_signal_handler_that_raises_leaves_nothing_locked(both: Both) -> None:
    class AlarmError(Exception):
        pass

    def ring(number: int, frame: object) -> None:
        raise AlarmError

    before, hits = signal.signal(signal.SIGALRM, ring), 0
    try:
        while hits < 1500:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00005 + hits % 50 * 1e-6)
                while True:
                    both.worker.is_watched()
            except AlarmError:
                hits += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    asked = threading.Thread(target=both.worker.is_watched, daemon=True)
    asked.start()
    asked.join(5)
    assert not asked.is_alive()


@pytest.mark.skipif(os.name == "nt", reason="limits are those of POSIX")
def test_where_there_is_no_room_for_the_file_it_is_an_error_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (notes.SIZE // 2, before[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            WorkerNotes(tmp_path / "notes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
