"""Bells: who rings is heard, whatever others write, and nobody waits for a full pipe."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wetlands.runtime.bell import MARK, HostBell, WorkerBell
from worker_entry.bell import Bell

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes are not inherited there")


@pytest.fixture
def bell() -> Iterator[HostBell]:
    made = HostBell()
    yield made
    made.close()


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    made = os.pipe()
    os.set_blocking(made[0], False)
    yield made
    for end in made:
        with contextlib.suppress(OSError):
            os.close(end)


def test_who_has_rung_is_known_once(bell: HostBell) -> None:
    assert not bell.has_rung()
    for mark in (b"one.", b"two.", b"one."):
        assert Bell(bell.end, mark).ring()
    assert bell.has_rung()
    assert bell.answer() == {b"one.", b"two."}
    assert not bell.has_rung()
    assert bell.answer() == set()


@pytest.mark.parametrize("nonsense", [b"x", b"four.", b"x" * 4097])
def test_nonsense_has_the_host_look_at_all_and_is_over_with_that(
    bell: HostBell, nonsense: bytes
) -> None:
    Bell(bell.end, b"one.").ring()
    os.write(bell.end, nonsense)
    Bell(bell.end, b"two.").ring()
    assert bell.answer() is None
    Bell(bell.end, b"two.").ring()
    assert bell.answer() == {b"two."}


def test_a_bell_that_is_full_says_so_and_can_be_rung_when_it_was_heard(bell: HostBell) -> None:
    rung = 0
    while Bell(bell.end, rung.to_bytes(MARK, "big")).ring():
        rung += 1
    heard: set[bytes] = set()
    while bell.has_rung():
        heard |= bell.answer() or set()
    assert heard == {number.to_bytes(MARK, "big") for number in range(rung)}
    assert Bell(bell.end, b"more").ring()
    assert bell.answer() == {b"more"}


def test_a_descriptor_that_is_somebody_elses_by_now_is_not_written_to(
    ends: tuple[int, int], tmp_path: Path
) -> None:
    bell = Bell(ends[1], b"mark")
    assert bell.is_whole()
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.dup2(file, ends[1])
    os.close(file)
    assert not bell.is_whole()
    assert not bell.ring()
    assert (tmp_path / "file").read_bytes() == b""
    os.close(ends[1])
    assert not bell.ring()


def test_without_a_descriptor_nothing_rings() -> None:
    assert not Bell().is_whole()
    assert not Bell().ring()
    assert not WorkerBell().ring()


def test_a_worker_hears_even_what_does_not_fit(ends: tuple[int, int]) -> None:
    bell = WorkerBell(ends[1])
    for _ in range(70_000):
        assert bell.ring()
    assert os.read(ends[0], 1) == b"\0"


def test_a_worker_that_is_gone_does_not_hear(ends: tuple[int, int]) -> None:
    bell = WorkerBell(ends[1])
    os.close(ends[0])
    assert not bell.ring()
    bell.close()
    bell.close()
    assert not bell.ring()
