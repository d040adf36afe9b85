"""What identifies a wheel as it is installed: all of its text in the lock, and the Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wetlands.environments.locks import pylock
from wetlands.environments.probing import Interpreter, probe
from wetlands.environments.stock import keys_of

PACKAGE = """
[[packages]]
name = "Zope.Interface"
version = "1.0"
index = "https://example.org/simple"

[[packages.wheels]]
url = "https://example.org/zope-1.0-py3-none-any.whl"

[packages.wheels.hashes]
sha256 = "00"
"""


@pytest.fixture(scope="module")
def python() -> Interpreter:
    return probe(Path(sys.executable))


def test_each_package_has_a_key_by_its_canonical_name(python: Interpreter) -> None:
    other = PACKAGE.replace("Zope.Interface", "other")
    keys = keys_of(PACKAGE + other, python)
    assert keys is not None
    assert list(keys) == ["zope-interface", "other"]
    assert len(set(keys.values())) == 2
    before, behind = keys_of(other + "\n" + PACKAGE, python), keys_of(PACKAGE, python)
    assert before is not None
    assert behind is not None
    assert before["zope-interface"] == behind["zope-interface"] == keys["zope-interface"]
    assert keys_of("# another title\n" + PACKAGE, python) == keys_of(PACKAGE, python)
    assert keys_of("packages = []\n", python) == {}


@pytest.mark.parametrize(
    "change", [("1.0", "1.1"), ('"00"', '"11"'), ("example.org/simple", "example.com/simple")]
)
def test_another_version_hash_or_index_is_another_key(
    python: Interpreter, change: tuple[str, str]
) -> None:
    assert keys_of(PACKAGE.replace(*change), python) != keys_of(PACKAGE, python)


def test_another_python_or_another_setting_of_uv_is_another_key(
    python: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = keys_of(PACKAGE, python)
    assert keys_of(PACKAGE, python._replace(abi="cp399")) != plain
    monkeypatch.setenv("UV_CACHE_DIR", "/elsewhere")
    assert keys_of(PACKAGE, python) != plain


@pytest.mark.parametrize(
    "part",
    [
        '\n[packages.directory]\npath = "../mine"\n',
        '\n[packages.vcs]\ntype = "git"\n',
        '\n[packages.archive]\nurl = "https://example.org/a.whl"\n',
        "\n[packages.wheels.extra]\nunknown = 1\n",
    ],
)
def test_what_is_from_no_index_has_no_key(python: Interpreter, part: str) -> None:
    assert keys_of(PACKAGE + part, python) is None


def test_what_is_built_here_has_no_key(python: Interpreter) -> None:
    begin = PACKAGE.index("[[packages.wheels]]")
    sdist = '[packages.sdist]\nurl = "https://example.org/a.tar.gz"\n'
    assert keys_of(PACKAGE[:begin] + sdist, python) is None


@pytest.mark.parametrize("editable", [True, False])
def test_a_local_package_alone_has_no_key_however_short_its_path(
    python: Interpreter, editable: bool
) -> None:
    mine = {"name": "mine", "directory": {"path": "../mine", "editable": editable}}
    text = pylock.dump({"lock-version": "1.0", "created-by": "us", "packages": [mine]})
    assert "[[packages]]" in text
    assert keys_of(text, python) is None
    by_tomli_w = 'packages = [\n    { name = "mine", directory = { path = "../mine" } },\n]\n'
    assert keys_of(by_tomli_w, python) is None, "one that an earlier version wrote"


@pytest.mark.parametrize("line", ["marker = \"os_name == 'nt'\"", 'path = "beside.whl"'])
def test_what_depends_on_the_machine_has_no_key(python: Interpreter, line: str) -> None:
    assert keys_of(PACKAGE.replace('version = "1.0"', line), python) is None
