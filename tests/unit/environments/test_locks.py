"""Locks as data: what is read, what is written, and what fits a recipe."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker

from wetlands import Lock
from wetlands.environments.entries import this_platform
from wetlands.environments.locks import pylock
from wetlands.environments.locks.agreement import given_lock, locked
from wetlands.environments.locks.platforms import PLATFORMS, find_platform, parse_platforms
from wetlands.environments.locks.wheels import best_wheel
from wetlands.environments.recipe import Recipe, identity, key_of, parse_recipe
from wetlands.errors import ConfigurationError

LINUX, MAC, WINDOWS = (PLATFORMS[name] for name in ("linux-64", "osx-arm64", "win-64"))


def wheel(name: str, tag: str = "py3-none-any", digit: str = "a") -> dict[str, Any]:
    url = f"https://index.example/{name}-1.0-{tag}.whl"
    return {"url": url, "size": 10, "hashes": {"sha256": digit * 64}}


def package(name: str, *tags: str, **more: Any) -> dict[str, Any]:
    wheels = [wheel(name, tag, format(i, "x")) for i, tag in enumerate(tags or ("py3-none-any",))]
    return {"name": name, "version": "1.0", **more, "wheels": wheels}


def document(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"lock-version": "1.0", "created-by": "test", "packages": list(packages), **more}


def lock_of(*packages: dict[str, Any], **more: Any) -> Lock:
    return Lock.of("venv", document(*packages, **more))


# -- platforms -------------------------------------------------------------------------------------


def test_a_platform_is_known_by_the_names_of_recipes_and_of_conda() -> None:
    assert find_platform("linux-arm64") is find_platform("linux-aarch64")
    with pytest.raises(ConfigurationError, match=r"beos-64.*linux-64, linux-arm64"):
        find_platform("beos-64")


def test_without_a_wish_it_is_this_platform_and_each_is_taken_once() -> None:
    assert [each.name for each in parse_platforms(None)] == [this_platform()]
    assert parse_platforms(["win-64", "osx-64", "win-64"]) == (WINDOWS, PLATFORMS["osx-64"])
    with pytest.raises(ConfigurationError, match="must be a list"):
        parse_platforms("linux-64")


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_marker_of_a_platform_is_true_there_alone(name: str) -> None:
    marker = Marker(PLATFORMS[name].marker)
    true = [each.name for each in PLATFORMS.values() if marker.evaluate(each.variables("3.10"))]
    assert true == [name]


# -- what a platform gets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "tag"),
    [
        (LINUX, "cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        (MAC, "cp310-cp310-macosx_11_0_arm64"),
        (WINDOWS, "cp310-cp310-win_amd64"),
    ],
)
def test_the_wheel_of_the_platform_is_taken(platform: Any, tag: str) -> None:
    tags = ["cp310-cp310-win_amd64", "cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp310-cp310-macosx_11_0_arm64", "cp311-cp311-macosx_11_0_arm64"]  # fmt: skip
    found = best_wheel(package("numpy", *tags)["wheels"], platform, (3, 10))
    assert found is not None
    assert found["url"].endswith(f"-{tag}.whl")


def test_a_wheel_made_for_the_version_comes_before_a_general_one() -> None:
    wheels = package("it", "py3-none-any", "cp38-abi3-win_amd64", "cp310-cp310-win_amd64")["wheels"]
    assert best_wheel(wheels, WINDOWS, (3, 10)) == wheels[2]
    assert best_wheel(wheels, WINDOWS, (3, 9)) == wheels[1]
    assert best_wheel(wheels, LINUX, (3, 9)) == wheels[0]
    assert best_wheel(wheels[1:], LINUX, (3, 9)) is None
    assert best_wheel([{"url": "https://index.example/odd.whl"}], LINUX, (3, 9)) is None


def test_packages_are_those_whose_marker_is_true() -> None:
    lock = lock_of(
        package("everywhere"),
        package("windows", marker="sys_platform == 'win32'"),
        package("old", marker="python_version < '3.9'"),
        **{"requires-python": ">=3.10"},
    )
    assert [each.name for each in lock.packages("linux-64")] == ["everywhere"]
    assert [each.name for each in lock.packages("win-64")] == ["everywhere", "windows"]


def test_a_package_says_where_its_file_is() -> None:
    found = lock_of(package("Some_Thing")).packages("linux-64")[0]
    assert (found.name, found.version, found.kind, found.size) == ("some-thing", "1.0", "pip", 10)
    assert found.url == "https://index.example/Some_Thing-1.0-py3-none-any.whl"
    assert found.sha256 == "0" * 64


def test_a_source_is_taken_where_no_wheel_fits() -> None:
    source = {"url": "https://index.example/it-1.0.tar.gz", "hashes": {"sha256": "f" * 64}}
    lock = lock_of(package("it", "cp310-cp310-win_amd64", sdist=source))
    assert lock.packages("linux-64")[0].sha256 == "f" * 64


def test_a_marker_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"marker 'sys_platform ==' for 'it'"):
        lock_of(package("it", marker="sys_platform ==")).packages("linux-64")


# -- several platforms in one ----------------------------------------------------------------------


def test_what_each_platform_needs_becomes_one_lock() -> None:
    shared, own = package("shared"), package("colorama", marker="sys_platform == 'win32'")
    merged = pylock.merged(
        [(LINUX, document(shared)), (WINDOWS, document(own, shared))], "==3.10.*", {"local": []}
    )
    assert [each["name"] for each in merged["packages"]] == ["colorama", "shared"]
    assert "marker" not in merged["packages"][1]
    lock = Lock.of("venv", merged)
    assert lock.platforms == ("linux-64", "win-64")
    assert [each.name for each in lock.packages("linux-64")] == ["shared"]
    assert [each.name for each in lock.packages("win-64")] == ["colorama", "shared"]


def test_versions_may_differ_between_platforms() -> None:
    older = {**package("it"), "version": "0.9"}
    merged = pylock.merged([(LINUX, document(package("it"))), (MAC, document(older))], "", {})
    lock = Lock.of("venv", merged)
    assert [each.version for each in lock.packages("linux-64")] == ["1.0"]
    assert [each.version for each in lock.packages("osx-arm64")] == ["0.9"]


def test_wheels_of_all_platforms_stand_together() -> None:
    tags = ["cp310-cp310-win_amd64", "cp310-cp310-macosx_11_0_arm64"]
    solved = [(WINDOWS, document(package("it", tags[0]))), (MAC, document(package("it", tags[1])))]
    merged = pylock.merged(solved, "==3.10.*", {})
    assert len(merged["packages"]) == 1
    assert len(merged["packages"][0]["wheels"]) == 2


def test_a_lock_is_for_its_platforms_alone() -> None:
    lock = Lock.of("venv", pylock.merged([(WINDOWS, document())], "", {}))
    with pytest.raises(ConfigurationError, match=r"for win-64 and not for linux-64.*platforms=\["):
        lock.packages("linux-64")


# -- files -----------------------------------------------------------------------------------------


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    lock = lock_of(package("it"), **{"requires-python": "==3.10.*"})
    file = lock.write(tmp_path)
    assert file == tmp_path / "pylock.toml"
    assert Lock.read(file) == lock
    assert Lock.read(str(file)).digest == lock.digest
    assert lock.python == "==3.10.*"
    assert file.stat().st_mode & 0o777 == 0o644


def test_paths_move_with_the_file(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    table = {"path": str(here / "it.whl"), "hashes": {"sha256": "a" * 64}}
    lock = lock_of({"name": "it", "archive": table})
    for folder in (here, there):
        folder.mkdir()
    file = lock.write(here)
    assert 'path = "it.whl"' in file.read_text()
    file.rename(there / "pylock.toml")
    moved = Lock.read(there / "pylock.toml")
    assert moved.packages("linux-64")[0].url == (there / "it.whl").as_uri()
    assert moved.digest == lock.digest


def test_credentials_are_not_written(tmp_path: Path) -> None:
    entry = package("it", index="https://me:secret@index.example/simple")
    entry["wheels"][0]["url"] = "https://me:secret@index.example/it-1.0-py3-none-any.whl"
    source = {"type": "git", "url": "ssh://git@host.example/own.git", "commit-id": "abc"}
    lock = lock_of(entry, {"name": "own", "vcs": source})
    text = lock.write(tmp_path).read_text()
    assert "secret" not in text
    assert "https://index.example/it-1.0-py3-none-any.whl" in text
    assert "ssh://git@host.example/own.git" in text
    assert Lock.read(tmp_path / "pylock.toml").digest == lock.digest


@pytest.mark.parametrize("name", ["requirements.txt", "lock.toml", "pylock.txt", "conda-lock.toml"])
def test_a_file_must_have_the_name_of_a_lock(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"pylock\.toml"):
        lock_of().write(tmp_path / name)
    (tmp_path / name).touch()
    with pytest.raises(ConfigurationError, match=name):
        Lock.read(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("packages = []", "no 'lock-version'"),
        ('lock-version = "2.0"', "2.0.*update wetlands"),
        ('lock-version = "1.0"\npackages = [1]', "damaged"),
        ("lock-version = ", "no valid TOML"),
        ('lock-version = "1.0"\n[[packages]]\nname = "it"\nwheels = [{url = "https://x/it.whl"}]',
         "'it' without its sha256"),
        ('lock-version = "1.0"\n[[packages]]\nname = "it"\narchive = {url = "u", hashes = {md5 = '
         '"0"}}', "'it' without its sha256"),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_trusted_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "pylock.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        Lock.read(tmp_path / "pylock.toml")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no lock"):
        Lock.read(tmp_path / "pylock.toml")


def test_the_digest_is_that_of_the_content() -> None:
    base = document(package("it", "cp310-cp310-win_amd64"), package("other"))
    mirrored = copy.deepcopy(base)
    mirrored["packages"][0]["wheels"][0]["url"] = "https://mirror.example/it.whl"
    mirrored["packages"].reverse()
    other = copy.deepcopy(base)
    other["packages"][0]["wheels"][0]["hashes"]["sha256"] = "b" * 64
    digests = [Lock.of("venv", each).digest for each in (base, mirrored, other)]
    assert digests[0] == digests[1] != digests[2]


def test_the_content_of_a_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'mine'\n")
    lock = lock_of({"name": "mine", "directory": {"path": str(tmp_path)}})
    before = lock.digest
    (tmp_path / "mine.py").write_text("x = 1")
    assert lock.digest != before


# -- with a recipe ---------------------------------------------------------------------------------


def test_a_lock_alone_is_a_recipe() -> None:
    recipe = locked(Recipe(), lock_of(package("it"), **{"requires-python": "==3.10.*"}))
    assert recipe.python == "==3.10.*"
    assert not recipe.empty


def test_the_same_lock_is_the_same_environment_whatever_was_asked_for() -> None:
    lock = lock_of(package("it"))
    asked = locked(parse_recipe({"pip": ["it>=0.5"]}), lock)
    assert key_of(identity(asked)) == key_of(identity(locked(Recipe(), lock)))
    other = locked(Recipe(), lock_of(package("other")))
    assert key_of(identity(asked)) != key_of(identity(other))


@pytest.mark.parametrize(
    "recipe",
    [
        {"pip": ["it"]},
        {"pip": ["It==1.0", "absent; sys_platform == 'nowhere'"]},
        {"python": ">=3.9"},
        {"python": "3.10", "pip": [{"name": "it<2", "dependencies": False}]},
    ],
)
def test_a_recipe_that_the_lock_meets_is_fine(recipe: dict[str, Any]) -> None:
    lock = lock_of(package("it"), **{"requires-python": "==3.10.*"})
    assert locked(parse_recipe(recipe), lock).lock is lock


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"pip": ["it>1"]}, "it>1: the lock has it 1.0"),
        ({"pip": ["absent", "it"]}, "absent: the lock does not have it"),
        ({"pip": [{"name": "gone", "dependencies": False}]}, "gone: the lock does not have it"),
        ({"python": "3.11"}, "python ==3.11.*: the lock is for ==3.10.*"),
    ],
)
def test_contradictions_are_listed(recipe: dict[str, Any], says: str) -> None:
    lock = lock_of(package("it"), **{"requires-python": "==3.10.*"})
    with pytest.raises(ConfigurationError) as caught:
        locked(parse_recipe(recipe), lock)
    assert says in str(caught.value)
    assert "manager.lock(recipe)" in str(caught.value)


def test_local_packages_must_be_those_the_lock_was_made_with(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'mine'\n")
    mine = parse_recipe({"local": [{"name": "mine[fast]", "path": tmp_path}]})
    with_mine = lock_of(tool={"wetlands": {"local": ["mine"]}})
    without = lock_of(tool={"wetlands": {"local": []}})
    assert locked(mine, with_mine).local == mine.local
    assert locked(mine, lock_of()).local == mine.local  # made by others, who don't say
    with pytest.raises(ConfigurationError, match="the local package 'mine', and the recipe"):
        locked(Recipe(), with_mine)
    with pytest.raises(ConfigurationError, match="'mine': what it depends on is not in the lock"):
        locked(mine, without)


def test_a_lock_for_another_platform_is_refused() -> None:
    elsewhere = next(each for each in PLATFORMS.values() if each.name != this_platform())
    lock = Lock.of("venv", pylock.merged([(elsewhere, document())], "", {}))
    with pytest.raises(ConfigurationError, match=f"not for {this_platform()}"):
        locked(Recipe(), lock)


def test_a_lock_is_given_as_one_or_by_its_path(tmp_path: Path) -> None:
    lock = lock_of(package("it"))
    file = lock.write(tmp_path)
    assert given_lock(lock) is lock
    assert given_lock(file) == given_lock(str(file)) == lock
    with pytest.raises(ConfigurationError, match="not dict"):
        given_lock({})
