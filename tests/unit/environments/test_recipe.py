"""What users write becomes one canonical recipe with a stable key, or one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wetlands.environments import entries
from wetlands.environments.recipe import Recipe, differences, identity, key_of, parse_recipe
from wetlands.errors import ConfigurationError


def key(dependencies: dict[str, Any], commands: Any = None) -> str:
    return key_of(identity(parse_recipe(dependencies, commands)))


def package(folder: Path, name: str = "mine") -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "1"\n')
    (folder / "code.py").write_text("x = 1\n")
    return folder


def test_a_key_has_sixteen_hexadecimal_digits() -> None:
    assert len(key({})) == 16
    int(key({}), 16)


def test_a_key_does_not_change_from_release_to_release() -> None:
    described = {"layout": 1, "python": "==3.10.*", "pip": ["numpy<2"]}
    assert key_of(described) == "31ed2a7da42c387a"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"python": "3.10"}, {"python": "==3.10.*"}),
        ({"python": "3.10"}, {"python": "==3.10"}),
        ({"python": "=3.10"}, {"python": " 3.10 "}),
        ({"python": ">=3.9,<3.12"}, {"python": "<3.12, >=3.9"}),
        ({"python": "3.10.13"}, {"python": "==3.10.13"}),
        ({}, {"python": None, "pip": [], "local": (), "channels": None}),
        ({"pip": ["a", "b"]}, {"pip": ("b", "a", "a")}),
        ({"pip": ["My_Pkg >= 1"]}, {"pip": ["my-pkg>=1"]}),
        ({"pip": ["numpy"]}, {"pip": [{"name": "numpy"}]}),
        ({"conda": ["python=3.10", "pip"]}, {"python": "3.10"}),
    ],
)
def test_two_spellings_of_one_wish_have_one_key(one: Any, other: Any) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"python": "3.10"}, {"python": "3.11"}),
        ({"python": "3.10"}, {"python": "3.10.1"}),
        ({"pip": ["numpy"]}, {"pip": ["numpy<2"]}),
        ({"pip": ["numpy"]}, {"pip": [{"name": "numpy", "dependencies": False}]}),
        ({"channels": ["a", "b"]}, {"channels": ["b", "a"]}),
    ],
)
def test_two_wishes_have_two_keys(one: Any, other: Any) -> None:
    assert key(one) != key(other)


def test_install_commands_are_part_of_the_key() -> None:
    assert key({}, ["make it"]) != key({})
    assert key({}, {"all": ["make it"]}) == key({}, ["make it"])
    assert key({}, {"windows": ["only there"]}) == key({}) or entries.this_platform()[:3] == "win"


def test_a_rotated_token_does_not_make_another_environment() -> None:
    url = "mine @ https://user:{}@index.example/mine-1-py3-none-any.whl"
    assert key({"pip": [url.format("old")]}) == key({"pip": [url.format("new")]})


def test_credentials_do_not_enter_the_identity() -> None:
    recipe = parse_recipe({"pip": ["git+https://user:secret@host.example/repo"]})
    assert "secret" not in str(identity(recipe))


def test_a_copied_package_is_another_one_when_any_file_changes(tmp_path: Path) -> None:
    folder = package(tmp_path / "mine")
    wish = {"local": [{"name": "mine", "path": folder, "editable": False}]}
    before = key(wish)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "code.pyc").write_text("litter")
    assert key(wish) == before
    (folder / "code.py").write_text("x = 2\n")
    assert key(wish) != before


def test_a_copied_package_may_move(tmp_path: Path) -> None:
    one, other = package(tmp_path / "one"), package(tmp_path / "other")
    keys = {key({"local": [{"name": "m", "path": p, "editable": False}]}) for p in (one, other)}
    assert len(keys) == 1


def test_an_editable_package_is_another_one_when_its_metadata_changes(tmp_path: Path) -> None:
    folder = package(tmp_path / "mine")
    wish = {"local": [{"name": "mine", "path": str(folder)}]}
    before = key(wish)
    (folder / "code.py").write_text("x = 2\n")
    assert key(wish) == before
    (folder / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "2"\n')
    assert key(wish) != before


def test_packages_for_other_platforms_are_left_out_when_optional() -> None:
    elsewhere = "win-64" if entries.this_platform() != "win-64" else "linux-64"
    wish = {"pip": ["six", {"name": "pywin32", "platforms": [elsewhere], "optional": True}]}
    assert parse_recipe(wish).pip == ("six",)


def test_packages_for_other_platforms_are_an_error_otherwise() -> None:
    with pytest.raises(ConfigurationError, match=r"osx-1.*'optional': True"):
        parse_recipe({"pip": [{"name": "six", "platforms": ["osx-1"]}]})


def test_packages_without_their_dependencies_are_kept_apart() -> None:
    recipe = parse_recipe({"pip": ["six", {"name": "torch", "dependencies": False}]})
    assert (recipe.pip, recipe.no_deps) == (("six",), ("torch",))


def test_an_empty_recipe_installs_nothing() -> None:
    assert parse_recipe(None) == Recipe()
    assert Recipe().empty


@pytest.mark.parametrize(
    "text",
    ["a", "My_Pkg", "zope.interface", "numpy==1.26.4", "numpy >= 2", "a_-b!=1", "x<2", "a1>3.0"],
)
def test_the_short_way_for_simple_requirements_comes_to_the_same(text: str) -> None:
    assert entries._SIMPLE.fullmatch(text)
    assert entries.canonical_requirement(text) == entries._parsed(text)


@pytest.mark.parametrize("text", ["a-", "a==1.*", "a>=1,<2", "a[x]", "a; x", "a===1", "ä", "a~=1"])
def test_other_requirements_go_the_long_way(text: str) -> None:
    assert not entries._SIMPLE.fullmatch(text)


WRONG = {
    "no dict": (["numpy"], "must be a dict"),
    "unknown key": ({"pypi": ["numpy"]}, "unknown key 'pypi': the keys are channels, conda"),
    "text for list": ({"pip": "numpy"}, r"dependencies\['pip'\] must be a list"),
    "number in list": ({"pip": [3]}, "entry 3 must be a str or a dict"),
    "one equal sign": ({"pip": ["numpy=1.26"]}, "write 'numpy==1.26'"),
    "conda channel": ({"pip": ["bioimageit::atlas"]}, "belongs under 'conda'"),
    "folder": ({"pip": ["./mine"]}, "belongs under 'local'"),
    "option": ({"pip": ["-r other.txt"]}, "requirements file"),
    "no requirement": ({"pip": ["numpy >>> 2"]}, "numpy >>> 2"),
    "unknown option": ({"pip": [{"name": "a", "platform": "x"}]}, "unknown key 'platform'"),
    "no name": ({"pip": [{"platforms": []}]}, "needs a 'name'"),
    "local no path": ({"local": [{"name": "a"}]}, "must be a dict with 'name' and 'path'"),
    "local missing": ({"local": [{"name": "a", "path": "/no/such"}]}, "there is no folder"),
    "local editable": ({"local": [{"name": "a", "path": "/", "editable": 1}]}, "True nor False"),
    "python number": ({"python": 3.1}, "as a number, 3.10 is 3.1"),
    "python list": ({"python": ["3.10"]}, "is a list: write"),
    "python words": ({"python": "the newest"}, "'the newest': write"),
    "channels": ({"channels": [1]}, "every entry must be a str"),
}


@pytest.mark.parametrize(("dependencies", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_recipe_says_what_to_write(dependencies: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_recipe(dependencies)


@pytest.mark.parametrize("commands", ["make", {"macos": ["x"]}, [1], {"all": "x"}, 3])
def test_wrong_commands_are_an_error(commands: Any) -> None:
    with pytest.raises(ConfigurationError):
        parse_recipe({}, commands)


def test_a_folder_without_a_package_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no package"):
        parse_recipe({"local": [{"name": "mine", "path": tmp_path}]})


def test_differences_name_what_differs() -> None:
    old = identity(parse_recipe({"python": "3.10", "pip": ["six"]}))
    new = identity(parse_recipe({"python": "3.11", "pip": ["six"]}))
    assert differences(old, new) == ['python: "==3.10.*" -> "==3.11.*"']
