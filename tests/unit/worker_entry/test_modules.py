"""Whose module is whose, in the process of the test itself; real workers are in tests/worker."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker_entry import modules as modules_module
from worker_entry.modules import Modules, TargetError, find_function, list_functions


@pytest.fixture
def modules() -> Iterator[Modules]:
    names, path, meta_path = set(sys.modules), list(sys.path), list(sys.meta_path)
    made = Modules()
    made.install()
    yield made
    sys.path[:], sys.meta_path[:] = path, meta_path
    for name in set(sys.modules) - names:
        del sys.modules[name]


def _parts(name: str) -> list[str]:
    """Return the path that a keyword means: `a__b` is a/b, `a__init` is a/__init__."""
    return ["__init__" if part == "init" else part for part in name.split("__")]


def _write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder.joinpath(*_parts(name)).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def _load(modules: Modules, path: Path) -> Any:
    return modules.from_file(str(path))


def test_a_file_is_loaded_once(modules: Modules, tmp_path: Path) -> None:
    _write(tmp_path, target="x = []\n")
    module = _load(modules, tmp_path / "target.py")
    assert module.__name__ == "target"
    assert module.__file__ == str(tmp_path / "target.py")
    assert _load(modules, tmp_path / "target.py") is module
    assert sys.modules["target"] is module


def test_files_of_one_stem_keep_their_state(modules: Modules, tmp_path: Path) -> None:
    for name in ("a", "b"):
        _write(tmp_path / name, target="import part\nx = []\n", part=f"name = {name!r}\n")
    first = _load(modules, tmp_path / "a" / "target.py")
    second = _load(modules, tmp_path / "b" / "target.py")
    assert (first.part.name, second.part.name) == ("a", "b")
    assert _load(modules, tmp_path / "a" / "target.py") is first
    assert sys.modules["part"] is first.part
    assert str(tmp_path / "b") not in sys.path


def test_only_one_folder_is_on_the_search_path_and_at_its_end(
    modules: Modules, tmp_path: Path
) -> None:
    before = list(sys.path)
    for name in ("a", "b", "a"):
        _load(modules, _write(tmp_path / name, target="") / "target.py")
        assert sys.path == [*before, str(tmp_path / name)]
    modules.leave_folder()
    assert sys.path == before
    assert "target" not in sys.modules


def test_nothing_is_written_beside_the_users_files(modules: Modules, tmp_path: Path) -> None:
    _load(modules, _write(tmp_path, target="import part", part="") / "target.py")
    assert sorted(os.listdir(tmp_path)) == ["part.py", "target.py"]


@pytest.mark.parametrize("changed", ["target", "part", "pack__inner", "pack__init"])
def test_whichever_file_changes_the_whole_folder_is_loaded_anew(
    modules: Modules, tmp_path: Path, changed: str
) -> None:
    files = {"target": "import part, pack.inner\n", "part": "", "pack__init": ""}
    _write(tmp_path, **files, pack__inner="")
    first = _load(modules, tmp_path / "target.py")
    part, inner = first.part, first.pack.inner
    _write(tmp_path, **{changed: files.get(changed, "") + "# changed\n"})
    second = _load(modules, tmp_path / "target.py")
    assert second is not first
    assert second.part is not part
    assert second.pack.inner is not inner


def test_a_file_that_vanished_is_told_as_missing(modules: Modules, tmp_path: Path) -> None:
    _load(modules, _write(tmp_path, target="") / "target.py")
    (tmp_path / "target.py").unlink()
    with pytest.raises(TargetError, match="there is no file"):
        _load(modules, tmp_path / "target.py")


def test_only_young_files_are_read_to_compare_them(
    modules: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(tmp_path, target="") / "target.py"
    now = path.stat().st_mtime_ns
    monkeypatch.setattr(modules_module, "_now", lambda: now + modules_module.TICK - 1)
    module = _load(modules, path)
    read: list[str] = []
    original = modules_module._read
    monkeypatch.setattr(
        modules_module, "_read", lambda path: (read.append(path), original(path))[1]
    )
    assert _load(modules, path) is module
    assert len(read) == 1
    monkeypatch.setattr(modules_module, "_now", lambda: now + modules_module.TICK)
    for _ in range(3):
        assert _load(modules, path) is module
    assert len(read) == 2


def test_a_name_that_is_taken_is_left_to_who_has_it(modules: Modules, tmp_path: Path) -> None:
    import json

    for stem in ("json", "colorsys", "pytest", "with-dash", "with.dot", "class"):
        (tmp_path / f"{stem}.py").write_text("mine = True\n")
        module = _load(modules, tmp_path / f"{stem}.py")
        assert module.mine
        assert module.__name__ == stem or module.__name__.startswith("wetlands_file_")
    assert sys.modules["json"] is json
    assert not hasattr(importlib.import_module("colorsys"), "mine")


def test_private_names_do_not_collide_either(modules: Modules, tmp_path: Path) -> None:
    for number, stem in enumerate(("a-b", "a b", "a.b")):
        (tmp_path / f"{stem}.py").write_text(f"number = {number}\n")
    loaded = [_load(modules, tmp_path / f"{stem}.py") for stem in ("a-b", "a b", "a.b")]
    assert [module.number for module in loaded] == [0, 1, 2]
    assert len({module.__name__ for module in loaded}) == 3


def test_a_module_may_put_something_else_in_its_place(modules: Modules, tmp_path: Path) -> None:
    _write(
        tmp_path,
        target="import sys, types\n"
        "sys.modules[__name__] = types.SimpleNamespace(f=lambda: 'replaced')\n",
    )
    for _ in range(2):
        assert _load(modules, tmp_path / "target.py").f() == "replaced"


@pytest.mark.parametrize("error", ["1 / 0", "raise SystemExit", "raise KeyboardInterrupt"])
def test_a_file_that_fails_leaves_nothing_half_loaded(
    modules: Modules, tmp_path: Path, error: str
) -> None:
    _write(tmp_path, target=f"import part\n{error}\n", part="")
    with pytest.raises((ZeroDivisionError, SystemExit, KeyboardInterrupt)):
        _load(modules, tmp_path / "target.py")
    assert "target" not in sys.modules
    assert "part" not in sys.modules


def test_siblings_that_import_each_other_work(modules: Modules, tmp_path: Path) -> None:
    _write(tmp_path, a="import b\nx = 1\n", b="import a\ndef f():\n    return a.x\n")
    assert _load(modules, tmp_path / "a.py").b.f() == 1
    assert _load(modules, tmp_path / "b.py").f() == 1


def test_a_missing_module_and_one_that_misses_something_are_told_apart(
    modules: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, needy="import no_such_thing\n", pack__init="import pack.nowhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("no_such_module", "json.no_such_part", "no_such.part", "os.path.deeper"):
        with pytest.raises(TargetError, match=f"no module '{name}'"):
            modules.from_name(name)
    with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
        modules.from_name("needy")
    with pytest.raises(ModuleNotFoundError, match=r"pack\.nowhere"):
        modules.from_name("pack")
    assert modules.from_name("json").__name__ == "json"


def test_functions_are_found_by_dotted_names(modules: Modules, tmp_path: Path) -> None:
    _write(
        tmp_path,
        target="from os import getcwd\nclass A:\n    class B:\n        @staticmethod\n"
        "        def f():\n            return 5\n"
        "def g():\n    pass\ndef _h():\n    pass\nx = 1\n",
    )
    module = _load(modules, tmp_path / "target.py")
    assert find_function(module, "A.B.f")() == 5
    assert find_function(module, "A") is module.A
    assert list_functions(module) == ["g"]
    for name in ("x", "missing", "A.missing", "missing.f", "A.B.f.g", ""):
        with pytest.raises(TargetError, match=r"has no function .*Functions there: g\."):
            find_function(module, name)
