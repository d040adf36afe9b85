"""Files and their siblings, as real workers of every Python find them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.worker.peer import Peer


def _parts(name: str) -> list[str]:
    """Return the path that a keyword means: `a__b` is a/b, `a__init` is a/__init__."""
    return ["__init__" if part == "init" else part for part in name.split("__")]


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder.joinpath(*_parts(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)


def _call(worker: Peer, path: Path, function: str = "f") -> object:
    return worker.call(function, target=str(path))


def test_two_folders_keep_their_modules_apart(worker: Peer, tmp_path: Path) -> None:
    for name in ("a", "b"):
        _write(
            tmp_path / name,
            main="import helper, pack.inner, loose.inner\n"
            "def f():\n    import lazy\n"
            "    return helper.x, pack.inner.x, loose.inner.x, lazy.x\n",
            helper=f"x = 'helper of {name}'\n",
            lazy=f"x = 'lazy of {name}'\n",
            pack__init="",
            pack__inner=f"x = 'pack of {name}'\n",
            loose__inner=f"x = 'loose of {name}'\n",
        )
    for _ in range(2):
        for name in ("a", "b"):
            assert _call(worker, tmp_path / name / "main.py") == tuple(
                f"{what} of {name}" for what in ("helper", "pack", "loose", "lazy")
            )


def test_a_change_anywhere_in_the_folder_is_seen(worker: Peer, tmp_path: Path) -> None:
    _write(
        tmp_path,
        main="import helper, loose.inner\ndef f():\n    return helper.x + loose.inner.x\n",
        helper="x = 1\n",
        loose__inner="x = 10\n",
    )
    assert _call(worker, tmp_path / "main.py") == 11
    helper = tmp_path / "helper.py"
    before = helper.stat()
    helper.write_text("x = 2\n")
    os.utime(helper, ns=(before.st_atime_ns, before.st_mtime_ns))  # same size, same time
    assert _call(worker, tmp_path / "main.py") == 12
    _write(tmp_path, loose__inner="x = 30\n")
    assert _call(worker, tmp_path / "main.py") == 32


def test_no_change_is_missed_however_fast_files_are_written(worker: Peer, tmp_path: Path) -> None:
    path = tmp_path / "main.py"
    for number in range(10, 60):
        path.write_text(f"def f():\n    return {number}\n")
        assert _call(worker, path) == number


def test_siblings_never_hide_the_standard_library(worker: Peer, tmp_path: Path) -> None:
    names = ("json", "random", "token", "colorsys", "sndhdr_like")
    for name in names:
        (tmp_path / f"{name}.py").write_text("mine = True\ndef f():\n    return __name__\n")
    _write(
        tmp_path,
        main="def f():\n"
        "    import json, random, colorsys, sndhdr_like\n"
        "    return [hasattr(m, 'mine') for m in (json, random, colorsys, sndhdr_like)]\n",
    )
    assert _call(worker, tmp_path / "main.py") == [False, False, False, True]
    for name in ("json", "random"):
        assert _call(worker, tmp_path / f"{name}.py") == f"wetlands_file_{name}"


def test_a_folder_of_data_does_not_hide_a_package(worker: Peer, tmp_path: Path) -> None:
    (tmp_path / "zmq").mkdir()
    _write(tmp_path, main="def f():\n    import zmq\n    return zmq.__file__ is not None\n")
    assert _call(worker, tmp_path / "main.py") is True


def test_a_module_by_name_never_comes_from_the_folder_of_another_task(
    worker: Peer, tmp_path: Path
) -> None:
    _write(
        tmp_path, main="import bystander\ndef f():\n    pass\n", bystander="def f():\n    pass\n"
    )
    assert _call(worker, tmp_path / "main.py") is None
    failure = worker.run("f", how="module", target="bystander").failure
    assert "no module 'bystander' in this environment" in failure["error"]
    assert _call(worker, tmp_path / "main.py") is None


@pytest.mark.parametrize("broken", ["import no_such_thing\n", "x = (\n", "1 / 0\n"])
def test_a_file_that_fails_works_as_soon_as_it_is_mended(
    worker: Peer, tmp_path: Path, broken: str
) -> None:
    _write(tmp_path, main="import part\ndef f():\n    return part.x\n", part=broken)
    assert worker.run("f", target=str(tmp_path / "main.py")).failure["type"]
    _write(tmp_path, part="x = 1\n")
    assert _call(worker, tmp_path / "main.py") == 1


def test_a_file_is_one_module_whether_imported_or_named(worker: Peer, tmp_path: Path) -> None:
    _write(
        tmp_path,
        main="import part\ndef f():\n    part.seen.append(1)\n    return len(part.seen)\n",
        part="seen = []\ndef f():\n    return len(seen), __name__\n",
    )
    assert _call(worker, tmp_path / "main.py") == 1
    assert _call(worker, tmp_path / "part.py") == (1, "part")
    assert _call(worker, tmp_path / "main.py") == 2
