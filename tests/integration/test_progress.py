"""What running code says: progress, outputs, log records."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import WORK, Gate
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.task import ExecutionException, TaskEventType, TaskStatus


def test_update_sets_message_current_maximum_and_progress(env: Environment, gate: Gate) -> None:
    task = env.submit(WORK, "report_and_hold", (gate.path, "Half", 1, 2))
    gate.wait_started()
    wait_until(lambda: task.outputs)
    assert (task.message, task.current, task.maximum, task.progress) == ("Half", 1, 2, 0.5)
    assert task.outputs == {"half": 1}
    assert task.status is TaskStatus.RUNNING
    gate.release()
    task.wait_for(5)
    assert (task.message, task.progress, task.outputs) == ("Half", 0.5, {"half": 1})


def test_every_update_arrives_in_order(env: Environment) -> None:
    seen: list[Any] = []
    task = env.submit(WORK, "report", (50,), start=False)
    task.listen(lambda event: seen.append((event.type, event.task.current)))
    task.start().wait_for(5)
    updates = [current for kind, current in seen if kind is TaskEventType.UPDATE]
    assert updates == list(range(1, 51))


@pytest.mark.parametrize(
    ("current", "maximum", "progress"),
    [
        (None, None, None),
        (3, None, None),
        (None, 3, None),
        (3, 0, None),
        (0, 4, 0.0),
        (1, 4, 0.25),
        (4, 4, 1.0),
        (5, 4, 1.0),
        (-1, 4, 0.0),
        (0.5, 1.0, 0.5),
        (math.nan, 4, 0.0),
    ],
)
def test_progress_is_a_float_between_0_and_1_or_none(
    env: Environment, current: Any, maximum: Any, progress: Any
) -> None:
    task = env.submit(WORK, "report_once", (None, current, maximum)).wait_for(5)
    assert task.progress == progress
    assert progress is None or isinstance(task.progress, float)


def test_what_an_update_leaves_out_keeps_its_value(env: Environment) -> None:
    def remote(*, task: Any = None) -> None:
        task.update("a", current=1, maximum=10)
        task.update("b")
        task.update(current=2)

    task = env.submit(remote).wait_for(5)
    assert (task.message, task.current, task.maximum) == ("b", 2, 10)


def test_an_update_without_a_number_fails_in_the_function(env: Environment) -> None:
    task = env.submit(WORK, "report_once", ("x", "one")).wait_for(5)
    assert task.status is TaskStatus.FAILED
    assert "current must be a number" in (task.error or "")


def test_outputs_accumulate_and_the_last_value_of_a_key_wins(env: Environment) -> None:
    values = [("a", 1), ("b", [1, {"x": None}]), ("a", 3)]
    task = env.submit(WORK, "publish", (values,)).wait_for(5)
    assert task.outputs == {"a": 3, "b": [1, {"x": None}]}
    task.outputs.clear()  # a copy
    assert len(task.outputs) == 2


def test_an_output_is_an_update_event(env: Environment) -> None:
    kinds: list[Any] = []
    task = env.submit(WORK, "publish", ([("a", 1)],), start=False)
    task.listen(lambda event: kinds.append((event.type, dict(event.task.outputs))))
    task.start().wait_for(5)
    assert (TaskEventType.UPDATE, {"a": 1}) in kinds


def test_outputs_stay_when_the_task_fails(env: Environment) -> None:
    def remote(*, task: Any = None) -> None:
        task.set_output("partial", 7)
        raise ValueError("later")

    task = env.submit(remote).wait_for(5)
    assert (task.status, task.outputs) == (TaskStatus.FAILED, {"partial": 7})


def test_an_output_that_cannot_be_sent_raises_in_the_function(env: Environment) -> None:
    assert "lock" in env.execute(WORK, "publish_bad")


def test_an_output_that_cannot_be_rebuilt_is_given_as_the_error(env: Environment) -> None:
    def remote(*, task: Any = None) -> None:
        class Bomb:
            def __reduce__(self) -> Any:
                return eval, ("1/0",)

        task.set_output("bomb", Bomb())
        task.set_output("fine", 1)

    task = env.submit(remote).wait_for(5)
    assert task.status is TaskStatus.COMPLETED
    assert task.outputs["fine"] == 1
    assert isinstance(task.outputs["bomb"], ExecutionException)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.ERROR, "warning"])
def test_log_reaches_the_hosts_logging(
    env: Environment, caplog: pytest.LogCaptureFixture, level: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    task = env.submit(WORK, "log_line", ("from afar 100%s", level)).wait_for(5)
    wait_until(lambda: "from afar 100%s" in caplog.text)
    record = next(r for r in caplog.records if r.getMessage() == "from afar 100%s")
    number = logging.WARNING if level == "warning" else level
    assert record.levelno == number
    assert (record.environment, record.task) == ("host", task.id)  # type: ignore[attr-defined]
    assert record.worker == task.worker.slot  # type: ignore[attr-defined, union-attr]
    assert task.status is TaskStatus.COMPLETED


def test_log_below_the_level_of_the_logger_makes_no_record(
    env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    env.execute(WORK, "log_line", ("too quiet", logging.INFO))
    env.execute(WORK, "log_line", ("loud", logging.ERROR))
    wait_until(lambda: "loud" in caplog.text)
    assert "too quiet" not in caplog.text


def test_the_handle_may_be_used_from_any_thread_of_the_task(env: Environment) -> None:
    task = env.submit(WORK, "from_threads", (16,)).wait_for(10)
    assert task.status is TaskStatus.COMPLETED, task.error
    assert task.outputs == {f"key-{i}": i for i in range(16)}


def test_a_thread_that_outlives_its_task_cannot_speak_for_the_next(
    env: Environment, gate: Gate
) -> None:
    task = env.submit(WORK, "late_speaker", (gate.path,)).wait_for(5)
    holders = [env.submit(WORK, "hold", (gate.path, name)) for name in ("a", "b")]
    gate.wait_started("a", "b")
    Path(gate.path, "speak").touch()
    wait_until(lambda: Path(gate.path, "spoken").exists())
    gate.release("a", "b")
    for found in [task, *(holder.wait_for(5) for holder in holders)]:
        assert found.status is TaskStatus.COMPLETED
        assert found.message is None


def test_a_huge_message_is_cut_and_hurts_nothing(env: Environment) -> None:
    task = env.submit(WORK, "report_once", ("x" * 10_000_000,)).wait_for(10)
    assert task.status is TaskStatus.COMPLETED
    assert 0 < len(task.message or "") < 100_000


def test_a_message_may_be_any_text(env: Environment) -> None:
    text = "日本 \ud800 \x00 {task} %s\n"
    task = env.submit(WORK, "report_once", (text,)).wait_for(5)
    assert task.status is TaskStatus.COMPLETED
    assert (task.message or "").startswith("日本")
