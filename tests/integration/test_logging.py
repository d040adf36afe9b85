"""What workers print, and what of it and of the tasks is logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import SerializationError, WetlandsError

SECRET = "my-secret-argument-7f3a"


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "wetlands.worker"]


def wait_for_line(caplog: pytest.LogCaptureFixture, text: str) -> Any:
    wait_until(lambda: any(record.getMessage() == text for record in lines(caplog)))
    return next(record for record in lines(caplog) if record.getMessage() == text)


@pytest.mark.parametrize(
    ("stream", "level"), [("stdout", logging.INFO), ("stderr", logging.WARNING)]
)
def test_a_line_arrives_with_environment_worker_and_task(
    env: Environment, caplog: pytest.LogCaptureFixture, stream: str, level: int
) -> None:
    task = env.submit(WORK, "say", ("100% {done}", stream)).wait_for(5)
    record = wait_for_line(caplog, "100% {done}")
    assert record.levelno == level
    assert (record.environment, record.task, record.stream) == ("host", task.id, stream)
    assert record.worker == task.worker.slot  # type: ignore[union-attr]


def test_every_line_belongs_to_the_task_that_printed_it(
    env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = env.map_tasks(WORK, "say", [f"line of {i}" for i in range(200)])
    ids = {f"line of {i}": task.wait_for(5).id for i, task in enumerate(tasks)}
    wait_until(lambda: len(lines(caplog)) == 200)
    assert {record.getMessage(): record.task for record in lines(caplog)} == ids  # type: ignore[attr-defined]


def test_a_line_without_an_end_stays_with_its_task(
    env: Environment, caplog: pytest.LogCaptureFixture, gate: Gate
) -> None:
    tasks = [env.submit(WORK, "say_without_newline", (f"open {i}",)).wait_for(5) for i in range(8)]
    # What ends the last line of each worker is what its next task prints.
    held = [env.submit(WORK, "say_and_hold", (gate.path, name)) for name in ("a", "b")]
    gate.wait_started("a", "b")
    gate.release("a", "b")
    for other in held:
        other.wait_for(5)
    for i, task in enumerate(tasks):
        assert wait_for_line(caplog, f"open {i}").task == task.id


def test_lines_of_one_worker_come_in_order(launch: Launch, caplog: Any) -> None:
    env = launch()
    for i in range(50):
        env.execute(WORK, "say", (str(i),))
    wait_until(lambda: len(lines(caplog)) >= 50)
    assert [record.getMessage() for record in lines(caplog)] == [str(i) for i in range(50)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff\xfe caf\xc3\xa9\n", "\\xff\\xfe café"),
        (b"nul \x00 here\n", "nul \\x00 here"),
        (b"10%\r50%\r100%\n", "100%"),
        (b"windows\r\n", "windows"),
    ],
)
def test_any_bytes_make_a_line(
    env: Environment, caplog: pytest.LogCaptureFixture, data: bytes, text: str
) -> None:
    env.execute(WORK, "write_bytes", (data,))
    wait_for_line(caplog, text)


def test_a_line_without_end_of_any_length_is_cut(launch: Launch, caplog: Any) -> None:
    env = launch()
    env.execute(WORK, "write_bytes", (b"x" * 300_000 + b"\n",))
    wait_until(lambda: sum(len(r.getMessage()) for r in lines(caplog)) == 300_000)
    assert max(len(r.getMessage()) for r in lines(caplog)) <= 2 * 64 * 1024


def test_a_flood_hangs_nobody_and_says_how_much_was_left_out(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    env = launch(max_workers=2)
    flood = env.submit(WORK, "flood", (300_000,))
    assert env.execute(WORK, "echo", (1,)) == 1
    assert flood.wait_for(20).result == 300_000
    env.exit()
    found = [record.getMessage() for record in lines(caplog)]
    left_out = sum(int(text.split()[1]) for text in found if "lines were left out" in text)
    kept = sum(text.startswith("line ") for text in found)
    assert left_out + kept == 300_000
    assert kept < 10_000


def test_a_handler_that_raises_stops_no_task_and_no_event(launch: Launch) -> None:
    class Bad(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("bad handler")

    handler = Bad()
    logging.getLogger("wetlands").addHandler(handler)
    try:
        env = launch()
        env.execute(WORK, "say", ("x",))
        env.submit(WORK, "die", ("exit 1",)).wait_for(5)
        seen: list[Any] = []
        task = env.submit(WORK, "echo", (1,), start=False)
        task.listen(lambda event: 1 / 0).listen(seen.append).start()
        assert task.wait_for(5).result == 1
        assert len(seen) == 2
        env.exit()
    finally:
        logging.getLogger("wetlands").removeHandler(handler)


def test_reading_stdin_finds_its_end(env: Environment) -> None:
    assert env.execute(WORK, "read_stdin") == ""


def test_the_death_of_a_worker_is_logged(launch: Launch, caplog: Any) -> None:
    env = launch()
    env.submit(WORK, "die", ("exit 3",)).wait_for(5)
    wait_until(lambda: "exited with status 3" in caplog.text)
    record = next(r for r in caplog.records if "exited with status 3" in r.getMessage())
    assert record.levelno == logging.WARNING
    assert (record.environment, record.worker) == ("own", 0)


def test_arguments_and_results_are_never_logged(
    launch: Launch, caplog: pytest.LogCaptureFixture, gate: Gate, tmp_path: Any
) -> None:
    import threading

    env = launch(worker_env=lambda i: {"TOKEN": SECRET})
    env.execute(WORK, "echo", (SECRET,))
    env.execute(WORK, "echo", (), {"value": SECRET})
    list(env.map(WORK, "echo", [SECRET]))
    (tmp_path / "script.py").write_text("")
    env.run_script(tmp_path / "script.py", args=(SECRET,))
    env.submit(WORK, "publish", ([("key", SECRET)],)).wait_for(5)
    env.submit(WORK, "echo", (SECRET, SECRET, SECRET)).wait_for(5)  # too many: fails
    canceled = env.submit(WORK, "echo", (SECRET,), start=False)
    canceled.cancel()
    errors = []
    for args, kwargs in ((SECRET, None), ((SECRET,), [SECRET]), ((SECRET, threading.Lock()), None)):
        with pytest.raises(WetlandsError) as caught:
            env.submit(WORK, "echo", args, kwargs)  # type: ignore[arg-type]
        errors.append(str(caught.value))
    listened = env.submit(WORK, "echo", (SECRET,), start=False).listen(lambda event: 1 / 0)
    listened.start().wait_for(5)
    env.submit(WORK, "die", ("exit 1", "")).wait_for(5)
    env.submit(WORK, "hold", (gate.path, SECRET))
    gate.wait_started(SECRET)
    env.submit(WORK, "echo", (SECRET,))
    env.exit(grace=0)
    assert SECRET not in caplog.text
    assert SECRET not in "".join(errors)
    assert "echo" in repr(canceled)
    assert SECRET not in repr(canceled)


def test_an_argument_that_cannot_be_sent_is_not_quoted(env: Environment) -> None:
    class Secretive:
        def __repr__(self) -> str:
            return SECRET

        def __reduce__(self) -> Any:
            raise TypeError("not this one")

    with pytest.raises(SerializationError) as caught:
        env.submit(WORK, "echo", (Secretive(),))
    assert SECRET not in str(caught.value)


def test_importing_and_launching_prints_nothing(launch: Launch, capfd: Any) -> None:
    env = launch(max_workers=2)
    env.execute(WORK, "say", ("to the log alone",))
    env.exit()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
