"""From what a user names to what a worker is sent."""

from __future__ import annotations

import functools
import json
import os
import statistics
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from wetlands.errors import ConfigurationError, SerializationError
from wetlands.target import (
    FETCH,
    Target,
    _call,
    encode_arguments,
    find_functions,
    find_script,
    find_target,
)
from worker_entry import rebuild
from worker_entry.codec import Codec

SAME = Codec(5, by_value=True)
OTHER = Codec(4, by_value=False)
HERE = Path(__file__)


def find(target: Any, function: Any = None, codec: Codec = SAME) -> Target:
    return find_target(target, function, codec, "environment 'e' (Python 3.8.1)", (3, 8, 1))


def call(target: Target) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(target.frames[0])
    return found


@pytest.mark.parametrize("target", [HERE, str(HERE), os.path.relpath(HERE)])
def test_a_path_is_a_file_by_its_absolute_name(target: Any) -> None:
    found = find(target, "f")
    assert call(found) == {"how": "file", "target": str(HERE), "function": "f"}
    assert found.label == "test_target.py:f"


@pytest.mark.parametrize("name", ["json", "os.path", "a.b.c"])
def test_a_dotted_name_is_a_module_and_the_host_does_not_look_for_it(name: str) -> None:
    assert call(find(name, "f.g")) == {"how": "module", "target": name, "function": "f.g"}


def test_a_file_that_is_not_there_is_refused() -> None:
    for target in ("nowhere.py", "some/where", Path("x"), HERE.parent):
        with pytest.raises(ConfigurationError, match="there is no file"):
            find(target, "f")


@pytest.mark.parametrize("function", [["a"], {"a": 1}, b"a", 5, ""])
def test_a_function_that_is_no_name_is_refused(function: Any) -> None:
    with pytest.raises(ConfigurationError, match="by its name"):
        find(HERE, function)


@pytest.mark.parametrize("target", [None, 1, "", "a b", "a..b", "a-b", b"x"])
def test_what_is_no_target_is_refused(target: Any) -> None:
    with pytest.raises(ConfigurationError, match="target must be"):
        find(target, "f")


@pytest.mark.parametrize("function", [None, "", 5, b"f"])
def test_a_file_or_module_needs_the_name_of_a_function(function: Any) -> None:
    with pytest.raises(ConfigurationError, match="by its name"):
        find("json", function)


def test_a_callable_needs_none() -> None:
    with pytest.raises(ConfigurationError, match="either"):
        find(print, "print")


@pytest.mark.parametrize("codec", [SAME, OTHER], ids=["same minor", "other minor"])
@pytest.mark.parametrize(
    ("function", "module", "name"),
    [
        (statistics.mean, "statistics", "mean"),
        (print, "builtins", "print"),
        (Path.joinpath, "pathlib", "PurePath.joinpath"),
        (threading.Event, "threading", "Event"),
    ],
)
def test_what_is_installed_goes_by_reference_to_any_python(
    codec: Codec, function: Any, module: str, name: str
) -> None:
    found = find(function, codec=codec)
    assert call(found)["how"] == "module"
    assert call(found)["target"].split(".")[0] == module
    assert call(found)["function"] == name
    assert len(found.frames) == 1


@pytest.fixture
def own_module(tmp_path: Path) -> Any:
    """A module of the user's own, imported from a file."""
    path = tmp_path / "users_own.py"
    path.write_text("def f(): return 1\n")
    module = types.ModuleType("users_own")
    module.__file__ = str(path)
    exec(path.read_text(), module.__dict__)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize("codec", [SAME, OTHER], ids=["same minor", "other minor"])
def test_a_function_of_the_users_own_file_goes_by_that_file(own_module: Any, codec: Codec) -> None:
    found = call(find(own_module.f, codec=codec))
    assert found == {"how": "file", "target": own_module.__file__, "function": "f"}


def make() -> Any:
    factor = 3
    return lambda x: x * factor


@pytest.mark.parametrize(
    "function", [make(), functools.partial(max, 1), [1].count, make], ids=["1", "2", "3", "4"]
)
def test_between_equal_minors_anything_else_goes_by_value(function: Any) -> None:
    found = find(function)
    if function is make:  # a name of a module
        assert call(found)["how"] != "value"
        return
    assert call(found)["how"] == "value"
    assert callable(SAME.loads(found.frames[1:]))


@pytest.mark.parametrize("function", [make(), functools.partial(max, 1), [1].count])
def test_between_other_minors_it_goes_by_source(function: Any) -> None:
    found = find(function, codec=OTHER)
    assert call(found)["how"] == "source"
    assert callable(OTHER.loads([found.frames[1]]).function)
    rebuild.hide_spaces()


def test_without_source_it_is_refused_and_the_error_helps() -> None:
    namespace: dict[str, Any] = {"__name__": "nowhere"}
    exec("def f(): return 1", namespace)
    with pytest.raises(SerializationError, match="can't be found: put it into a file") as caught:
        find(namespace["f"], codec=OTHER)
    assert caught.value.where == "target"
    assert "Python 3.8.1" in str(caught.value)


def test_code_goes_from_the_folder_that_its_imports_count_from() -> None:
    root = str(HERE.parents[2])
    for codec in (SAME, OTHER):
        assert call(find(make(), codec=codec))["target"] == root
        assert call(find(functools.partial(max, 1), codec=codec))["target"] == ""


def test_a_function_that_was_replaced_in_its_module_is_not_sent_by_name(own_module: Any) -> None:
    function = own_module.f
    own_module.f = print
    assert call(find(function))["how"] == "value"


def test_a_closure_over_a_lock_cannot_go() -> None:
    lock = threading.Lock()
    with pytest.raises(SerializationError, match="lock"):
        find(lambda: lock)


def test_a_script_has_its_arguments_and_name() -> None:
    found = find_script(HERE, ("--a", "1"), "__main__")
    assert call(found) == {
        "how": "script",
        "target": str(HERE),
        "function": "",
        "args": ["--a", "1"],
        "run_name": "__main__",
    }
    assert found.label == HERE.name


@pytest.mark.parametrize("args", ["--a", [1], [None]])
def test_a_scripts_arguments_are_strings(args: Any) -> None:
    with pytest.raises(ConfigurationError, match="sequence of strings"):
        find_script(HERE, args, "__main__")


def test_functions_are_asked_of_a_file_or_a_module() -> None:
    assert call(find_functions(HERE)) == {"how": "list", "target": str(HERE), "function": "file"}
    assert call(find_functions("json")) == {"how": "list", "target": "json", "function": "module"}


def test_arguments_are_encoded_as_they_are() -> None:
    calls: list[tuple[Any, Any, Any]] = [
        ([1, "x"], {"k": {2}}, ((1, "x"), {"k": {2}})),
        ((), None, ((), {})),
        ((1, None, b"x"), None, ((1, None, b"x"), {})),
        ((1, [2]), None, ((1, [2]), {})),
        ((), {}, ((), {})),
    ]
    for args, kwargs, call in calls:
        frames, proxies = encode_arguments(SAME, args, kwargs, "f")
        assert SAME.loads(frames) == call
        assert not proxies


@pytest.mark.parametrize(
    ("args", "kwargs", "name"),
    [
        ((1, threading.Lock()), {}, r"f can't be called: args\[1\] of type _thread.lock"),
        ((), {"key": threading.Lock()}, r"kwargs\['key'\]"),
    ],
)
def test_an_argument_that_cannot_go_is_named(args: Any, kwargs: Any, name: str) -> None:
    for codec in (SAME, OTHER):
        with pytest.raises(SerializationError, match=name):
            encode_arguments(codec, args, kwargs, "f")


@pytest.mark.parametrize(
    ("args", "kwargs"), [("secret", None), (5, None), ((), ["secret"]), ((), {5: "secret"})]
)
def test_arguments_of_a_wrong_type_are_refused_and_not_quoted(args: Any, kwargs: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        encode_arguments(SAME, args, kwargs, "f")
    assert "secret" not in str(caught.value)


def test_the_call_that_fetches_is_written_as_all_are() -> None:
    assert _call("fetch", "", "") == FETCH
