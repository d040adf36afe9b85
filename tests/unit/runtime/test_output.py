"""What workers print, through real pipes."""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from wetlands.runtime import output
from wetlands.runtime.output import BURST, CHUNK, TAIL_LINES, WorkerOutput


class Pipes:
    """Both pipes of a worker, and the records that came of what was written."""

    def __init__(self) -> None:
        out, self.out = os.pipe()
        err, self.err = os.pipe()
        self.records: list[tuple[int, str, str, Any]] = []
        self.output = WorkerOutput(out, err, lambda *record: self.records.append(record))

    def read(self) -> None:
        for stream in self.output.streams:
            while stream.pending():
                self.output.read(stream)

    @property
    def lines(self) -> list[str]:
        return [line for _, line, _, _ in self.records]

    @property
    def attributed(self) -> list[tuple[str, Any]]:
        return [(line, task) for _, line, _, task in self.records]

    def close(self) -> None:
        for end in (self.out, self.err):
            if end >= 0:
                os.close(end)
        self.output.close()


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wetlands.worker")


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes()
    yield made
    made.close()


def test_lines_arrive_whole_however_they_are_written(pipes: Pipes) -> None:
    text = b"one\ntwo\n\nthree \xc3\xa9\n"
    for byte in text:
        os.write(pipes.out, bytes([byte]))
        pipes.read()
    assert pipes.lines == ["one", "two", "", "three é"]
    os.write(pipes.out, text * 2)
    pipes.read()
    assert pipes.lines == ["one", "two", "", "three é"] * 3


def test_streams_have_levels_and_do_not_mix(pipes: Pipes) -> None:
    os.write(pipes.out, b"half of a line")
    os.write(pipes.err, b"a complaint\n")
    os.write(pipes.out, b" and the rest\n")
    pipes.read()
    assert pipes.records == [
        (logging.INFO, "half of a line and the rest", "stdout", None),
        (logging.WARNING, "a complaint", "stderr", None),
    ]


def test_every_byte_belongs_to_the_task_that_wrote_it(pipes: Pipes) -> None:
    os.write(pipes.out, b"before any\nleft open by none")
    pipes.output.mark("a")  # type: ignore[arg-type]
    os.write(pipes.out, b"a1\na2\nleft open by a")
    pipes.output.mark("silent")  # type: ignore[arg-type]
    pipes.output.mark("b")  # type: ignore[arg-type]
    os.write(pipes.out, b"b1\n")
    pipes.read()
    os.write(pipes.out, b"b2\n")
    pipes.output.mark("c")  # type: ignore[arg-type]
    pipes.read()
    os.write(pipes.out, b"c1")
    pipes.output.drain()
    assert pipes.attributed == [
        ("before any", None),
        ("left open by none", None),
        ("a1", "a"),
        ("a2", "a"),
        ("left open by a", "a"),
        ("b1", "b"),
        ("b2", "b"),
        ("c1", "c"),
    ]


def test_attribution_is_exact_whenever_the_pipes_are_read(pipes: Pipes) -> None:
    chance = random.Random(5)
    expected = []
    for task in range(200):
        pipes.output.mark(task)  # type: ignore[arg-type]
        for number in range(chance.randrange(4)):
            os.write(pipes.out, b"%d.%d\n" % (task, number))
            expected.append((f"{task}.{number}", task))
            if chance.random() < 0.3:
                pipes.output.read(pipes.output.streams[0])
    pipes.read()
    assert pipes.attributed == expected


def test_a_flood_makes_a_bounded_number_of_records_and_is_counted(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(output.time, "monotonic", lambda: now)
    pipes.output._limiter._refilled = now
    for _ in range(100):
        os.write(pipes.out, b"x\n" * 1000)
        pipes.read()
    assert len(pipes.records) == BURST
    now += 1.0
    os.write(pipes.out, b"later\n")
    pipes.read()
    assert pipes.lines[-2:] == [f"... {100_000 - int(BURST)} lines were left out ...", "later"]
    os.write(pipes.out, b"x\n" * 1000)
    pipes.output.drain()
    assert pipes.lines[-1].startswith("... ")
    assert len(pipes.records) < BURST + 510


def test_a_level_that_nobody_listens_to_costs_no_record_and_no_count(
    pipes: Pipes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "wetlands.worker")
    for _ in range(10):
        os.write(pipes.out, b"x\n" * 1000)
        pipes.read()
    os.write(pipes.err, b"heard\n")
    pipes.output.drain()
    assert pipes.lines == ["heard"]


def test_the_end_of_stderr_is_kept_even_in_a_flood(pipes: Pipes) -> None:
    for number in range(5000):
        os.write(pipes.err, b"line %d\n" % number)
        pipes.read()
    os.write(pipes.err, b"the last words")
    pipes.output.drain()
    tail = pipes.output.tail.split("\n")
    assert len(tail) == TAIL_LINES
    assert tail[-2:] == ["line 4999", "the last words"]


@pytest.fixture
def skimmed(pipes: Pipes, monkeypatch: pytest.MonkeyPatch) -> Pipes:
    """Pipes whose budget for records is used up."""
    monkeypatch.setattr(output.time, "monotonic", lambda: 100.0)
    pipes.output._limiter._refilled = 100.0
    pipes.output._limiter._tokens = 0.0
    for stream in pipes.output.streams:
        monkeypatch.setattr(stream, "read", lambda: pytest.fail("a chunk was taken apart"))
    return pipes


def _refill(pipes: Pipes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pipes.output._limiter._tokens = BURST


def test_a_flood_beyond_the_budget_is_counted_and_not_taken_apart(
    skimmed: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        os.write(skimmed.out, b"x\n" * 1000)
        os.write(skimmed.err, b"line %d\n" % number)
        skimmed.read()
    assert skimmed.records == []
    assert skimmed.output.tail.split("\n") == [f"line {i}" for i in range(100 - TAIL_LINES, 100)]
    os.write(skimmed.out, b"begun and ")
    skimmed.read()
    _refill(skimmed, monkeypatch)
    os.write(skimmed.out, b"ended\n")
    skimmed.read()
    assert skimmed.lines == ["... 100100 lines were left out ...", "begun and ended"]


def test_with_logging_off_nothing_is_taken_apart_and_the_tail_is_kept(
    pipes: Pipes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.CRITICAL, "wetlands.worker")
    for stream in pipes.output.streams:
        monkeypatch.setattr(stream, "read", lambda: pytest.fail("a chunk was taken apart"))
    for number in range(1000):
        os.write(pipes.err, b"line %d\nsecond half" % number)
        os.write(pipes.out, b"x\n")
        pipes.read()
    os.write(pipes.err, b" of the last words")
    pipes.output.drain()
    tail = pipes.output.tail.split("\n")
    assert tail[-2:] == ["second halfline 999", "second half of the last words"]
    assert len(tail) == TAIL_LINES
    assert pipes.records == []


@pytest.mark.parametrize("open_line", [b"", b"left open by a"])
@pytest.mark.parametrize("read_between", [False, True])
@pytest.mark.parametrize("begun", [b"", b"b0\n", b"begun "])
def test_lines_after_a_skimmed_chunk_belong_to_the_task_that_wrote_them(
    skimmed: Pipes,
    monkeypatch: pytest.MonkeyPatch,
    open_line: bytes,
    read_between: bool,
    begun: bytes,
) -> None:
    skimmed.output.mark("a")  # type: ignore[arg-type]
    os.write(skimmed.out, b"a1\na2\n" + open_line)
    if read_between:
        skimmed.read()
    skimmed.output.mark("b")  # type: ignore[arg-type]
    os.write(skimmed.out, begun)
    skimmed.read()
    _refill(skimmed, monkeypatch)
    os.write(skimmed.out, b"b1\n")
    skimmed.output.mark("c")  # type: ignore[arg-type]
    os.write(skimmed.out, b"c1\n")
    skimmed.read()
    of_b = "begun b1" if begun == b"begun " else "b1"
    assert skimmed.attributed[-2:] == [(of_b, "b"), ("c1", "c")]
    left = [line for line, task in skimmed.attributed if task not in ("b", "c")]
    assert len(left) <= 2  # the count, and the line that was left open if it was not skimmed


def test_bytes_that_are_no_text_are_shown_as_such(pipes: Pipes) -> None:
    os.write(pipes.out, b"\xff\xfe caf\xc3\xa9 \xe2\x82 \x00\n")
    pipes.read()
    assert pipes.lines == ["\\xff\\xfe café \\xe2\\x82 \x00"]


def test_a_line_without_end_comes_in_pieces(pipes: Pipes) -> None:
    size = 5 * CHUNK
    written = 0
    os.set_blocking(pipes.out, False)
    while written < size:
        with contextlib.suppress(BlockingIOError):
            written += os.write(pipes.out, b"x" * (size - written))
        pipes.read()
    os.write(pipes.out, b"\n")
    pipes.read()
    assert sum(map(len, pipes.lines)) == size
    assert max(map(len, pipes.lines)) < 2 * CHUNK


def test_pieces_of_a_long_line_do_not_split_a_character(pipes: Pipes) -> None:
    text = "x" + "é" * CHUNK
    data = text.encode()
    os.set_blocking(pipes.out, False)
    while data:
        data = data[os.write(pipes.out, data[: CHUNK // 2]) :]
        pipes.read()
    os.write(pipes.out, b"\n")
    pipes.read()
    assert "".join(pipes.lines) == text


def test_a_progress_bar_shows_its_last_state(pipes: Pipes) -> None:
    os.write(pipes.err, b"\r 10%\r 20%\r100%\nwindows\r\n")
    pipes.read()
    assert pipes.lines == ["100%", "windows"]


def test_draining_stops_although_a_grandchild_goes_on_writing(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(pipes.out, b"the last words\n")
    read = pipes.output.read

    def read_and_refill(stream: Any) -> bool:
        more = read(stream)
        os.write(pipes.out, b"more\n")
        return more

    monkeypatch.setattr(pipes.output, "read", read_and_refill)
    pipes.output.drain()
    assert pipes.lines[0] == "the last words"


def test_the_end_of_a_stream_is_told(pipes: Pipes) -> None:
    stream = pipes.output.streams[0]
    os.write(pipes.out, b"last\n")
    assert pipes.output.read(stream)
    assert pipes.output.read(stream), "nothing there is not the end"
    os.close(pipes.out)
    pipes.out = -1
    assert not pipes.output.read(stream)


def test_a_closed_output_is_quiet(pipes: Pipes) -> None:
    pipes.output.close()
    pipes.output.close()
    pipes.output.mark("a")  # type: ignore[arg-type]
    pipes.output.drain()
    assert pipes.records == []
