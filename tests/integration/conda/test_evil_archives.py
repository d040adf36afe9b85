"""Packages that would write outside of their environment ("zip slip"): none of them does."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.conda.archive import File, Link, Package, dump
from tests.support.conda.channel import SUBDIR, Channel
from wetlands import EnvironmentManager, Lock
from wetlands.environments.conda.engine import Engine
from wetlands.environments.entries import this_platform
from wetlands.errors import ConfigurationError, EnvironmentBuildError

NAME = "evil.txt"
EVIL = File(b"evil")


def escaped(place: Path, *homes: Path) -> list[Path]:
    """Return what is called so below a folder, but not in those where a package may have it."""
    found = [*place.rglob(NAME), *place.rglob("evil-command")]
    return [path for path in found if not any(path.is_relative_to(home) for home in homes)]


def packages(outside: Path) -> dict[str, Package]:
    """Return the attacks: by names of files, by links, by the list of files, by commands."""
    good: dict[str, Any] = {"share/good.txt": File(b"good")}
    slipped = {"_path": f"../evil-1-0/share/{NAME}", "path_type": "hardlink"}
    listed = dump({"paths": [{**slipped, "size_in_bytes": 4}], "paths_version": 1})
    through = {"share/out": Link(str(outside)), f"share/out/{NAME}": EVIL}
    upwards = {"share/out": Link("../../../.."), f"share/out/{NAME}": EVIL}
    attacks: dict[str, dict[str, Any]] = {
        "a relative name": {"files": {**good, f"../../{NAME}": EVIL}},
        "an absolute name": {"files": {**good, str(outside / NAME): EVIL}},
        "a link": {"files": {**good, **through}},
        "a link upwards": {"files": {**good, **upwards}},
        "the description": {"files": good, "extra_info": {f"info/../../../{NAME}": b"evil"}},
        "the list of files": {
            "files": {f"share/{NAME}": EVIL},
            "extra_info": {"info/paths.json": listed},
        },
        "a command": {
            "files": {"site-packages/evil.py": File(b"def main(): pass")},
            "noarch": "python",
            "entry_points": ("../../evil-command = evil:main",),
        },
    }
    return {
        how: Package("evil", "1", subdir="noarch" if "noarch" in attack else SUBDIR, **attack)
        for how, attack in attacks.items()
    }


@pytest.mark.parametrize("how", packages(Path("/outside")))
def test_a_package_writes_nothing_outside_of_its_environment(
    engine: Engine, root: Path, conda_channel: Channel, tmp_path: Path, how: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    channel = conda_channel.copy(tmp_path / "channel") if how == "a command" else None
    channel = channel or Channel(tmp_path / "channel")
    channel.add(packages(outside)[how])
    channel.index()
    prefix = tmp_path / "some" / "where" / "prefix"
    wishes = ["evil", "python"] if how == "a command" else ["evil"]
    solved = engine.solve(wishes, [channel.url]).packages
    with contextlib.suppress(EnvironmentBuildError):
        engine.install(solved, prefix)
    assert escaped(tmp_path, prefix, root / "pkgs" / "evil-1-0") == []
    assert not any(outside.iterdir())


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/b", ".."])
def test_a_lock_with_a_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    manager = EnvironmentManager(tmp_path / "root", progress=False)
    package = {
        "name": name, "version": "1", "manager": "conda", "platform": SUBDIR, "dependencies": {},
        "url": f"https://channel.invalid/{SUBDIR}/{name}-1-0.conda",
        "hash": {"sha256": "0" * 64, "md5": "0" * 32}, "category": "main", "optional": False,
    }  # fmt: skip
    content = {
        "version": 1,
        "metadata": {
            "content_hash": {SUBDIR: "0" * 64}, "channels": [{"url": "x", "used_env_vars": []}],
            "platforms": [SUBDIR], "sources": ["environment.yml"],
        },
        "package": [package],
    }  # fmt: skip
    file = tmp_path / "conda-lock.yml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match="no name, version and build"):
        Lock.read(file).packages(this_platform())
    with pytest.raises(ConfigurationError):
        manager.create("evil", lock=file)
