"""What runs, how it ends, and what of it the host hears."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tests.worker.conftest import Start
from tests.worker.peer import MODULES, Ended, Peer
from worker_entry import journal, protocol
from worker_entry.codec import Codec

# -- what runs -------------------------------------------------------------------------------------


def test_a_function_of_a_file_runs(worker: Peer) -> None:
    assert worker.call("add", 1, b=2) == 3
    assert worker.call("version") == worker.interpreter.version[:2]


def test_dotted_names_reach_into_classes(worker: Peer) -> None:
    assert worker.call("Shelf.label", "x") == "<x>"
    assert worker.call("Shelf.Inner.name") == "Shelf.Inner"


def test_a_function_of_an_importable_module_runs(worker: Peer) -> None:
    assert worker.call("join", "a", "b", how="module", target="os.path") == "a/b"


def test_a_function_goes_by_value_between_equal_minor_versions(
    worker: Peer, same_minor: bool
) -> None:
    if not same_minor:
        pytest.skip("code objects of another minor version never cross")
    factor = 3
    frame = worker.codec.dumps_whole(lambda x, *, task: (x * factor, task is not None))
    assert worker.call("", 5, how="value", target="", between=[frame]) == (15, True)


def test_a_closure_can_be_the_result_between_equal_minor_versions(
    worker: Peer, same_minor: bool
) -> None:
    ended = worker.run("closure")
    if same_minor:
        assert ended.value() == 42
    else:
        assert ended.failure["kind"] == "result"


def test_pyzmq_is_whole_for_a_task_though_the_worker_loads_a_part_of_it(worker: Peer) -> None:
    assert worker.call("use_pyzmq") == [b"a", b"b", b"c"]


def test_the_functions_of_a_target_are_listed(worker: Peer) -> None:
    names = worker.call("file", how="list")
    assert "add" in names
    assert "_mark" not in names
    assert "number" not in names
    assert "dumps" in worker.call("module", how="list", target="json")


def test_a_worker_takes_thousands_of_tasks_in_order(worker: Peer) -> None:
    for _ in range(300):
        worker.start("add", 1)
    worker._number -= 300
    for _ in range(300):
        worker._number += 1
        assert worker.finish().value == 2


# -- how it ends -----------------------------------------------------------------------------------


def test_the_first_task_is_told_of_where_it_failed_without_descriptors(start: Start) -> None:
    failure = start().run("fail_without_descriptors").failure
    assert failure["type"] == "OSError"
    assert any("in fail_without_descriptors" in line for line in failure["traceback"])


def test_a_task_that_loses_the_standard_library_is_told_of_why_it_failed(start: Start) -> None:
    failure = start().run("forget_the_path").failure
    assert failure["error"] == "LookupError: lost"
    assert failure["traceback"][-1] == "LookupError: lost"


def test_an_exception_is_described(worker: Peer) -> None:
    failure = worker.run("fail").failure
    assert failure["kind"] == "exception"
    assert (failure["type"], failure["message"]) == ("ValueError", "on purpose")
    assert failure["error"] == "ValueError: on purpose"
    assert "tasks.py" in failure["traceback"][1]
    assert not any("worker_entry" in line for line in failure["traceback"])


def test_causes_are_described_too(worker: Peer) -> None:
    failure = worker.run("fail_with_cause").failure
    assert failure["cause"]["type"] == "KeyError"
    assert failure["cause"]["cause"] is None


@pytest.mark.parametrize(
    ("function", "args", "kind"),
    [
        ("leave", (0,), "SystemExit"),
        ("leave", ("text",), "SystemExit"),
        ("interrupt", (), "KeyboardInterrupt"),
        ("close_generator", (), "GeneratorExit"),
        ("overflow", (), "RecursionError"),
    ],
)
def test_whatever_a_function_raises_ends_its_task_alone(
    worker: Peer, function: str, args: tuple[object, ...], kind: str
) -> None:
    assert worker.run(function, *args).failure["type"] == kind
    assert worker.call("add", 1) == 2


def test_an_exception_without_text_and_class_is_described_all_the_same(worker: Peer) -> None:
    failure = worker.run("fail_perversely").failure
    assert "PerverseError" in failure["type"]
    assert worker.call("add", 1) == 2


@pytest.mark.parametrize("size", [100, 10**5, 10**7])
def test_a_description_always_fits_on_the_wire(worker: Peer, size: int) -> None:
    failure = worker.run("fail_at_length", size).failure
    assert failure["type"] == "ValueError"
    assert failure["message"].startswith("\U0001f40d" * 100)


def test_a_long_chain_of_large_causes_fits_on_the_wire(worker: Peer) -> None:
    assert worker.run("fail_in_a_chain", 30, 20_000).failure["cause"]["cause"]


def test_what_is_no_text_in_an_error_is_escaped(worker: Peer) -> None:
    assert worker.run("fail_with_bytes").failure["message"] == "no file \\udcff\\udcfe"


@pytest.mark.parametrize(
    ("function", "says"), [("lock", "lock"), ("nested_lock", "lock"), ("stubborn", "no copies")]
)
def test_a_result_that_cannot_be_sent_fails_that_task(
    worker: Peer, function: str, says: str
) -> None:
    failure = worker.run(function).failure
    assert failure["kind"] == "result"
    assert says in failure["error"]
    assert worker.call("add", 1) == 2


def test_a_result_that_exits_while_it_is_pickled_fails_that_task(worker: Peer) -> None:
    assert worker.run("quitter").failure["type"] == "SystemExit"
    assert worker.call("add", 1) == 2


def test_arguments_that_cannot_be_rebuilt_fail_that_task(worker: Peer) -> None:
    missing = b"cno_such_module\nthing\n."
    failure = worker.run("add", arguments=missing).failure
    assert failure["kind"] == "arguments"
    assert "no_such_module" in failure["error"]
    assert failure["type"] == "ModuleNotFoundError"
    assert worker.run("add", arguments=b"garbage").failure["kind"] == "arguments"
    assert worker.call("add", 1) == 2


def test_a_function_that_cannot_be_rebuilt_is_not_blamed_on_the_arguments(worker: Peer) -> None:
    frame = b"cno_such_module\nthing\n."
    failure = worker.run("", how="value", target="", between=[frame]).failure
    assert failure["kind"] == "target"
    assert "the function can't be rebuilt" in failure["error"]


def test_wrong_arguments_are_the_error_of_python(worker: Peer) -> None:
    failure = worker.run("add", 1, 2, 3).failure
    assert failure["type"] == "TypeError"
    assert not any("worker_entry" in line for line in failure["traceback"])


def test_arguments_may_be_of_types_that_the_file_defines(worker: Peer, tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(
        "class Shape:\n    sides = 3\n\ndef sides(shape):\n    return shape.sides\n"
    )
    arguments = b"(cshapes\nShape\n(tR\x85}\x86."[1:]  # ((Shape(),), {})
    assert worker.call("sides", target=str(tmp_path / "shapes.py"), arguments=arguments) == 3


def test_missing_targets_are_told_with_what_there_is(worker: Peer) -> None:
    failure = worker.run("no_such_function").failure
    assert failure["kind"] == "target"
    assert "no function no_such_function" in failure["error"]
    assert "add" in failure["error"]
    assert worker.run("number").failure["kind"] == "target"
    for how, target in (("file", "/no/such/file.py"), ("module", "no_such_module")):
        failure = worker.run("f", how=how, target=target).failure
        assert failure["kind"] == "target"
        assert target in failure["error"]
    failure = worker.run_script(Path("/no/such/script.py")).failure
    assert "there is no script /no/such/script.py" in failure["error"]


def test_a_module_that_misses_something_itself_is_not_called_missing(
    worker: Peer, tmp_path: Path
) -> None:
    (tmp_path / "needy.py").write_text("import no_such_thing\n")
    failure = worker.run("f", target=str(tmp_path / "needy.py")).failure
    assert failure["type"] == "ModuleNotFoundError"
    assert failure["kind"] == "exception"
    assert "import no_such_thing" in "".join(failure["traceback"])


def test_a_file_that_does_not_compile_is_shown_with_its_line(worker: Peer, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = (\n")
    failure = worker.run("f", target=str(tmp_path / "broken.py")).failure
    assert failure["type"] == "SyntaxError"
    assert "broken.py" in "".join(failure["traceback"])
    assert not any("worker_entry" in line for line in failure["traceback"])
    (tmp_path / "broken.py").write_text("def f():\n    return 1\n")
    assert worker.call("f", target=str(tmp_path / "broken.py")) == 1


def test_a_call_without_its_frames_fails_that_task(worker: Peer) -> None:
    worker._number += 1
    worker.send(protocol.Run(worker._number, 0, ()))
    assert worker.finish().failure["type"] == "IndexError"
    worker._number += 1
    worker.send(protocol.Run(worker._number, 0, (b"{", b"x")))
    assert worker.finish().failure["type"] == "json.decoder.JSONDecodeError"


def test_large_values_pass_both_ways(worker: Peer) -> None:
    size = 20 * 1024 * 1024
    assert len(worker.call("big", size)) == size
    assert len(worker.call("echo", b"x" * size)[0][0]) == size


def test_values_travel_at_the_protocol_of_the_lower_side(worker: Peer) -> None:
    frame = worker.run("add", 1).ending.payload[0]
    assert frame[:2] == b"\x80" + bytes([worker.codec.protocol])
    assert worker.codec.protocol <= pickle.HIGHEST_PROTOCOL
    assert Codec(4, False).loads([frame]) == 2


# -- what is heard of it ---------------------------------------------------------------------------


def test_reports_arrive_in_order_with_their_task(worker: Peer) -> None:
    number = worker.next_number()
    ended = worker.run("report")
    first, output, warning, debug, last = ended.said
    assert first == protocol.Update(number, 0, "one", 1, 3)
    assert (output.task, output.key) == (number, "half")
    assert worker.codec.loads(output.payload) == {"value": [1, 2]}
    assert warning == protocol.Log(number, 0, 30, "a line")
    assert debug == protocol.Log(number, 0, 10, "another")
    assert last == protocol.Update(number, 0, None, 2, None)
    assert ended.value == "done"


def test_the_attempt_is_part_of_every_message(worker: Peer) -> None:
    number = worker.next_number()
    worker._number = number
    call = (
        b'{"how": "file", "target": "%s", "function": "report"}'
        % str(MODULES / "tasks.py").encode()
    )
    worker.send(protocol.Run(number, 7, (call, *worker.codec.dumps_call((), {}))))
    messages = [worker.receive() for _ in range(6)]
    assert {message[:2] for message in messages} == {(number, 7)}


def test_odd_numbers_and_texts_never_become_garbage_on_the_wire(worker: Peer) -> None:
    ended = worker.run("report_oddly")
    first, second = ended.said
    assert (first.message, first.current, first.maximum) == ("7", 1, 1e30)
    assert type(first.current) is int
    assert (second.message, second.current) == ("\\udcff", float("inf"))
    assert ended.value == 5


def test_an_output_that_cannot_be_sent_raises_where_it_is_set(worker: Peer) -> None:
    name, text = worker.call("unsendable_output")
    assert name == "CodecError"
    assert "lock" in text
    failure = worker.run("unsendable_output_uncaught").failure
    assert failure["kind"] == "exception"
    assert "lock" in failure["error"]


def test_an_unknown_level_raises_in_the_task(worker: Peer) -> None:
    assert worker.run("unknown_level").failure["error"] == "ValueError: unknown log level 'loud'"


def test_threads_of_a_task_report_without_mixing_frames(worker: Peer) -> None:
    ended = worker.run("report_from_threads", 8, 100)
    assert len(ended.said) == ended.value == 800
    for number in range(8):
        steps = [update.maximum for update in ended.said if update.current == number]
        assert steps == list(range(100))


def test_a_thread_that_outlives_its_task_is_silent(worker: Peer, tmp_path: Path) -> None:
    done = tmp_path / "done"
    worker.run("leave_a_thread", str(done))
    wait_until(lambda: worker.call("heard_of_thread") > 5)
    for _ in range(20):
        assert worker.run("add", 1).said == []
    done.touch()
    assert worker.run("join_thread").said == []
    assert worker.nothing_more()


def test_a_signal_handler_that_raises_never_cuts_a_message_in_two(worker: Peer) -> None:
    ended = worker.run("report_at_signals", 150)
    assert ended.value >= 150
    for message in ended.said:
        if isinstance(message, protocol.Output):
            assert worker.codec.loads(message.payload) == b"value"


# -- who gets the handle ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        ("takes_keyword_only", (1,), {}, (1, "RemoteTaskHandle")),
        ("takes_keyword_only", (1,), {"task": "mine"}, (1, "mine")),
        ("takes_keyword_only", (1,), {"task": None}, (1, None)),
        ("takes_positional", (), {}, "RemoteTaskHandle"),
        ("takes_positional", ("mine",), {}, "mine"),
        ("takes_second", (1,), {}, (1, "RemoteTaskHandle")),
        ("takes_second", (1, "mine"), {}, (1, "mine")),
        ("takes_any_keywords", (), {"a": 1}, ["a"]),
        ("takes_any_positional", (), {}, []),
        ("wrapped", (1,), {}, (1, "RemoteTaskHandle")),
        ("partial", (), {}, ("given", "RemoteTaskHandle")),
        ("unhashable", (), {}, "RemoteTaskHandle"),
        ("without_signature", (), {}, {}),
    ],
)
def test_the_handle_goes_to_who_asks_for_it(
    worker: Peer,
    function: str,
    args: tuple[object, ...],
    kwargs: dict[str, object],
    expected: object,
) -> None:
    for _ in range(2):  # what is learnt the first time holds the second time
        assert worker.call(function, *args, **kwargs) == expected


def test_a_positional_only_task_is_the_callers(worker: Peer, tmp_path: Path) -> None:
    if worker.interpreter.version < (3, 8):
        pytest.skip("no such syntax")
    path = tmp_path / "strict.py"
    path.write_text("def f(task='unset', /):\n    return task\n")
    assert worker.call("f", target=str(path)) == "unset"


# -- cancellation ----------------------------------------------------------------------------------


def test_an_interrupt_that_overtakes_its_run_counts(worker: Peer, tmp_path: Path) -> None:
    first = worker.start("wait_for_cancel", str(tmp_path / "started"), False)
    wait_until((tmp_path / "started").exists)
    worker.cancel(first + 1)
    worker.cancel(first)  # which is read after the one before
    assert worker.finish().value == (True, True)
    assert worker.call("asked_to_stop") == (True, True)
    assert worker.call("asked_to_stop") == (False, False)


def test_a_cancellation_that_is_acknowledged_ends_as_such(worker: Peer, tmp_path: Path) -> None:
    for number, then in enumerate(("return", "raise", "exit", "lock")):
        path = tmp_path / str(number)
        task = worker.start("wait_for_cancel", str(path), True, then)
        wait_until(path.exists)
        worker.cancel(task)
        assert worker.finish().ending == protocol.Canceled(task, 0)


def test_a_cancellation_that_is_ignored_changes_nothing(worker: Peer, tmp_path: Path) -> None:
    task = worker.start("wait_for_cancel", str(tmp_path / "a"), False)
    wait_until((tmp_path / "a").exists)
    worker.cancel(task)
    assert worker.finish().value == (True, True)
    task = worker.start("wait_for_cancel", str(tmp_path / "b"), False, "raise")
    worker.cancel(task)
    assert worker.finish().failure["message"] == "after all"


def test_a_function_may_cancel_itself_unasked(worker: Peer) -> None:
    ended = worker.run("cancel_myself")
    assert isinstance(ended.ending, protocol.Canceled)


def test_an_interrupt_of_another_task_does_not_touch_this_one(worker: Peer, tmp_path: Path) -> None:
    old = worker.start("add", 1)
    worker.finish()
    worker.cancel(old)
    assert worker.call("asked_to_stop") == (False, False)
    path = tmp_path / "started"
    task = worker.start("wait_for_cancel", str(path), False)
    wait_until(path.exists)
    worker.cancel(old)
    worker.tell(protocol.Interrupt(task, 3))
    worker.cancel(task)
    assert worker.finish().value == (True, True)
    assert worker.call("asked_to_stop") == (False, False)


# -- chunks ----------------------------------------------------------------------------------------


def chunk_of(worker: Peer, items: Sequence[object]) -> bytes:
    pickles = [worker.codec.dumps_call((item,), {})[0] for item in items]
    return journal.join_items(len(items), pickles)


def results_of(worker: Peer, row: bytes) -> list[object]:
    return [worker.codec.loads((pickle,)) for pickle in journal.split(row)]


def test_a_chunk_calls_the_function_with_each_item(worker: Peer) -> None:
    frame = chunk_of(worker, [1, [2], "3"])
    ended = worker.run("echo", call={"each": True}, arguments=frame)
    report = journal.decode(ended.value)
    assert (report.begun, report.own) == (3, False)
    assert 0 < report.seconds < 10
    expected = [((1,), {}), (([2],), {}), (("3",), {})]
    assert results_of(worker, report.results) == expected


def test_a_failing_item_ends_its_chunk_after_the_results_before_it(worker: Peer) -> None:
    frame = chunk_of(worker, [(1, 2), 5, (3, 4)])
    ended = worker.run("total", call={"each": True}, arguments=frame)
    assert ended.failure["type"] == "TypeError"
    report = journal.decode(worker.codec.loads(ended.said[-1].payload))
    assert results_of(worker, report.results) == [3]


def test_a_chunk_gives_back_what_waits_behind_a_slow_item(worker: Peer) -> None:
    def run() -> tuple[Ended, journal.Report]:
        frame = chunk_of(worker, [0.0, 0.3, 0.0, 0.0])
        ended = worker.run("nap", call={"each": True}, arguments=frame)
        (output,) = ended.said
        return ended, journal.decode(worker.codec.loads(output.payload))

    ended, report = run()
    for _ in range(50):
        if report.begun == 2:
            break  # or it had to wait for a processor, and gave back what it had not begun
        results = results_of(worker, journal.decode(ended.value).results)
        assert results == [0.0, 0.3][: report.begun]
        ended, report = run()
    assert (report.begun, results_of(worker, report.results)) == (2, [0.0])
    assert results_of(worker, journal.decode(ended.value).results) == [0.0, 0.3]
    assert journal.take(f"{worker.folder}/started.journal")[0] == worker.next_number() - 1
