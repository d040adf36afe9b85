"""Many processes, one environment: built once, never half, whatever kills whom."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.integration.environments.conftest import Create
from tests.integration.environments.inside import packages_of, run_in
from tests.support.waiting import wait_until
from wetlands.environments.layout import Layout
from wetlands.environments.recipe import parse_recipe
from wetlands.environments.registry import Registry
from wetlands.errors import EnvironmentConflictError, EnvironmentInUseError

pytestmark = [
    pytest.mark.index,
    pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX"),
]

WISH = {"pip": ["six==1.17.0", "packaging"]}
SCRIPT = Path(__file__).with_name("creator.py")
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def nothing_resolved(shared_root: Path) -> None:
    """Have every creation go through all its stages."""
    for kept in ("resolutions", "stock", "blanks"):
        shutil.rmtree(shared_root / kept, ignore_errors=True)


@contextlib.contextmanager
def creator(
    root: Path, name: str, *, action: str = "create", **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a process that creates an environment, and be sure that it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), action, str(root), name, json.dumps(WISH)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], beginning: str) -> list[str]:
    """Return the lines of a process up to the first that begins so."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(beginning):
            return lines
    assert process.stderr is not None
    raise AssertionError(f"no line {beginning!r} in {lines}: {process.stderr.read()}")


def builders_of(prefix: Path) -> list[psutil.Process]:
    """Return the tools that work on an environment, whoever started them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name().startswith("uv") and str(prefix.parent) in " ".join(
                process.cmdline()
            ):
                found.append(process)
    return found


# -- at once ---------------------------------------------------------------------------------------


def test_processes_that_create_the_same_at_once_build_it_once(
    shared_root: Path, name: str, registry: Registry
) -> None:
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(creator(shared_root, name)) for _ in range(4)]
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sum("creating making a venv" in output for output in outputs) == 1
    assert all(output.endswith("ready ready\n") for output in outputs)
    assert set(packages_of(registry.open(name))) == {"six", "packaging"}


def test_whoever_waits_for_another_builder_is_told_so(
    shared_root: Path, name: str, create: Create
) -> None:
    messages: list[str] = []
    with creator(shared_root, name) as process:
        read_until(process, "locking")
        create(WISH, on_progress=lambda event: messages.append(f"{event.stage} {event.message}"))
        assert process.wait(30) == 0
    assert [message.split()[0] for message in messages] == ["waiting", "ready"]


def test_threads_that_create_the_same_at_once_build_it_once(create: Create) -> None:
    stages: list[str] = []
    with ThreadPoolExecutor(4) as threads:
        made = [
            threads.submit(create, WISH, on_progress=lambda event: stages.append(event.message))
            for _ in range(4)
        ]
        prefixes = [future.result(60) for future in made]
    assert prefixes == prefixes[:1] * 4
    assert sum(message.startswith("making a venv") for message in stages) == 1


def test_whoever_waited_for_another_recipe_gets_the_conflict(
    shared_root: Path, name: str, create: Create
) -> None:
    with creator(shared_root, name) as process:
        read_until(process, "locking")
        with pytest.raises(EnvironmentConflictError):
            create({"pip": ["tomli"]})


# -- killed ----------------------------------------------------------------------------------------

POINTS = ["interpreter", "locking resolving", "locking Resolved", "creating making",
          "creating Creating", "installing installing", "installing Installed", "installing  +",
          "ready"]  # fmt: skip


def assert_whole(create: Create) -> None:
    prefix = create(WISH)
    assert set(packages_of(prefix)) == {"six", "packaging"}
    assert run_in(prefix, "import six, packaging; print(six.__version__)") == "1.17.0"
    assert not list(prefix.path.parent.glob(".*"))


@pytest.mark.parametrize("point", POINTS)
def test_a_creation_killed_at_any_stage_is_repaired(
    shared_root: Path, name: str, create: Create, point: str
) -> None:
    with creator(shared_root, name) as process:
        read_until(process, point)
        process.kill()
    assert_whole(create)


@pytest.mark.parametrize("point", ["creating making", "installing installing", "installing linked"])
def test_a_creation_killed_while_it_links_is_repaired(
    registry: Registry, shared_root: Path, name: str, create: Create, point: str
) -> None:
    for number in range(2):
        registry.ensure(f"{name}-before-{number}", parse_recipe(WISH))
    with creator(shared_root, name) as process:
        read_until(process, point)
        process.kill()
    assert_whole(create)


@pytest.mark.parametrize(
    "attempt", [0, 1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 50))]
)
def test_a_creation_killed_at_a_random_moment_is_repaired(
    shared_root: Path, name: str, create: Create, attempt: int
) -> None:
    moment = random.Random(attempt).uniform(0.15, 0.7)
    with creator(shared_root, name) as process:
        read_until(process, "interpreter")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        process.kill()
    assert_whole(create)


@pytest.mark.parametrize("point", ["locking Resolved", "creating making",
                                   "installing installing", "installing Installed"])  # fmt: skip
def test_a_replacement_killed_at_any_stage_leaves_no_half_environment(
    shared_root: Path, name: str, create: Create, point: str
) -> None:
    create({"pip": ["tomli"]})
    with creator(shared_root, name, action="replace") as process:
        read_until(process, point)
        process.kill()
    assert set(packages_of(create({"pip": ["tomli"]}, replace_existing=True))) == {"tomli"}


def test_a_killed_removal_is_completed_by_the_next_creation(
    create: Create, registry: Registry, name: str, shared_root: Path
) -> None:
    prefix = create(WISH)
    (prefix.path.parent / "ready.json").unlink()  # where a removal is killed: the marker goes first
    (prefix.path / "lib").rename(prefix.path.parent / ".trash-1")
    assert name not in registry.names()
    assert_whole(create)


def test_an_orphaned_tool_keeps_others_out_until_it_ends(
    shared_root: Path, name: str, create: Create, tmp_path: Path
) -> None:
    """The host dies, its tool lives: a second one must not build in the same folder meanwhile."""
    layout = Layout(shared_root / "envs" / name)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tool = tmp_path / "uv"
    question = 'case "$*" in *--emit-index-url*) exit 1;; esac'  # which must not be waited for
    tool.write_text(f"#!/bin/sh\n{question}\necho stuck >&2\nread line < {pipe}\n")
    tool.chmod(0o755)
    instead = creator(shared_root, name, INSTEAD_OF_UV=str(tool))
    with instead as process, ThreadPoolExecutor(1) as thread:
        read_until(process, "locking stuck")
        process.kill()
        process.wait()
        waiting: list[str] = []
        other = thread.submit(create, WISH, on_progress=lambda event: waiting.append(event.stage))
        wait_until(lambda: waiting == ["waiting"])
        assert not other.done()
        assert not layout.prefix.exists()
        pipe.write_text("\n")
        other.result(60)
    assert_whole(create)


def test_an_interrupted_creation_leaves_no_tool_and_no_half_environment(
    shared_root: Path, name: str, create: Create
) -> None:
    prefix = shared_root / "envs" / name / "prefix"
    with creator(shared_root, name) as process:
        read_until(process, "locking")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "KeyboardInterrupt" in process.stderr.read()
    wait_until(lambda: not builders_of(prefix))
    assert not prefix.exists()
    assert_whole(create)


# -- in use ----------------------------------------------------------------------------------------


def test_an_environment_in_use_by_another_process_is_neither_replaced_nor_deleted(
    shared_root: Path, name: str, create: Create, registry: Registry
) -> None:
    prefix = create(WISH)
    with creator(shared_root, name, action="hold") as process:
        read_until(process, "held")
        with pytest.raises(EnvironmentInUseError, match="is in use"):
            create({"pip": ["tomli"]}, replace_existing=True)
        with pytest.raises(EnvironmentInUseError, match="is in use"):
            registry.delete(prefix)
        assert create(WISH) == prefix
        process.kill()
        process.wait()
        create({"pip": ["tomli"]}, replace_existing=True)


def test_a_worker_that_outlives_its_host_keeps_the_environment(
    create: Create, registry: Registry, name: str
) -> None:
    prefix = create({})
    lease = registry.lease(name)
    assert lease is not None
    worker = subprocess.Popen(
        [str(prefix.interpreter.executable), "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=(lease.fileno(),),
    )
    with worker:
        lease.close()
        with pytest.raises(EnvironmentInUseError):
            registry.delete(prefix)
    registry.delete(prefix)


def test_an_environment_that_another_process_is_building_is_not_deleted(
    shared_root: Path, name: str, create: Create, registry: Registry
) -> None:
    prefix = create(WISH)
    (prefix.path.parent / "ready.json").unlink()
    with creator(shared_root, name) as process:
        read_until(process, "locking")
        with pytest.raises(EnvironmentInUseError, match="being built"):
            registry.delete(prefix)
        assert process.wait(30) == 0


def test_an_environment_replaced_by_another_process_is_not_launched_unnoticed(
    shared_root: Path, name: str, create: Create, registry: Registry
) -> None:
    create(WISH)
    Registry(shared_root).ensure(name, parse_recipe({}), replace_existing=True)
    with pytest.raises(EnvironmentConflictError, match="replaced by another process"):
        registry.lease(name)
