"""Wheels that would write outside of their environment ("zip slip"): none of them does."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from pathlib import Path

import pytest

from wetlands import EnvironmentManager
from wetlands.errors import EnvironmentBuildError

NAME = "evil.txt"
COMMAND = "[console_scripts]\n../../evil.txt = evil:main\n"


def attacks(outside: Path) -> dict[str, dict[str, str]]:
    """Return files to put into a wheel, by how they would get out."""
    return {
        "a relative name": {f"../../../../{NAME}": "evil"},
        "an absolute name": {str(outside / NAME): "evil"},
        "data": {f"evil-1.data/data/../../../{NAME}": "evil"},
        "a script": {f"evil-1.data/scripts/../../{NAME}": "#!python\n"},
        "a header": {f"evil-1.data/headers/../../../../../{NAME}": "evil"},
        "a command": {"evil-1.dist-info/entry_points.txt": COMMAND},
        "the folder of data": {f"evil-1.data/../../../../{NAME}": "evil"},
    }


def write_wheel(folder: Path, files: dict[str, str]) -> Path:
    """Write a wheel that has them, each with its hash in the list of files."""
    metadata = "Metadata-Version: 2.1\nName: evil\nVersion: 1\n"
    tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content = {"evil.py": "def main(): pass\n", **files}
    content |= {"evil-1.dist-info/METADATA": metadata, "evil-1.dist-info/WHEEL": tags}
    record = "evil-1.dist-info/RECORD"
    path = folder / "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in content.items():
            wheel.writestr(name, text)
        wheel.writestr(record, "".join(f"{name},,\n" for name in [*content, record]))
    return path


def write_lock(folder: Path, wheel: Path) -> Path:
    """Write a lock that names the wheel, with its hash."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = folder / "pylock.toml"
    file.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n'
        '[[packages]]\nname = "evil"\nversion = "1"\n'
        f'wheels = [{{ path = "{wheel.name}", hashes = {{ sha256 = "{digest}" }} }}]\n'
    )
    return file


def test_the_wheel_without_an_attack_is_installed(tmp_path: Path) -> None:
    lock = write_lock(tmp_path, write_wheel(tmp_path, {"share/good.txt": "good"}))
    with EnvironmentManager(tmp_path / "root", progress=False) as manager:
        assert [package.name for package in manager.create("good", lock=lock).packages()] == [
            "evil"
        ]


HOW = [
    how if how in ("a relative name", "a command") else pytest.param(how, marks=pytest.mark.long)
    for how in attacks(Path("/outside"))
]


def _is_unpacked(path: Path, cache: Path) -> bool:
    """Whether it lies in one of the folders of uv's cache that have a wheel each."""
    parts = path.relative_to(cache).parts if path.is_relative_to(cache) else ()
    return len(parts) > 2 and parts[0].startswith("archive-")


@pytest.mark.parametrize("how", HOW)
def test_a_wheel_writes_nothing_outside_of_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    cache, outside = tmp_path / "cache", tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    lock = write_lock(tmp_path, write_wheel(tmp_path, attacks(outside)[how]))
    with EnvironmentManager(tmp_path / "root", progress=False) as manager:
        prefix = manager.root / "envs" / "evil"
        with contextlib.suppress(EnvironmentBuildError):
            prefix = manager.create("evil", lock=lock).path
        found = [path for path in tmp_path.rglob(NAME) if not path.is_relative_to(prefix)]
    assert [path for path in found if not _is_unpacked(path, cache)] == []
    assert not any(outside.iterdir())
