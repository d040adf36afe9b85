"""Files that projects have: what becomes of each kind, and what counts for the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wetlands.environments.config_files import read_config
from wetlands.environments.recipe import Recipe, identity, key_of
from wetlands.errors import ConfigurationError

PROJECT = """
[project]
name = "Tool"
version = "1"
requires-python = ">=3.9"
dependencies = ["six"]
[project.optional-dependencies]
fast = ["tomli"]
[dependency-groups]
test = ["packaging"]
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def key(path: Path, **options: Any) -> str:
    return key_of(identity(read_config(path, **options)))


# -- requirements files ----------------------------------------------------------------------------


def test_a_requirements_file_is_handed_over_as_it_is(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "six\n")
    recipe = read_config(str(file))
    assert recipe.pip == ()
    assert recipe.config is not None
    assert (recipe.config.kind, recipe.config.path) == ("requirements", str(file))


def test_comments_and_spaces_do_not_change_the_key(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "six\ntomli ; python_version < '3.11'\n")
    before = key(file)
    write(file, "# why\n\nsix   # yes\ntomli ;  python_version < '3.11'\n")
    assert key(file) == before


def test_a_rotated_token_does_not_change_the_key(tmp_path: Path) -> None:
    text = "--index-url https://me:{}@index.example/simple\nsix\n"
    file = write(tmp_path / "requirements.txt", text.format("old"))
    before = key(file)
    write(file, text.format("new"))
    assert key(file) == before


@pytest.mark.parametrize("line", ["-r inner.txt", "-c inner.txt", "--requirement=inner.txt"])
def test_files_that_are_named_in_it_count(tmp_path: Path, line: str) -> None:
    file = write(tmp_path / "requirements.txt", f"six\n{line}\n")
    inner = write(tmp_path / "inner.txt", "tomli\n")
    before = key(file)
    write(inner, "tomli<2\n")
    assert key(file) != before


def test_a_file_that_includes_itself_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "-r requirements.txt\n")
    with pytest.raises(ConfigurationError, match="includes itself"):
        read_config(file)


def test_a_nested_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "-r nothing.txt\n")
    with pytest.raises(ConfigurationError, match=r"nothing\.txt"):
        read_config(file)


def test_hashes_are_noticed_over_continued_lines(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "six==1.17.0 \\\n    --hash=sha256:00\n")
    config = read_config(file).config
    assert config is not None
    assert config.hashed


@pytest.mark.parametrize(
    ("line", "editable"),
    [("-e ./mine", True), ("./mine[fast]", False), ("mine @ file://{folder}/mine", False)],
)
def test_local_folders_in_it_count(tmp_path: Path, line: str, editable: bool) -> None:
    write(tmp_path / "mine" / "pyproject.toml", PROJECT)
    file = write(tmp_path / "requirements.txt", line.format(folder=tmp_path) + "\n")
    config = read_config(file).config
    assert config is not None
    (found,) = config.folders
    assert (found.path, found.editable) == (str(tmp_path / "mine"), editable)


# -- pyproject.toml --------------------------------------------------------------------------------


def test_a_project_gives_its_python_and_its_dependencies(tmp_path: Path) -> None:
    recipe = read_config(write(tmp_path / "pyproject.toml", PROJECT))
    assert recipe.python == ">=3.9"
    assert recipe.local == ()


def test_extras_and_groups_are_told_apart(tmp_path: Path) -> None:
    file = write(tmp_path / "pyproject.toml", PROJECT)
    config = read_config(file, optional_dependencies=["Test", "fast"]).config
    assert config is not None
    assert (config.extras, config.groups) == (("fast",), ("test",))
    assert key(file, optional_dependencies=["fast"]) != key(file)


def test_an_unknown_extra_is_an_error_that_lists_those_there_are(tmp_path: Path) -> None:
    file = write(tmp_path / "pyproject.toml", PROJECT)
    with pytest.raises(ConfigurationError, match="'slow': those it has are fast, test"):
        read_config(file, optional_dependencies=["slow"])


def test_the_project_itself_is_installed_on_request(tmp_path: Path) -> None:
    file = write(tmp_path / "pyproject.toml", PROJECT)
    recipe = read_config(file, optional_dependencies=["fast"], install_project=True)
    (local,) = recipe.local
    assert (local.name, local.path, local.editable) == ("Tool[fast]", str(tmp_path), False)


def test_options_of_other_tools_do_not_change_the_key(tmp_path: Path) -> None:
    file = write(tmp_path / "pyproject.toml", PROJECT)
    before = key(file)
    write(file, PROJECT + "[tool.ruff]\nline-length = 100\n")
    assert key(file) == before
    write(file, PROJECT.replace('["six"]', '["six<2"]'))
    assert key(file) != before


@pytest.mark.parametrize("text", ["[tool.x]\n", "[project]\nversion = '1'\n", "not toml ["])
def test_a_file_that_is_no_project_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml"):
        read_config(write(tmp_path / "pyproject.toml", text))


# -- pylock.toml -----------------------------------------------------------------------------------


def test_a_lock_is_taken_as_it_is(tmp_path: Path) -> None:
    text = 'lock-version = "1.0"\nrequires-python = ">=3.10"\npackages = []\n'
    recipe = read_config(write(tmp_path / "pylock.tool.toml", text))
    assert recipe.python == ">=3.10"
    assert recipe.lock is not None
    assert recipe.lock.python == ">=3.10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('lock-version = "2.0"\n', r"lock-version '2\.0'.*update wetlands"),
        ("packages = []\n", "has no 'lock-version'"),
        ("[[", "no valid TOML"),
    ],
)
def test_a_lock_of_another_version_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_config(write(tmp_path / "pylock.toml", text))


# -- environment.yml -------------------------------------------------------------------------------


def test_the_pip_part_and_python_of_a_conda_file_are_used(tmp_path: Path) -> None:
    text = "dependencies:\n- python=3.10\n- pip\n- pip:\n  - six\n  - -r more.txt\n"
    write(tmp_path / "more.txt", "tomli\n")
    recipe = read_config(write(tmp_path / "environment.yml", text))
    assert (recipe.python, recipe.conda) == ("==3.10.*", ())
    assert recipe.config is not None
    assert recipe.config.inline == ("six", "-r more.txt")


def test_conda_packages_of_a_conda_file_are_kept(tmp_path: Path) -> None:
    text = "channels: [b, a]\ndependencies: [python=3.10, 'a::cellpose=3', ffmpeg, pip]\n"
    recipe = read_config(write(tmp_path / "environment.yaml", text))
    assert (recipe.python, recipe.channels) == ("==3.10.*", ("b", "a"))
    assert recipe.conda == ("a::cellpose =3", "ffmpeg", "pip")


@pytest.mark.parametrize("text", ["name: x\n", "- a\n", "dependencies: numpy\n", "a: [\n"])
def test_a_wrong_conda_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_config(write(tmp_path / "environment.yml", text))


def test_the_variables_of_a_conda_file_are_kept(tmp_path: Path) -> None:
    text = "dependencies: [six]\nvariables: {B: 2, A: some text}\n"
    recipe = read_config(write(tmp_path / "environment.yml", text))
    assert recipe.variables == (("A", "some text"), ("B", "2"))


@pytest.mark.parametrize("value", ["[A]", "{A: true}", "{A: [1]}", "{A=B: c}", "{1: c}"])
def test_variables_that_can_not_be_set_are_an_error(tmp_path: Path, value: str) -> None:
    text = f"dependencies: [six]\nvariables: {value}\n"
    with pytest.raises(ConfigurationError, match="variables"):
        read_config(write(tmp_path / "environment.yml", text))


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Pipfile", "setup.py", "x.json"])
def test_an_unknown_kind_of_file_is_an_error_that_lists_the_known(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"supported ones are requirements\.txt"):
        read_config(write(tmp_path / name, "x"))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no config file"):
        read_config(tmp_path / "requirements.txt")


@pytest.mark.parametrize("path", [None, 3, ["requirements.txt"]])
def test_a_path_of_a_wrong_type_is_an_error(path: Any) -> None:
    with pytest.raises(ConfigurationError):
        read_config(path)


def test_optional_dependencies_of_other_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"go with a pyproject\.toml"):
        read_config(write(tmp_path / "requirements.txt", ""), optional_dependencies=["x"])


def test_install_commands_go_with_every_file(tmp_path: Path) -> None:
    recipe = read_config(write(tmp_path / "requirements.txt", "six"), commands=["make"])
    assert recipe == Recipe(commands=("make",), config=recipe.config)
