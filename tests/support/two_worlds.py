"""What the main example prints and draws when everything went well."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest


def assert_segmented(out: str, picture: Path) -> None:
    """Check what the main example printed, and the picture that it wrote."""
    assert "without numpy, skimage." in out, "its interpreter must not have what workers have"
    assert re.search(r"Old world: +Python \S+, NumPy 1\.", out)
    assert re.search(r"New world: +Python \S+, NumPy [2-9]\.", out)
    rows = re.findall(r"^(\w[\w ]*?) +(\d+) +(\d+) +([\d.]+)% +([\d.]+)% +([\d.]+)%$", out, re.M)
    assert len(rows) == 12, out
    for name, old, new, *_, overlap in rows:
        assert 0 < int(old) == pytest.approx(int(new), rel=0.1), name
        assert float(overlap) > 95, name
    assert dict((row[0], row[1]) for row in rows)["coins"] == "25"
    assert re.search(r"^segment-old\S*: chelsea was canceled; submitted again, done\.$", out, re.M)
    assert re.search(r"^segment-new: worker [01] \(pid \d+\) died of SIGKILL .* page, ", out, re.M)
    assert "12 photographs in both worlds" in out
    assert_picture(picture, at_least=(1000, 800))


def assert_picture(path: Path, at_least: tuple[int, int]) -> None:
    """Check that a file is a PNG of at least so many pixels, width and height."""
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", head[16:24])
    assert width >= at_least[0]
    assert height >= at_least[1]
