"""Where packages come from, as users told conda, mamba and pixi."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wetlands.environments.conda.channels import credentials_file, find_sources, resolve
from wetlands.environments.conda.condarc import Condarc, read_condarc
from wetlands.errors import ConfigurationError


def home_with(tmp_path: Path, text: str, name: str = ".condarc") -> dict[str, str]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return {"HOME": str(tmp_path), "TOKEN": "abc"}


def test_without_files_names_are_channels_of_anaconda(tmp_path: Path) -> None:
    condarc = read_condarc({"HOME": str(tmp_path)})
    assert resolve("conda-forge", condarc) == ["https://conda.anaconda.org/conda-forge"]
    assert resolve("conda-forge/label/dev", condarc)[0].endswith("/conda-forge/label/dev")
    assert resolve("defaults", condarc)[0] == "https://repo.anaconda.com/pkgs/main"
    assert resolve("nodefaults", condarc) == []
    assert resolve("https://host/x/", condarc) == ["https://host/x"]
    assert resolve(str(tmp_path), condarc) == [tmp_path.as_uri()]
    sources = find_sources([], ["nvidia::cuda =11"], condarc)
    assert sources.channels == ()
    assert sources.fallback == ("https://conda.anaconda.org/conda-forge",)
    assert sources.extra == ("https://conda.anaconda.org/nvidia",)
    assert sources.specs == ("https://conda.anaconda.org/nvidia::cuda =11",)


def test_the_users_file_decides_what_names_mean(tmp_path: Path) -> None:
    environ = home_with(
        tmp_path,
        "channels: [conda-forge, mine]\n"
        "channel_alias: https://company/conda/\n"
        "channel_priority: flexible\n"
        "custom_channels: {mine: 'https://other/${TOKEN}'}\n"
        "custom_multichannels: {both: [mine, third]}\n"
        "default_channels: [https://company/main]\n"
        "mirrored_channels: {third: ['https://mirror/third']}\n"
        "proxy_servers: {https: http://proxy:3128}\n"
        "ssl_verify: false\n",
    )
    condarc = read_condarc(environ)
    assert resolve("mine", condarc) == ["https://other/abc/mine"]
    assert resolve("both", condarc) == ["https://other/abc/mine", "https://company/conda/third"]
    assert resolve("defaults", condarc) == ["https://company/main"]
    sources = find_sources([], [], condarc)
    assert sources.channels == ("https://company/conda/conda-forge", "https://other/abc/mine")
    assert sources.priority == "flexible"
    assert sources.mirrors == {"https://company/conda/third": ["https://mirror/third"]}
    assert sources.verify is False
    assert sources.variables.get("HTTPS_PROXY", "http://proxy:3128") == "http://proxy:3128"


def test_files_are_merged_and_the_nearer_one_weighs_more(tmp_path: Path) -> None:
    home_with(tmp_path, "channels: [far]\ncustom_channels: {a: x, b: y}", ".config/conda/.condarc")
    environ = home_with(tmp_path, "channels: [near]\ncustom_channels: {b: z}\nchannel_alias: q")
    condarc = read_condarc({**environ, "CONDA_CHANNEL_ALIAS": "https://env/"})
    assert condarc.channels == ("near", "far")
    assert condarc.custom == {"a": "x", "b": "z"}
    assert condarc.alias == "https://env"
    named = tmp_path / "named"
    named.write_text("channel_priority: disabled", encoding="utf-8")
    assert read_condarc({**environ, "CONDARC": str(named)}).priority == "disabled"


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.condarc.* is no valid YAML"):
        read_condarc(home_with(tmp_path, "channels: [a"))
    with pytest.raises(ConfigurationError, match="custom_channels must be a map"):
        read_condarc(home_with(tmp_path, "custom_channels: 3"))


def test_credentials_leave_the_addresses(tmp_path: Path) -> None:
    channels = ["https://me:p%40ss@private/a", "https://conda.anaconda.org/t/tk-1/b"]
    sources = find_sources(channels, [], Condarc())
    assert sources.channels == ("https://private/a", "https://conda.anaconda.org/b")
    own = tmp_path / "own.json"
    own.write_text('{"else": {"BearerToken": "x"}}', encoding="utf-8")
    text = credentials_file(sources, {"RATTLER_AUTH_FILE": str(own)})
    assert text is not None
    assert json.loads(text) == {
        "else": {"BearerToken": "x"},
        "private": {"BasicHTTP": {"username": "me", "password": "p@ss"}},
        "conda.anaconda.org": {"CondaToken": "tk-1"},
    }
    assert credentials_file(find_sources(["a"], [], Condarc()), {}) is None
