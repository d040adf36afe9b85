"""What uv is told: the user's ways to packages, and nothing of the shell that started the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from wetlands.environments import uv
from wetlands.environments.tools import advise


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home without any configuration, but for what a test puts there."""
    from wetlands.environments import package_index

    places = package_index._pip_config_places
    configs = package_index._uv_config_places
    monkeypatch.setattr(
        package_index,
        "_pip_config_places",
        lambda environ: [p for p in places(environ) if tmp_path in p.parents],
    )
    monkeypatch.setattr(
        package_index,
        "_uv_config_places",
        lambda environ: [p for p in configs(environ) if tmp_path in p.parents],
    )
    return tmp_path


def told(home: Path, **variables: str) -> dict[str, str]:
    return uv.environment({"HOME": str(home), "XDG_CONFIG_HOME": f"{home}/.config", **variables})


@pytest.mark.parametrize(
    "name",
    ["PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET", "UV_PYTHON",
     "UV_PROJECT_ENVIRONMENT", "UV_CONSTRAINT", "UV_SYSTEM_PYTHON", "__PYVENV_LAUNCHER__"],
)  # fmt: skip
def test_what_belongs_to_the_hosts_shell_is_dropped(home: Path, name: str) -> None:
    assert name not in told(home, **{name: "x"})


@pytest.mark.parametrize(
    "name",
    ["UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
     "UV_INDEX_MINE_PASSWORD", "UV_CACHE_DIR", "SSL_CERT_FILE", "HTTPS_PROXY", "NETRC", "PATH",
     "UV_KEYRING_PROVIDER", "UV_OFFLINE"],
)  # fmt: skip
def test_the_ways_to_packages_are_kept(home: Path, name: str) -> None:
    assert told(home, **{name: "x"})[name] == "x"


def test_uv_downloads_no_python_and_reads_no_configuration_of_the_folder(home: Path) -> None:
    environment = told(home)
    assert environment["UV_PYTHON_DOWNLOADS"] == "never"
    assert environment["UV_NO_CONFIG"] == "1"


def test_the_users_configuration_of_uv_counts(home: Path) -> None:
    file = home / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text("")
    environment = told(home, PIP_INDEX_URL="https://pip.example")
    assert environment["UV_CONFIG_FILE"] == str(file)
    assert "UV_NO_CONFIG" not in environment
    assert "UV_DEFAULT_INDEX" not in environment


def test_an_index_that_only_pip_was_told_of_is_used(home: Path) -> None:
    environment = told(home, PIP_INDEX_URL="https://index.example", PIP_CERT="/cert.pem")
    assert environment["UV_DEFAULT_INDEX"] == "https://index.example"
    assert environment["SSL_CERT_FILE"] == "/cert.pem"


def test_an_index_in_a_file_of_pip_is_used(home: Path) -> None:
    file = home / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[global]\nindex-url = https://u:100%25@index.example/\ntrusted-host = a b\n")
    environment = told(home)
    assert environment["UV_DEFAULT_INDEX"] == "https://u:100%25@index.example/"
    assert environment["UV_INSECURE_HOST"] == "a b"
    assert told(home, PIP_INDEX_URL="https://x")["UV_DEFAULT_INDEX"] == "https://x"


def test_a_damaged_file_of_pip_is_passed_over(home: Path) -> None:
    file = home / ".pip" / "pip.conf"
    file.parent.mkdir()
    file.write_text("no section")
    assert "UV_DEFAULT_INDEX" not in told(home)


def test_what_uv_was_told_goes_before_what_pip_was_told(home: Path) -> None:
    environment = told(home, PIP_INDEX_URL="https://pip", UV_INDEX_URL="https://uv")
    assert environment["UV_INDEX_URL"] == "https://uv"
    assert "UV_DEFAULT_INDEX" not in environment


def test_additional_indexes_of_pip_are_left_out(home: Path) -> None:
    environment = told(home, PIP_EXTRA_INDEX_URL="https://x", PIP_FIND_LINKS="/wheels")
    assert not any("x" in environment.get(name, "") for name in uv.package_index.UV_INDEX_VARIABLES)


def test_a_folder_of_wheels_counts_when_it_is_all_there_is(home: Path) -> None:
    environment = told(home, PIP_NO_INDEX="1", PIP_FIND_LINKS="/a /b")
    assert (environment["UV_OFFLINE"], environment["UV_FIND_LINKS"]) == ("1", "/a,/b")


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("error: No space left on device", "Free some space"),
        ("because x was not found in the\n package registry", "spelling"),
        ("error: No solution found when", "loosen"),
        ("Hash mismatch for six", "not the one that was locked"),
        ("error sending request for url", "network"),
        ("something else", "It printed"),
    ],
)
def test_a_failure_comes_with_what_to_do(output: str, advice: str) -> None:
    assert advice in advise(output, 1)
    assert "Something outside" in advise(output, -9)
