"""Venvs that uv is shown under a name that it knows: nothing of them ever depends on that name."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.environments.conftest import Create
from tests.integration.environments.inside import local_package, packages_of
from wetlands.environments import alias as module
from wetlands.environments.alias import alias
from wetlands.environments.interpreters import Interpreter, choose
from wetlands.environments.layout import Layout
from wetlands.environments.progress import Reporter
from wetlands.environments.recipe import parse_recipe
from wetlands.environments.registry import Registry
from wetlands.environments.upkeep.manifests import walk
from wetlands.environments.workspace import Workspace

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows lets not everybody make links")


@pytest.fixture
def python(shared_root: Path) -> Interpreter:
    return choose("", cache=shared_root / "interpreters")


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    folder = tmp_path / "envs" / "one"
    (folder / "prefix" / "bin").mkdir(parents=True)
    (folder / "prefix" / "bin" / "python").touch()
    return Workspace(Layout(folder), Reporter("one"))


@pytest.mark.index
def test_uv_asks_the_python_of_a_second_venv_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    registry = Registry(tmp_path / "root")
    recipe = parse_recipe({"pip": ["six"]})

    def known() -> int:
        return len(list((tmp_path / "cache").glob("interpreter-*/**/*.msgpack")))

    first = registry.ensure(f"{name}-1", recipe)
    before = known()
    second = registry.ensure(f"{name}-2", recipe)
    assert before >= 2  # that of the machine, and that of the venv under its other name
    assert known() == before
    assert packages_of(first) == packages_of(second)


@pytest.mark.index
def test_nothing_in_a_venv_names_the_link_and_its_programs_run(
    create: Create, shared_root: Path, tmp_path: Path
) -> None:
    folder = local_package(tmp_path / "mine")
    with open(folder / "pyproject.toml", "a", encoding="utf-8") as project:
        project.write('[project.scripts]\nsay-mine = "mine:main"\n')
    (folder / "mine.py").write_text("import sys\ndef main(): print(sys.prefix)\n")
    prefix = create({"local": [{"name": "mine", "path": str(folder), "editable": False}]})
    program = prefix.path / "bin" / "say-mine"
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(prefix.path)
    files = [Path(path) for path in walk(prefix.path) if os.path.isfile(path)]
    links = os.fsencode(shared_root / "aliases")
    assert [file for file in files if links in file.read_bytes()] == []


@pytest.mark.index
def test_creations_at_once_get_their_own_packages(registry: Registry, name: str) -> None:
    wanted = {f"{name}-{n}": f"1.{n}.0" for n in range(14, 18)}

    def create(one: tuple[str, str]) -> str:
        prefix = registry.ensure(one[0], parse_recipe({"pip": [f"six=={one[1]}"]}))
        return packages_of(prefix)["six"]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(create, wanted.items())) == list(wanted.values())


def test_a_link_leads_to_the_prefix_for_as_long_as_it_is_needed(
    work: Workspace, python: Interpreter, tmp_path: Path
) -> None:
    with alias(work, python, tmp_path) as (holding, seen):
        assert os.path.samefile(seen, work.layout.python)
        assert len(holding.descriptors()) == len(work.descriptors()) + 1
        link = seen.parents[1]
    assert not os.path.lexists(link)


def test_a_link_that_is_held_is_not_turned_to_another_venv(
    work: Workspace, python: Interpreter, tmp_path: Path
) -> None:
    with alias(work, python, tmp_path) as (_, first), alias(work, python, tmp_path) as (_, second):
        assert first != second


def test_what_a_killed_creation_left_of_a_link_is_replaced(
    work: Workspace, python: Interpreter, tmp_path: Path
) -> None:
    with alias(work, python, tmp_path) as (_, seen):
        link = seen.parents[1]
    link.symlink_to(tmp_path / "gone")
    with alias(work, python, tmp_path) as (_, again):
        assert again == seen
        assert os.path.samefile(again, work.layout.python)


def test_venvs_of_two_pythons_never_share_a_link(
    work: Workspace, python: Interpreter, tmp_path: Path
) -> None:
    other = python._replace(executable=tmp_path / "other" / "python")
    with alias(work, python, tmp_path) as (_, one):
        pass
    with alias(work, other, tmp_path) as (_, another):
        pass
    assert one != another


def test_with_all_links_taken_the_plain_name_is_used(
    work: Workspace, python: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINKS", 2)
    with ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(alias(work, python, tmp_path))
        with alias(work, python, tmp_path) as (same, seen):
            assert (same, seen) == (work, work.layout.python)
