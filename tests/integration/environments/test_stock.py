"""Venvs made by linking what was installed before: the same as those that uv makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.environments.inside import local_package, packages_of, run_in
from wetlands import EnvironmentManager
from wetlands.environments import stock as module
from wetlands.environments.blank import PROMPT
from wetlands.environments.layout import Layout
from wetlands.environments.prefix import Prefix
from wetlands.environments.recipe import parse_recipe
from wetlands.environments.registry import Registry
from wetlands.environments.upkeep.manifests import walk
from wetlands.environments.upkeep.verification import verify
from wetlands.environments.venv import forget

pytestmark = [
    pytest.mark.index,
    pytest.mark.usefixtures("own_cache"),
    pytest.mark.skipif(os.name == "nt", reason="venvs hold programs there: uv makes them"),
]

WISH = {"pip": ["six==1.16.0", "tqdm==4.67.1"]}


@pytest.fixture
def own(tmp_path: Path) -> Registry:
    """A registry of a root that holds nothing else."""
    return Registry(tmp_path / "own root")


def made(registry: Registry, name: str, **wish: list[str]) -> Prefix:
    return registry.ensure(name, parse_recipe(wish or WISH))


def made_twice(registry: Registry, name: str, **wish: list[str]) -> Prefix:
    """Return what was made last; then its wheels are kept."""
    made(registry, f"{name}-before", **wish)
    prefix = made(registry, name, **wish)
    assert not linked(prefix)
    return prefix


def linked(prefix: Prefix) -> bool:
    log = Layout(prefix.path.parent).log.read_text(encoding="utf-8")
    return "linked as they were installed before" in log and "$ uv" not in log


def six_of(prefix: Prefix) -> Path:
    return next(prefix.path.glob("lib/python3*/site-packages/six.py"))


def files_of(prefix: Prefix) -> dict[str, bytes]:
    """Return all that lies in a prefix, its name taken out."""
    found = {}
    for path in walk(prefix.path):
        link = os.path.islink(path)
        content = os.fsencode(os.readlink(path)) if link else Path(path).read_bytes()
        name = os.path.relpath(path, prefix.path)
        if name != ".lock" and not name.endswith(".pyc"):  # uv's, where it installs
            found[name] = content.replace(prefix.name.encode(), b"NAME")
    return found


@pytest.mark.parametrize("by", ["cp", "python"])
def test_what_was_installed_before_is_linked_and_is_the_same(
    own: Registry, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    first = made_twice(own, "the-first")
    if by == "python":
        monkeypatch.setattr(module, "_has_cp", lambda: False)
    second = made(own, "the-second")
    assert linked(second)
    assert files_of(first) == files_of(second)
    assert not any(PROMPT.encode() in content for content in files_of(second).values())
    assert os.path.samefile(six_of(first), six_of(second))
    found = verify(second.path, Layout(second.path.parent).skeleton)
    assert (found.ok, found.untracked) == (True, ())


def test_its_programs_and_its_activation_are_its_own(own: Registry) -> None:
    made_twice(own, "one")
    other = made(own, "other")
    assert run_in(other, "import sys; print(sys.prefix)") == str(other.path)
    program = other.path / "bin" / "tqdm"
    assert subprocess.run([program, "--version"], capture_output=True).stdout.strip() == b"4.67.1"
    which = "python -c 'import sys; print(sys.prefix)'"
    script = f". '{other.path}/bin/activate'; echo $VIRTUAL_ENV_PROMPT; {which}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.defpath}
    )
    assert done.stdout.splitlines() == ["other", str(other.path)]


def test_a_lock_with_more_in_it_is_installed_by_uv_and_kept(own: Registry) -> None:
    made_twice(own, "one", pip=["six==1.16.0"])
    more = made_twice(own, "more")
    assert linked(made(own, "again"))
    assert packages_of(more) == {"six": "1.16.0", "tqdm": "4.67.1"}


def test_another_python_gets_nothing_of_it(own: Registry, python_of: object) -> None:
    made_twice(own, "one", pip=["six==1.16.0"])
    python_of("3.10")  # type: ignore[operator]
    recipe = parse_recipe({"python": "3.10", "pip": ["six==1.16.0"]})
    assert not linked(own.ensure("older", recipe))


def edit(file: Path) -> None:
    with open(file, "ab") as stream:
        stream.write(b"# edited\n")


def remove_from_stock(file: Path) -> None:
    root = next(parent for parent in file.parents if parent.name == "envs").parent
    next(root.glob(f"stock/*/tree/**/{file.name}")).unlink()


def damage_listing(file: Path) -> None:
    root = next(parent for parent in file.parents if parent.name == "envs").parent
    for listing in root.glob("stock/*/files.json"):
        listing.write_text("{")


@pytest.mark.parametrize("harm", [edit, remove_from_stock, damage_listing])
def test_what_is_not_as_it_was_is_installed_anew_and_kept_again(
    own: Registry, harm: object
) -> None:
    first = made_twice(own, "first")
    whole = six_of(first).read_bytes()
    harm(six_of(first))  # type: ignore[operator]
    second = made(own, "second")
    assert not linked(second)
    assert six_of(second).read_bytes() == whole
    assert verify(second.path, Layout(second.path.parent).skeleton).ok
    third = made(own, "third")
    assert linked(third)
    assert six_of(third).read_bytes() == whole


def test_nothing_is_kept_of_copies(own: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    made_twice(own, "one")
    assert not linked(made(own, "two"))


def test_what_no_environment_has_is_pruned(own: Registry) -> None:
    first = made_twice(own, "first")
    own.delete(own.open("first-before"))
    made(own, "second", pip=["six==1.16.0"])
    assert own.upkeep.prune(30, trial=False).cache_entries == ()
    own.delete(first)
    (gone,) = own.upkeep.prune(30, trial=True).cache_entries
    assert (own.root / gone).is_dir()
    assert own.upkeep.prune(30, trial=False).cache_entries == (gone,)
    assert not (own.root / gone).exists()
    assert linked(made(own, "third", pip=["six==1.16.0"]))


def test_a_name_that_shells_would_read_otherwise_is_a_prompt_too(own: Registry) -> None:
    made_twice(own, "plain", pip=["six==1.16.0"])
    odd = made(own, "it's $HOME", pip=["six==1.16.0"])
    assert run_in(odd, "import six; print(six.__version__)") == "1.16.0"
    assert "it's $HOME" in (odd.path / "pyvenv.cfg").read_text(encoding="utf-8")


def test_a_stock_that_can_not_be_written_is_done_without(own: Registry) -> None:
    own.root.mkdir()
    made(own, "one", pip=["six==1.16.0"])
    shutil.rmtree(own.root / "stock")
    (own.root / "stock").touch()
    assert packages_of(made(own, "two", pip=["six==1.16.0"])) == {"six": "1.16.0"}


def test_repairing_drops_what_is_broken_though_uvs_cache_is_new(
    shared_root: Path, name: str
) -> None:
    """An edit that a glance does not see, in a file of the stock that is not uv's any more."""
    manager = EnvironmentManager(shared_root, progress=False)
    wish = {"pip": ["six==1.16.0"]}
    envs = [manager.create(f"{name}-{n}", wish) for n in range(3)]
    path = next(envs[-1].path.glob("lib/python3*/site-packages/six.py"))
    whole, before = path.read_bytes(), path.stat()
    path.write_bytes(whole.replace(b"import", b"export"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert forget(["six"])
    assert envs[-1].repair().broken == ("six",)
    again = manager.create(f"{name}-again", wish)
    assert next(again.path.glob("lib/python3*/site-packages/six.py")).read_bytes() == whole
    assert again.verify().ok


def test_a_local_package_at_a_short_path_is_installed(own: Registry, tmp_path: Path) -> None:
    folder = local_package(tmp_path / "p", "m", 7)
    project = folder / "pyproject.toml"
    project.write_text(project.read_text().replace('dependencies = ["six"]', "dependencies = []"))
    prefix = own.ensure("e", parse_recipe({"local": [{"path": str(folder), "name": "m"}]}))
    assert "m" in packages_of(prefix)
