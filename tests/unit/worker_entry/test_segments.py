"""Segments: who holds them, when they are used again, and what is refused."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wetlands.runtime.segments import HostCarrier
from worker_entry.segment import ALIGNMENT, HEADER
from worker_entry.segment_carrier import Table
from worker_entry.segment_pool import SegmentPool, rounded
from worker_entry.segment_table import INLINE, Place, read_table, write_entry
from worker_entry.worker_carrier import WorkerCarrier

SIZE = 200_000
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="segments are for POSIX systems")


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    made = [tmp_path / "memory", tmp_path / "disk"]
    for folder in made:
        folder.mkdir()
    return [str(folder) for folder in made]


Make = Callable[..., HostCarrier]


@pytest.fixture
def make(folders: list[str]) -> Iterator[Make]:
    made: list[HostCarrier] = []

    def make(ceiling: int | None = None, busy: Any = list) -> HostCarrier:
        made.append(HostCarrier(folders, ceiling, busy))
        return made[-1]

    yield make
    for carrier in made:
        carrier.close()


@pytest.fixture
def host(make: Make) -> HostCarrier:
    return make()


def worker_of(host: HostCarrier, slot: int = 0, incarnation: int = 1) -> WorkerCarrier:
    config = host.worker_config(slot, incarnation)
    assert config is not None
    return WorkerCarrier(json.loads(json.dumps(config)))


@pytest.fixture
def worker(host: HostCarrier) -> WorkerCarrier:
    return worker_of(host)


def places_of(frames: list[Any]) -> list[Place]:
    return [entry for entry in read_table(frames[0]) if entry is not None]


def content(seed: int, size: int = SIZE) -> bytearray:
    return bytearray((seed + i) % 251 for i in range(251)) * (size // 251 + 1)


def pack(carrier: Any, *contents: Any) -> list[Any]:
    return carrier.pack([pickle.PickleBuffer(part) for part in contents])


def send(carrier: WorkerCarrier, *contents: Any) -> list[bytes]:
    """Do what a worker does; return what arrives."""
    frames = pack(carrier, *contents)
    frames[0].lend()
    return [bytes(frame) for frame in frames]


def files(host: HostCarrier) -> list[str]:
    names = (name for folder in host._folders for name in os.listdir(folder))
    return sorted(name for name in names if not name.endswith("growing"))


def hand_back(carrier: WorkerCarrier, value: Any) -> list[Any]:
    """Do what a worker does with a result that it has no more."""
    frames = carrier.hand_back([pickle.PickleBuffer(part) for part in value])
    del value
    return frames


# -- there and back --------------------------------------------------------------------------------


def test_buffers_arrive_as_they_were_and_can_be_written_to(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    parts = [content(1), content(2, 3), content(3, SIZE * 4)]
    frames = pack(host, *parts)
    found = worker.unpack([bytes(frame) for frame in frames])
    assert [bytes(buffer) for buffer in found] == parts
    assert len(files(host)) == 1, "the buffers of one value share a segment"
    offsets = [entry[4] for entry in places_of(frames)]
    assert all(offset % ALIGNMENT == 0 for offset in offsets)
    found[1][:3] = b"own"
    assert parts[1][:3] != b"own"


def test_what_is_packed_are_the_bytes_of_the_moment(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    part = content(1)
    frames = pack(host, part)
    expected = bytes(part)
    part[:] = bytes(len(part))
    assert bytes(worker.unpack(frames)[0]) == expected


def test_results_come_the_same_way(host: HostCarrier, worker: WorkerCarrier) -> None:
    frames = send(worker, content(5))
    _, redeemed = host.redeem([b"pickle", *frames])
    (found,) = host.unpack([redeemed])
    assert found == content(5)
    assert not found.readonly


def test_a_value_without_buffers_is_left_alone(host: HostCarrier) -> None:
    frames = [b"pickle"]
    assert host.redeem(frames) is frames


# -- used again, and not too early -----------------------------------------------------------------


def test_a_segment_is_used_again_once_its_payload_and_its_arrays_are_gone(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    for seed in range(20):
        frames = pack(host, content(seed))
        assert bytes(worker.unpack(frames)[0]) == content(seed)
        del frames
        assert len(files(host)) == 1


def test_a_view_of_a_view_keeps_the_segment(host: HostCarrier, worker: WorkerCarrier) -> None:
    numpy = pytest.importorskip("numpy")
    frames = pack(host, content(1))
    kept = numpy.frombuffer(worker.unpack(frames)[0], "u1")[10:20][::2]
    expected = kept.tolist()
    del frames
    for seed in range(2, 5):
        pack(host, content(seed))
    assert kept.tolist() == expected
    assert len(files(host)) == 2
    del kept
    pack(host, content(1)), pack(host, content(1))
    assert len(files(host)) == 2


def test_a_payload_that_was_not_taken_yet_keeps_the_segment(host: HostCarrier) -> None:
    payloads = [pack(host, content(seed)) for seed in range(3)]
    assert len(files(host)) == 3
    workers = [worker_of(host, slot) for slot in range(2)]
    for seed, frames in enumerate(payloads):
        # Two workers, as when the first dies before it has begun.
        for worker in workers:
            assert bytes(worker.unpack(frames)[0]) == content(seed)


def test_a_result_is_kept_from_when_it_is_sent(host: HostCarrier, worker: WorkerCarrier) -> None:
    first = send(worker, content(1))
    second = send(worker, content(2))
    assert len(files(host)) == 2
    assert bytes(host.look_up(first)[0]) == content(1)
    assert bytes(host.look_up(second)[0]) == content(2)
    send(worker, content(3))
    assert len(files(host)) == 2, "what the host has let go of is used again"


def test_a_result_that_nobody_looks_at_is_given_back(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    for seed in range(5):
        host.redeem([b"pickle", *send(worker, content(seed))])
    assert len(files(host)) == 1


def test_a_result_that_is_never_sent_is_given_back(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    for seed in range(5):
        pack(worker, content(seed))
    assert len(files(host)) == 1


def test_the_segments_of_a_dead_worker_are_free_and_its_files_are_removed(
    host: HostCarrier,
) -> None:
    worker = worker_of(host)
    held = worker.unpack(pack(host, content(1)))
    (result,) = host.look_up(send(worker, content(2)))
    pack(host, content(3))
    assert len(files(host)) == 3
    host.forget_worker(0, 1)()
    assert len(files(host)) == 2
    assert bytes(result) == content(2), "results that are in use stay"
    first, second = pack(host, content(4)), pack(host, content(5))
    assert len(files(host)) == 2
    del first, second, held


def test_the_late_end_of_an_older_worker_does_not_take_from_its_successor(
    host: HostCarrier,
) -> None:
    worker_of(host, 0, 1)
    held = worker_of(host, 0, 2).unpack(pack(host, content(1)))
    host.forget_worker(0, 1)()
    pack(host, content(2))
    assert bytes(held[0]) == content(1)


def test_a_forked_child_that_drops_its_copy_lets_go_of_nothing(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    held = host.look_up(send(worker, content(1)))
    pid = os.fork()
    if pid == 0:
        held.clear()
        gc.collect()
        inline = pack(worker, content(9))
        os._exit(0 if len(inline) == 2 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    send(worker, content(2))
    assert bytes(held[0]) == content(1)


def test_threads_that_lend_and_let_go_never_see_each_others_bytes(host: HostCarrier) -> None:
    wrong: list[int] = []

    def work(slot: int) -> None:
        worker = worker_of(host, slot)
        for seed in range(slot, 400, 4):
            frames = pack(host, content(seed))
            (found,) = worker.unpack(frames)
            del frames
            if bytes(found) != content(seed):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(files(host)) <= 12


def test_maps_cost_no_descriptors_and_those_of_retired_segments_go(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    payloads = [pack(host, content(1)) for _ in range(50)]
    for frames in payloads:
        worker.unpack(frames)
    if before:
        assert len(os.listdir("/proc/self/fd")) == before
    assert len(worker.attachments) == 50
    del payloads, frames
    host.pool._trim()
    assert files(host) == []
    worker.unpack(pack(host, content(1)))
    assert len(worker.attachments) == 1


# -- space -----------------------------------------------------------------------------------------


@given(st.integers(1, 2**40))
def test_sizes_are_enough_and_waste_little(size: int) -> None:
    room = rounded(size)
    assert room >= size
    assert room <= max(size * 1.126, 64 * 1024)
    assert rounded(room) == room


def test_the_ceiling_is_for_host_and_workers_together(make: Make) -> None:
    size = HEADER + rounded(SIZE)
    host = make(ceiling=3 * size)
    worker = worker_of(host)
    kept = [pack(host, content(1)), send(worker, content(2)), pack(host, content(3))]
    over = [pack(host, content(4)), send(worker, content(5))]
    places = [places_of(frames)[0][0] for frames in kept + over]
    assert places == [0, 0, 0, 1, 1], "the rest lies among temporary files"
    for seed, frames in enumerate(kept + over, 1):
        carrier = worker if type(frames[0]) is Table else host
        assert bytes(carrier.look_up(frames)[0]) == content(seed)


def test_what_lies_unused_makes_way_for_what_is_larger(make: Make) -> None:
    host = make(ceiling=5 * SIZE)
    for _ in range(3):
        pack(host, content(1))
    pack(host, content(2, 4 * SIZE))
    assert places_of(pack(host, content(2, 4 * SIZE)))[0][0] == 0
    assert len(files(host)) == 1


def test_a_caller_waits_for_space_while_a_task_has_some(make: Make) -> None:
    payloads: list[Any] = []
    looks: list[int] = []

    def busy() -> list[Any]:
        looks.append(1)
        if len(looks) == 5:
            payloads.clear()
        return list(payloads)

    host = make(ceiling=HEADER + rounded(SIZE), busy=busy)
    payloads.append(tuple(pack(host, content(1))))
    frames = pack(host, content(2))
    assert len(looks) >= 5
    assert places_of(frames)[0][0] == 0
    assert len(files(host)) == 1


def test_nobody_waits_for_what_can_never_fit(make: Make) -> None:
    host = make(ceiling=SIZE, busy=lambda: pytest.fail("waited"))
    assert places_of(pack(host, content(1, 3 * SIZE)))[0][0] == 1


def test_without_any_space_buffers_go_inline(make: Make, folders: list[str]) -> None:
    host = make(ceiling=0)
    worker = worker_of(host)
    for folder in folders:
        os.rmdir(folder)
    to_worker = pack(host, content(1), content(2))
    to_host = pack(worker, content(3), content(4))
    for there, back in ((to_worker, worker), (to_host, host)):
        assert read_table(there[0]) == [None, None]
        assert len(there) == 3
        found = back.look_up([bytes(frame) for frame in there])
        assert [len(buffer) for buffer in found] == [len(content(1))] * 2
        found[0][0:1] = b"w"
    for folder in folders:
        os.mkdir(folder)


_TINY = """
import os, pickle, sys
from wetlands.runtime.segments import HostCarrier
from worker_entry.worker_carrier import WorkerCarrier
from worker_entry.segment_table import read_table
host = HostCarrier([sys.argv[1]], 2**40, list)
worker = WorkerCarrier(host.worker_config(0, 1))
payloads = []
while not payloads or read_table(payloads[-1][0]) != [None]:
    content = bytes([len(payloads) + 1]) * 200_000
    payloads.append(host.pack([pickle.PickleBuffer(content)]))
for number, frames in enumerate(payloads, 1):
    assert bytes(worker.unpack(frames)[0]) == bytes([number]) * 200_000
print(len(payloads), len(os.listdir(sys.argv[1])))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")
def test_a_full_file_system_is_no_bus_error(tmp_path: Path) -> None:
    program = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("may not mount file systems")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", program, "sh", str(tmp_path), sys.executable, _TINY],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    count, left = (int(part) for part in done.stdout.split())
    assert 3 <= count <= 6, "the last one went inline"
    assert left == count - 1 + 1, "what could not be filled is removed; one is for the lock"


# -- what is refused -------------------------------------------------------------------------------


def test_a_reference_to_a_lease_that_has_ended_is_refused(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    old = [bytes(frame) for frame in pack(host, content(1))]
    pack(host, content(2))
    with pytest.raises(Exception, match="has ended"):
        worker.unpack(old)
    pack(host, content(3))
    assert len(files(host)) == 1, "the refusal holds nothing"


@pytest.mark.parametrize(
    "table",
    [
        write_entry(0, "nothing", 1, False, 0, 1),
        write_entry(0, "link", 1, False, 0, 1),
        write_entry(0, "..", 1, False, 0, 1),
        write_entry(0, "../secret", 1, False, 0, 1),
        write_entry(0, "", 1, False, 0, 1),
        write_entry(0, "\u00fc", 1, False, 0, 1),
        write_entry(0, "short", 1, False, 0, 1),
        write_entry(2, "short", 1, False, 0, 1),
        write_entry(255, "short", 1, False, 0, 1),
        write_entry(0, "short", 1, False, 0, 1)[:-1],
        write_entry(0, "short", 1, False, 0, 1)[:10],
        write_entry(0, "nothing", 1, True, 0, 1) + b"more",
        b"\x03" + write_entry(0, "short", 1, False, 0, 1)[1:],
        b"\x04" + write_entry(0, "short", 1, False, 0, 1)[1:],
        b"\x00" + write_entry(0, "short", 1, False, 0, 1)[1:],
        INLINE,
        b"[null]",
    ],
)
def test_references_that_make_no_sense_are_refused(
    host: HostCarrier, worker: WorkerCarrier, folders: list[str], table: bytes
) -> None:
    folder = Path(folders[0])
    (folder / "short").write_bytes(b"no segment")
    (folder.parent / "secret").write_bytes(bytes(10_000))
    (folder / "link").symlink_to(folder.parent / "secret")
    for carrier in (host, worker):
        with pytest.raises((OSError, ValueError, StopIteration)):
            carrier.look_up([table])
    _, redeemed = host.redeem([b"pickle", table])
    with pytest.raises((OSError, ValueError, StopIteration)):
        host.unpack([redeemed])


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10**9), (10**9, 0), (2**64 - 1, 2), (5, 2**64 - 3)]
)
def test_buffers_outside_of_their_segment_are_refused(
    host: HostCarrier, worker: WorkerCarrier, offset: int, length: int
) -> None:
    place, name, number, private, *_ = places_of(send(worker, content(1)))[0]
    with pytest.raises(ValueError, match="outside"):
        host.look_up([write_entry(place, name, number, private, offset, length)])


def test_a_worker_gives_away_no_segments_but_its_own(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    other = worker_of(host, slot=1)
    frames = send(worker, content(1))
    _, redeemed = host.redeem_from(0, 1, [b"pickle", *frames])
    assert bytes(host.unpack([redeemed])[0]) == content(1)
    arguments = [bytes(frame) for frame in pack(host, content(2))]
    for slot, incarnation, table in ((1, 1, frames), (0, 2, frames), (0, 1, arguments)):
        _, redeemed = host.redeem_from(slot, incarnation, [b"pickle", *table])
        with pytest.raises(ValueError, match="not the sender's own"):
            host.unpack([redeemed])
    del redeemed
    assert bytes(other.unpack(arguments)[0]) == content(2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3))
def test_any_bytes_are_a_table_or_an_error(host: HostCarrier, frames: list[bytes]) -> None:
    _, redeemed = host.redeem([b"pickle", *frames])
    with contextlib.suppress(ValueError, OSError, StopIteration, RecursionError):
        host.unpack([redeemed])


def test_a_pool_leaves_alone_what_is_not_its_own(folders: list[str]) -> None:
    first, second = (SegmentPool(folders, family, "h", 10**9) for family in ("1", "11"))
    leases = first.lease(1), second.lease(1)
    assert None not in leases
    first.retire()
    assert [name for name in os.listdir(folders[0]) if "growing" not in name] == ["11.h.1"]
    second.retire()


# -- arguments that come back ----------------------------------------------------------------------


def test_what_nobody_refers_to_goes_back_in_its_own_memory(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    frames = pack(host, content(1))
    (found,) = worker.unpack(frames)
    found[:3] = b"new"
    named = hand_back(worker, [found])
    del found
    (place,) = places_of(list(worker.settle(named)))
    assert place[:3] == places_of(frames)[0][:3]
    _, redeemed = host.redeem_from(0, 1, [b"pickle", *named], [b"call", *frames])
    (back,) = redeemed.buffers()
    assert back[:3] == b"new"
    (segment,) = host.pool.segments.values()
    del frames, redeemed
    (other,) = worker.unpack(pack(host, content(2)))
    assert len(files(host)) == 2, "it is in use as long as what came back"
    del back, other
    pack(host, content(3))
    assert len(files(host)) == 2
    assert segment.name in host.pool.segments


@pytest.mark.parametrize("who", ["this worker", "another one"])
def test_what_somebody_refers_to_is_copied_by_the_worker(host: HostCarrier, who: str) -> None:
    worker, other = worker_of(host), worker_of(host, slot=1)
    frames = pack(host, content(1), content(2))
    first, second = worker.unpack(frames)
    kept = first if who == "this worker" else other.unpack(frames)
    named = hand_back(worker, [second, content(3)])
    del first, second
    copied = list(worker.settle(named))
    copied[0].lend()
    assert [name.split(".")[1] for _, name, *_ in places_of(copied)] == ["0-1", "0-1"]
    _, redeemed = host.redeem_from(0, 1, [b"pickle", *copied], [b"call", *frames])
    assert [bytes(buffer) for buffer in redeemed.buffers()] == [content(2), content(3)]
    assert kept is not None


def test_a_worker_knows_how_much_came_in_segments_with_a_call(
    host: HostCarrier, worker: WorkerCarrier
) -> None:
    frames = pack(host, content(1), content(2))
    assert worker.unpack(frames)
    assert worker.carried() == len(content(1)) + len(content(2))
    worker.begin()
    assert worker.carried() == 0


def test_what_came_with_an_earlier_call_is_copied(host: HostCarrier, worker: WorkerCarrier) -> None:
    (old,) = worker.unpack(pack(host, content(1)))
    worker.begin()
    assert places_of(hand_back(worker, [old]))[0][1].split(".")[1] == "0-1"


def test_memory_that_is_in_use_is_not_taken_back(host: HostCarrier, worker: WorkerCarrier) -> None:
    frames = pack(host, content(1))
    (found,) = worker.unpack(frames)
    _, redeemed = host.redeem_from(0, 1, [b"pickle", *frames], [b"call", *frames])
    with pytest.raises(ValueError, match="in use"):
        redeemed.buffers()
    assert found is not None
