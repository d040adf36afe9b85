"""Recipes from pixi's manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from wetlands.environments.config_files import read_config
from wetlands.environments.locks.platforms import here
from wetlands.environments.recipe import Recipe
from wetlands.errors import ConfigurationError

HERE = here().subdir
HEAD = f'[workspace]\nchannels = ["conda-forge"]\nplatforms = ["{HERE}", "plan-9"]\n'


def read(
    folder: Path, text: str, *wanted: str, name: str = "pixi.toml", head: str = HEAD
) -> Recipe:
    (folder / name).write_text(head + text, encoding="utf-8")
    return read_config(folder / name, optional_dependencies=wanted)


def lines(recipe: Recipe) -> tuple[str, ...]:
    return recipe.config.inline if recipe.config else ()


def test_conda_packages_are_taken_as_match_specs(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        '[dependencies]\npython = ">=3.10,<3.12"\nNumPy = "*"\nscipy = "1.11.*"\n'
        'cuda = { version = "11.*", channel = "nvidia" }\n'
        'blas = { version = "*", build = "openblas" }\n',
    )
    assert recipe.conda == (
        "blas * openblas", "numpy", "nvidia::cuda 11.*", "python >=3.10,<3.12", "scipy 1.11.*",
    )  # fmt: skip
    assert recipe.channels == ("conda-forge",)
    assert recipe.is_conda
    assert recipe.empty


def test_packages_of_the_index_are_taken_as_requirements(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "pyproject.toml").write_text("", encoding="utf-8")
    recipe = read(
        tmp_path,
        "[pypi-dependencies]\n"
        'six = "*"\ntoml = "0.10"\nrich = { version = ">=13", extras = ["a", "b"] }\n'
        'far = { url = "https://host/far.whl" }\n'
        'repo = { git = "https://host/repo.git", tag = "v1", subdirectory = "sub" }\n'
        'mine = { path = "mine", editable = true, extras = ["x"] }\n'
        'copy = { path = "mine" }\n',
    )
    folder = (tmp_path / "mine").as_uri()
    assert lines(recipe) == (
        f"-e {folder}[x]",
        f"copy @ {folder}",
        "far @ https://host/far.whl",
        "repo @ git+https://host/repo.git@v1#subdirectory=sub",
        "rich[a,b]>=13",
        "six",
        "toml==0.10",
    )
    assert recipe.config is not None
    assert len(recipe.config.folders) == 2
    assert recipe.conda == ("python",)


def test_what_is_for_this_platform_counts(tmp_path: Path) -> None:
    system = HERE.partition("-")[0]
    recipe = read(
        tmp_path,
        '[dependencies]\na = "1"\nb = "1"\n'
        f'[target.{HERE}.dependencies]\na = "3"\n[target.{system}.dependencies]\na = "2"\nb = "2"\n'
        '[target.plan-9.dependencies]\nc = "1"\n',
    )
    assert recipe.conda == ("a 3", "b 2")


def test_features_are_added_by_their_name_or_by_an_environments(tmp_path: Path) -> None:
    text = (
        '[dependencies]\na = "1"\n[feature.gpu]\nchannels = ["nvidia"]\n'
        '[feature.gpu.dependencies]\ng = "*"\n[feature.test.pypi-dependencies]\npytest = "*"\n'
        '[environments]\nall = ["gpu", "test"]\nother = { features = ["test"] }\n'
    )
    assert read(tmp_path, text).conda == ("a 1",)
    gpu = read(tmp_path, text, "gpu")
    assert (gpu.conda, gpu.channels) == (("a 1", "g"), ("nvidia", "conda-forge"))
    everything = read(tmp_path, text, "all")
    assert (everything.conda, lines(everything)) == (("a 1", "g"), ("pytest",))
    assert lines(read(tmp_path, text, "other")) == ("pytest",)
    with pytest.raises(ConfigurationError, match=r"no feature.*'docs': it has all, gpu, other"):
        read(tmp_path, text, "docs")


def test_channels_have_priorities(tmp_path: Path) -> None:
    head = '[project]\nchannels = ["b", { channel = "a", priority = 5 }, "c"]\n'
    assert read(tmp_path, "", head=head).channels == ("a", "b", "c")


def test_a_project_of_python_has_both(tmp_path: Path) -> None:
    text = (
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.10"\n'
        'dependencies = ["six>=1"]\n[project.optional-dependencies]\nextra = ["toml"]\n'
        f'[tool.pixi.workspace]\nchannels = ["conda-forge"]\nplatforms = ["{HERE}"]\n'
        '[tool.pixi.dependencies]\nnumpy = "*"\n'
    )
    recipe = read(tmp_path, text, name="pyproject.toml", head="")
    assert recipe.conda == ("numpy", "python >=3.10")
    assert lines(recipe) == ("six>=1",)
    assert lines(read(tmp_path, text, "extra", name="pyproject.toml", head=""))[-1] == "toml"
    file = tmp_path / "pyproject.toml"
    itself = read_config(file, install_project=True)
    assert lines(itself)[-1] == f"mine @ {tmp_path.as_uri()}"
    assert read_config(file) == read_config(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[workspace]\nplatforms = ["plan-9"]\n', "is for plan-9, and this is"),
        ("[tasks]\n", r"has no \[workspace\] table"),
        (HEAD + "[dependencies]\na = { path = '.' }\n", "a has 'path', which is not supported"),
        (HEAD + "[dependencies]\na = 3\n", "a = 3 is no version and no table"),
        (HEAD + "[pypi-dependencies]\na = 3\n", "a = 3 is no version and no table"),
        (HEAD + "[pypi-options]\nindex-url = 'x'\n", "UV_DEFAULT_INDEX"),
        (HEAD + "[environments]\ne = 3\n", "no feature or environment 'x'"),
        ("[workspace]\nchannels = [3]\n", "has the channel 3"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, text: str, message: str) -> None:
    wanted = ["x"] if "environment" in message else []
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, text, *wanted, head="")
