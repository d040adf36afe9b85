"""Pools behind the five calls, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import pools
from benchmarks.part import Options
from benchmarks.peers import remote, venvs
from benchmarks.peers.adapter import Adapter
from benchmarks.peers.adapters import ADAPTERS, OURS, PEERS, STDLIB
from benchmarks.peers.remote import PeerError, RemotePeer
from benchmarks.peers.venvs import UnavailableError


@pytest.mark.parametrize("name", [OURS, *STDLIB])
def test_a_pool_that_needs_no_package_answers_all_calls(name: str, tmp_path: Path):
    with RemotePeer(name, tmp_path / "log") as peer:
        for _ in range(2):  # it starts again after it was stopped
            assert peer.call("start", 2) is None
            assert len(peer.call("submit_one_roundtrip", 3)) == 3
            assert peer.call("submit_many", 50) > 0
            assert peer.call("map", 100) > 0
            assert peer.call("stop") is None


@pytest.mark.long
@pytest.mark.index
@pytest.mark.parametrize("name", [name for name in PEERS if name not in STDLIB])
def test_a_pool_from_the_index_answers_all_calls(name: str, tmp_path: Path):
    try:
        opened = RemotePeer(name, tmp_path / "log")
    except UnavailableError as error:
        pytest.skip(str(error))
    with opened as peer:
        peer.call("start", 2)
        assert len(peer.call("submit_one_roundtrip", 3)) == 3
        assert peer.call("submit_many", 20) is None or name != "Appose"
        peer.call("map", 20)
        peer.call("stop")


def test_what_fails_over_there_is_said_here_and_costs_one_call(tmp_path: Path):
    with RemotePeer(STDLIB[0], tmp_path / "log") as peer:
        with pytest.raises(PeerError, match=r"map: AttributeError"):
            peer.call("map", 3)  # before start
        with pytest.raises(PeerError, match=r"'exit' is none of start, "):
            peer.call("exit")
        peer.call("start", 1)
        assert peer.call("map", 3) > 0
        peer.call("stop")
    assert "AttributeError" in (tmp_path / "log").read_text()


def test_a_pool_that_hangs_is_ended(tmp_path: Path):
    with RemotePeer(STDLIB[0], tmp_path / "log", limit=1.0) as peer:
        peer.call("start", 1)
        begin = time.monotonic()
        with pytest.raises(PeerError, match="did not answer in time"):
            peer.call("submit_many", 10**8)
        assert time.monotonic() - begin < 20


def test_what_can_not_be_installed_is_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    class Nowhere(Adapter):
        name = "nowhere"
        requirements = (str(tmp_path / "no-such-package"),)

    with pytest.raises(UnavailableError, match="no-such-package"):
        venvs.python_for(Nowhere, tmp_path)

    def unavailable(kind: type[Adapter]) -> str:
        if kind.name == STDLIB[0]:
            raise UnavailableError("the index is away")
        return sys.executable

    monkeypatch.setattr(remote, "python_for", unavailable)
    found = {one.name: one for one in pools.measure(Options(smoke=True, peers=STDLIB))}
    assert f"left out: {STDLIB[0]}, which can't be installed here: the index is away" in (
        capsys.readouterr().out
    )
    assert {len(one.values) > 0 for one in found.values()} == {True}
    table = pools.table(found)
    assert f"| {STDLIB[1]} |" in table
    assert f"| {STDLIB[0]} |" not in table


def test_a_venv_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[project]\nname = "bench-peer"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (package / "backend.py").write_text(BACKEND)

    class Peer(Adapter):
        name = "peer"
        requirements = (str(package),)

    python = venvs.python_for(Peer, tmp_path / "venvs")
    done = subprocess.run([python, "-c", "import bench_peer"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr

    def no_more(*arguments: str) -> None:
        raise AssertionError(f"uv was called again: {arguments}")

    calls: Callable[..., None] = no_more
    monkeypatch.setattr(venvs, "_uv", calls)
    assert venvs.python_for(Peer, tmp_path / "venvs") == python


def test_names_are_those_of_the_pools():
    assert set(ADAPTERS) == {OURS, *PEERS}
    assert set(STDLIB) == {"ProcessPoolExecutor", "multiprocessing.Pool"}


#: Builds a wheel without any tool, so that the test needs no index.
BACKEND = """
import zipfile

FILES = {
    "bench_peer.py": [],
    "bench_peer-1.dist-info/METADATA": ["Metadata-Version: 2.1", "Name: bench-peer", "Version: 1"],
    "bench_peer-1.dist-info/WHEEL": [
        "Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"
    ],
    "bench_peer-1.dist-info/RECORD": [],
}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/bench_peer-1-py3-none-any.whl", "w") as wheel:
        for name, lines in FILES.items():
            wheel.writestr(name, "".join(f"{line}\\n" for line in lines))
    return "bench_peer-1-py3-none-any.whl"
"""
