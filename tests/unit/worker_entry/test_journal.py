"""Rows of pickles, reports, and the file that outlives its writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker_entry import journal
from worker_entry.journal import Journal, Report


@given(st.lists(st.binary(max_size=50)), st.integers(0, 5))
def test_what_is_joined_is_split(pickles: list[bytes], skip: int) -> None:
    count, found = journal.split_items(journal.join_items(7, pickles))
    assert (count, list(found)) == (7, pickles)
    row = journal.join_items(0, pickles)[4:]
    assert list(journal.split(row, skip=skip)) == pickles[skip:]


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1), st.data())
def test_a_row_that_is_cut_off_is_refused(pickles: list[bytes], data: st.DataObject) -> None:
    row = journal.join_items(0, pickles)[4:]
    ends = [sum(4 + len(one) for one in pickles[:n]) for n in range(len(pickles) + 1)]
    at = data.draw(st.integers(0, len(row)).filter(lambda at: at not in ends))
    with pytest.raises(ValueError, match="cut off"):
        list(journal.split(row[:at]))


def test_a_report_is_read_as_it_was_written() -> None:
    report = Report(3, True, 0.25, b"row")
    assert journal.decode(report.encode()) == report


@pytest.mark.parametrize("report", [b"", b"short", None, "text", bytearray(30)])
def test_what_is_no_report_is_refused(report: object) -> None:
    with pytest.raises(ValueError, match="no report"):
        journal.decode(report)


def test_what_was_added_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written = Journal(str(path))
    written.begin(1)
    written.add(b"of the one before")
    written.begin(2**40)
    assert written.add(b"one")
    assert written.add(b"two")
    task, row = journal.take(str(path))
    assert (task, list(journal.split(row))) == (2**40, [b"one", b"two"])
    assert row == written.row()
    assert not path.exists()


def test_there_is_an_end_to_its_room(tmp_path: Path) -> None:
    written = Journal(str(tmp_path / "journal"))
    written.begin(1)
    assert written.add(bytes(journal.SIZE - 100))
    assert not written.add(bytes(100))
    assert written.add(b"small")
    assert [len(one) for one in journal.split(written.row())] == [journal.SIZE - 100, 5]


def test_without_room_for_a_file_memory_has_to_do(tmp_path: Path) -> None:
    written = Journal(str(tmp_path / "no" / "folder"))
    written.begin(1)
    assert written.add(b"one")
    assert list(journal.split(written.row())) == [b"one"]
    assert journal.take(str(tmp_path / "no" / "folder")) == (0, b"")


def test_a_file_that_makes_no_sense_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"x")
    assert journal.take(str(path)) == (0, b"")
    path.write_bytes(bytes(8) + b"\xff" * 4 + b"rest")
    assert journal.take(str(path)) == (0, b"rest")
