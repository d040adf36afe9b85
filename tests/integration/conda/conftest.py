"""A root of its own for each test, without what this machine's user told conda."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wetlands.environments.conda.engine import Engine
from wetlands.environments.progress import ProvisioningEvent, Reporter

MakeEngine = Callable[..., Engine]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without settings; uv's cache stays where it is."""
    folder = tmp_path / "home"
    folder.mkdir()
    cache = Path("~/.cache/uv").expanduser()
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    monkeypatch.setenv("HOME", str(folder))
    for name in ("CONDARC", "CONDA_PREFIX", "RATTLER_AUTH_FILE", "NETRC", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def events() -> list[ProvisioningEvent]:
    return []


@pytest.fixture
def engine(root: Path, events: list[ProvisioningEvent]) -> Engine:
    return Engine(root, Reporter("test", events.append))
