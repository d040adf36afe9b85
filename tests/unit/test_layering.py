"""Who may import whom, read from the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.imports import ROOT, imports

HOST = sorted((ROOT / "wetlands").rglob("*.py"))
WORKER = sorted((ROOT / "worker_entry").rglob("*.py"))

#: From the bottom up; a module imports from its own layer and from those below.
LAYERS: list[set[str]] = [
    {"wetlands.errors", "wetlands.options", "wetlands.latch",
     "worker_entry.protocol", "worker_entry.carrier", "worker_entry.codec", "worker_entry.failure",
     "worker_entry.rebuild", "worker_entry.source", "worker_entry.portable",
     "worker_entry.culprit", "worker_entry.ghosts", "worker_entry.ring",
     "worker_entry.segment", "worker_entry.segment_pool", "worker_entry.segment_carrier",
     "worker_entry.segment_table",
     "worker_entry.attachments", "worker_entry.kept", "worker_entry.journal",
     "worker_entry.notes", "worker_entry.batch", "worker_entry.spinning"},
    {"wetlands.callables",
     "wetlands.core", "wetlands.task", "wetlands.task_async", "wetlands.task_event",
     "wetlands.task_state",
     "wetlands.future", "wetlands.target", "wetlands.mapping", "wetlands.map_sending",
     "wetlands.map_task", "wetlands.map_window", "wetlands.pace", "wetlands.portable",
     "wetlands.proxy", "wetlands.result_proxy", "wetlands.retry", "wetlands.activation",
     "wetlands.worker_info"},
    {"wetlands.runtime", "wetlands.environments"},
    {"wetlands.launching", "wetlands.creating"},
    {"wetlands.installed"},
    {"wetlands.staffed"},
    {"wetlands.environment"},
    {"wetlands.opened"},
    {"wetlands.environment_manager"},
    {"wetlands"},
]  # fmt: skip

#: What reads clocks, rolls dice, starts threads, or touches anything outside the process.
IMPURE = {
    "asyncio", "concurrent", "ctypes", "io", "logging", "multiprocessing", "os", "pathlib",
    "psutil", "queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket",
    "subprocess", "sys", "tempfile", "threading", "time", "uuid", "zmq",
}  # fmt: skip

#: What `worker_entry.portable` imports once a value of theirs is there.
LIBRARIES = {"numpy", "pandas", "pyarrow", "polars", "PIL", "torch", "xarray", "scipy"}

#: Added to the standard library after Python 3.7.
TOO_NEW = {"graphlib", "tomllib", "zoneinfo", "importlib.metadata", "importlib.resources.abc"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def layer(module: str) -> int:
    """Return how high a module is."""
    found = [
        (len(prefix), height)
        for height, members in enumerate(LAYERS)
        for prefix in members
        if module == prefix or (module.startswith(prefix + ".") and prefix != "wetlands")
    ]
    assert found, f"{module} has no place in the layers: give it one"
    return max(found)[1]


@pytest.mark.parametrize("path", HOST, ids=name_of)
def test_imports_go_downwards_only(path: Path) -> None:
    for found in imports(path):
        if found.split(".")[0] in ("wetlands", "worker_entry"):
            own = name_of(path)
            if own == "wetlands":
                continue
            assert layer(found) <= layer(own), f"{own} imports {found}, which is above it"


@pytest.mark.parametrize("path", HOST, ids=name_of)
def test_the_host_imports_few_modules_of_the_worker(path: Path) -> None:
    for found in imports(path):
        if found.split(".")[0] == "worker_entry":
            allowed = {
                "batch",
                "protocol",
                "carrier",
                "codec",
                "failure",
                "kept",
                "journal",
                "notes",
                "spinning",
                "portable.registry",
                "rebuild",
                "source",
                "portable.table",
            }
            allowed |= {"segment", "segment_pool", "segment_carrier", "segment_table"}
            allowed |= {"attachments"}
            assert found in {f"worker_entry.{name}" for name in allowed}, found


@pytest.mark.parametrize("path", [p for p in HOST if "core" in p.parts], ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    for found in imports(path):
        assert found.split(".")[0] not in IMPURE, f"{name_of(path)} imports {found}"


@pytest.mark.parametrize("path", HOST, ids=name_of)
def test_only_the_runtime_opens_sockets(path: Path) -> None:
    if "runtime" not in path.parts:
        assert not {"zmq", "socket", "selectors"} & {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", HOST, ids=name_of)
def test_only_the_helper_imports_py_rattler(path: Path) -> None:
    if not path.name.startswith("helper_"):
        assert "rattler" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", WORKER, ids=name_of)
def test_the_worker_imports_the_standard_library_and_zmq_alone(path: Path) -> None:
    for found in imports(path):
        top = found.split(".")[0]
        assert top != "wetlands", found
        known = top in sys.stdlib_module_names or top in ("zmq", "worker_entry", "cloudpickle")
        known = known or ("portable" in path.parts and top in LIBRARIES)
        assert known, found
        assert not {found, top} & TOO_NEW, found
        if top == "cloudpickle":  # the host's copy, on demand
            assert found not in set(imports(path, at_import=True))


@pytest.mark.parametrize("path", WORKER, ids=name_of)
def test_the_worker_is_written_in_the_syntax_of_python_3_7(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 7))


def test_importing_the_package_imports_no_other_module_of_it() -> None:
    own = set(imports(ROOT / "wetlands" / "__init__.py", at_import=True))
    assert not {name for name in own if name.split(".")[0] not in sys.stdlib_module_names}


def test_every_module_says_what_it_is() -> None:
    for path in [*HOST, *WORKER]:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_libraries_of_users_are_imported_for_their_values_alone() -> None:
    code = (
        "import sys, worker_entry.codec\n"
        "codec = worker_entry.codec.Codec(5, True)\n"
        "codec.loads(codec.dumps([1, {'a': (2.5, None)}]))\n"
        f"print(sorted({LIBRARIES!r} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    assert answer.stdout == b"[]\n"


def test_the_manager_is_imported_without_what_is_slow_to_load() -> None:
    slow = {"dataclasses", "inspect", "subprocess", "shutil", "uuid", "asyncio", "zmq"}
    code = "import sys; from wetlands import EnvironmentManager; print(*sys.modules)"
    command = [sys.executable, "-I", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert slow & set(loaded) == set()
