"""Locks of Conda environments as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from wetlands import Lock
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.locks import conda_lock
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import PLATFORMS
from wetlands.errors import ConfigurationError

LINUX, WINDOWS = PLATFORMS["linux-64"], PLATFORMS["win-64"]
CHANNEL = "https://channel.example/forge"


def conda(name: str, version: str = "1.2", subdir: str = "linux-64", **more: Any) -> CondaPackage:
    url = f"{CHANNEL}/{subdir}/{name}-{version}-h1_0.conda"
    return CondaPackage(
        name, version, "h1_0", url, "a" * 64, "b" * 32, subdir=subdir, channel=CHANNEL, **more
    )


PYTHON = conda("python", "3.11.7", depends=("libzlib >=1.2", "libzlib <2.0a0", "__glibc >=2.17"))
PURE = conda("pure-one", subdir="noarch", noarch="python", depends=("python >=3.6",))
PIP = LockedPackage("six", "1.0", "pip", "https://index.example/six-1.0-py3-none-any.whl", "c" * 64)


def lock_of(*solved: Any) -> Lock:
    chosen = solved or [(LINUX, [PYTHON, PURE], [PIP])]
    return Lock.of("conda", conda_lock.build(chosen, [CHANNEL], {"wetlands-local": "mine,own"}))


def test_conda_packages_come_back_as_they_were() -> None:
    lock = lock_of()
    found = {each.name: each for each in conda_lock.conda_packages(lock.document, LINUX)}
    assert found["pure-one"] == PURE
    assert found["python"].depends == ("libzlib >=1.2,<2.0a0", "__glibc >=2.17")
    assert (found["python"].build, found["python"].subdir, found["python"].noarch) == (
        "h1_0", "linux-64", None,
    )  # fmt: skip


def test_it_knows_its_python_its_platforms_and_what_is_local() -> None:
    lock = lock_of((LINUX, [PYTHON], []), (WINDOWS, [conda("python", "3.11.9", "win-64")], []))
    assert (lock.python, lock.platforms) == ("==3.11.*", ("linux-64", "win-64"))
    assert lock.local == ("mine", "own")
    assert [each.version for each in lock.packages("win-64")] == ["3.11.9"]
    assert conda_lock.channels(lock.document) == (CHANNEL,)


def test_pip_part_is_one_for_uv() -> None:
    lock = lock_of()
    assert lock.has_pip_part
    part = Lock.of("venv", lock.pip_part())
    assert [(each.name, each.url) for each in part.packages("linux-64")] == [("six", PIP.url)]
    assert not lock_of((LINUX, [PYTHON], [])).has_pip_part


def test_what_is_written_is_what_conda_lock_writes(tmp_path: Path) -> None:
    content = yaml.safe_load(lock_of().write(tmp_path).read_text())
    assert content["version"] == 1
    assert content["metadata"]["channels"] == [{"url": CHANNEL, "used_env_vars": []}]
    [pip] = [entry for entry in content["package"] if entry["manager"] == "pip"]
    assert pip == {
        "name": "six", "version": "1.0", "manager": "pip", "platform": "linux-64",
        "dependencies": {}, "url": PIP.url, "hash": {"sha256": "c" * 64}, "category": "main",
        "optional": False,
    }  # fmt: skip


def test_optional_parts_and_development_tools_are_left_out() -> None:
    document = lock_of().document
    document["package"][0]["category"] = "dev"
    document["package"][1]["optional"] = True
    assert len(Lock.of("conda", document).packages("linux-64")) == 1


def test_the_digest_is_that_of_the_content() -> None:
    other = conda("python", "3.11.7", depends=())
    mirrored = CondaPackage(**{**vars(other), "url": other.url.replace("channel", "mirror")})
    changed = CondaPackage(**{**vars(other), "sha256": "d" * 64})
    digests = [lock_of((LINUX, [each], [])).digest for each in (other, mirrored, changed)]
    assert digests[0] == digests[1] != digests[2]


ENTRY = {"name": "six", "version": "1", "manager": "conda", "platform": "linux-64",
         "url": f"{CHANNEL}/noarch/six-1-py_0.conda", "hash": {"md5": "0"}}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"version": 1}, "no list of packages"),
        ([], "no list of packages"),
        ({"version": 2, "package": []}, "version 2"),
        ({"version": 1, "package": [{**ENTRY, "name": 3}]}, "damaged"),
        ({"version": 1, "package": [{**ENTRY, "hash": {}}]}, "'six' without its sha256"),
        ({"version": 1, "package": [{**ENTRY, "manager": "pip"}]}, "'six' without its sha256"),
        ("a: [", "no valid YAML"),
    ],
)
def test_a_file_that_can_not_be_trusted_is_refused(
    tmp_path: Path, content: object, says: str
) -> None:
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    (tmp_path / "conda-lock.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        Lock.read(tmp_path / "conda-lock.yml")


def test_an_address_that_is_none_of_a_channel_is_an_error(tmp_path: Path) -> None:
    content = {"version": 1, "package": [{**ENTRY, "url": "https://x/odd.exe"}]}
    (tmp_path / "conda-lock.yml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match=r"odd\.exe"):
        Lock.read(tmp_path / "conda-lock.yml").packages("linux-64")


# -- pixi.lock -------------------------------------------------------------------------------------

PIXI = f"""
version: 6
environments:
  default:
    channels: [{{url: {CHANNEL}/}}]
    packages:
      linux-64:
      - conda: {PYTHON.url}
      - pypi: {PIP.url}
  test:
    channels: [{{url: {CHANNEL}/}}]
    packages: {{linux-64: [{{conda: {PURE.url}}}]}}
packages:
- conda: {PYTHON.url}
  sha256: {"a" * 64}
  md5: {"b" * 32}
  depends: [libzlib >=1.2]
- conda: {PURE.url}
  sha256: {"a" * 64}
- pypi: {PIP.url}
  name: six
  version: '1.0'
  sha256: {"c" * 64}
"""


def pixi(folder: Path, text: str) -> Path:
    (folder / "pixi.lock").write_text(text)
    return folder / "pixi.lock"


@pytest.mark.parametrize("version", ["6", "7"])
def test_the_default_environment_of_a_pixi_lock_is_read(tmp_path: Path, version: str) -> None:
    lock = Lock.read(pixi(tmp_path, PIXI.replace("version: 6", f"version: {version}")))
    python, six = lock.packages("linux-64")
    assert (python.name, python.version, python.build, python.sha256) == (
        "python", "3.11.7", "h1_0", "a" * 64,
    )  # fmt: skip
    assert (six.kind, six.name, six.sha256) == ("pip", "six", "c" * 64)
    assert (lock.kind, lock.python, lock.platforms) == ("conda", "==3.11.*", ("linux-64",))
    assert lock.local is None


def test_a_file_beside_a_pixi_lock_is_one_of_this_machine(tmp_path: Path) -> None:
    text = PIXI.replace(PIP.url, "./wheels/six-1.0-py3-none-any.whl")
    found = Lock.read(pixi(tmp_path, text)).packages("linux-64")[1]
    assert found.url == (tmp_path / "wheels" / "six-1.0-py3-none-any.whl").as_uri()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version: 6", "version: 3", "version 3.*newer pixi"),
        ("  default:", "  other:", "no environment 'default'"),
        (PIP.url, "./mine", "a folder and no file"),
        (f"  sha256: {'c' * 64}\n", "", "'six' without its sha256"),
        ("packages:\n-", "nothing:\n-", "no pixi.lock"),
    ],
)
def test_a_pixi_lock_that_can_not_be_used_is_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Lock.read(pixi(tmp_path, PIXI.replace(old, new)))
