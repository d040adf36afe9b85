"""A full disk while an environment is made: one clear error, and never half an environment."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wetlands import EnvironmentManager
from wetlands.errors import ProvisioningError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with room for very little."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_an_error_and_the_environment_is_built_once_there_is_room(
    small_disk: Path,
) -> None:
    filler = small_disk / "filler"
    with EnvironmentManager(small_disk / "root", progress=False) as manager:
        with contextlib.suppress(OSError):  # as full as it gets
            filler.write_bytes(bytes(10**6))
        with pytest.raises(ProvisioningError, match="space"):
            manager.create("full", {"python": f"{sys.version_info[0]}.{sys.version_info[1]}"})
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
        env = manager.create("full", {"python": f"{sys.version_info[0]}.{sys.version_info[1]}"})
        with env:
            env.launch()
            assert env.execute("math", "sqrt", (4.0,)) == 2.0
