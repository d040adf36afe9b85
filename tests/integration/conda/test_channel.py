"""The channel that the other tests rely on, and its server."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.conda.archive import File, Package, frame, read_index, unframe
from tests.support.conda.channel import SUBDIR, Channel
from tests.support.conda.server import ChannelServer
from tests.support.pythons import base_python


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 400_000])
def test_a_frame_holds_what_was_put_in(size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    assert unframe(frame(data[:size])) == data[:size]


def test_the_same_package_gives_the_same_bytes(tmp_path: Path) -> None:
    package = Package("thing", "1", {"share/thing": File(b"content")})
    first, second = Channel(tmp_path / "a"), Channel(tmp_path / "b")
    assert first.add(package).read_bytes() == second.add(package).read_bytes()
    assert read_index(first.file("thing"))["name"] == "thing"


def test_the_index_has_the_hashes_of_the_files(conda_channel: Channel) -> None:
    listed = json.loads((conda_channel.path / SUBDIR / "repodata.json").read_text("utf-8"))
    python = conda_channel.file("python")
    record = listed["packages.conda"][python.name]
    assert record["sha256"] == hashlib.sha256(python.read_bytes()).hexdigest()
    assert record["size"] == python.stat().st_size


def test_a_copy_may_be_changed(conda_channel: Channel, tmp_path: Path) -> None:
    before = (conda_channel.path / "noarch" / "repodata.json").read_bytes()
    copy = conda_channel.copy(tmp_path / "copy")
    copy.add(Package("another", "1", {}))
    copy.index(toolbox={"sha256": "0" * 64})
    listed = json.loads((copy.path / "noarch" / "repodata.json").read_text("utf-8"))
    assert listed["packages.conda"]["toolbox-1.0-py_0.conda"]["sha256"] == "0" * 64
    assert (conda_channel.path / "noarch" / "repodata.json").read_bytes() == before
    assert not (conda_channel.path / "noarch" / "another-1-0.conda").exists()


def test_the_python_in_it_is_the_one_that_runs_the_tests(conda_channel: Channel) -> None:
    version = Path(base_python()).resolve().name.removeprefix("python")
    assert read_index(conda_channel.file("python"))["version"].startswith(version)


def _get(server: ChannelServer, path: str, **headers: str) -> bytes:
    request = urllib.request.Request(f"{server.url}/{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        data: bytes = answer.read()
    return data


def test_files_are_served_whole_and_in_parts(conda_channel: Channel) -> None:
    file = conda_channel.file("actvars")
    path, data = f"{SUBDIR}/{file.name}", file.read_bytes()
    with ChannelServer(conda_channel) as server:
        assert _get(server, path) == data
        assert _get(server, path, Range="bytes=1000000-") == data[1_000_000:]
    assert [(r.status, r.start, r.sent) for r in server.packages("actvars")] == [
        (200, 0, len(data)),
        (206, 1_000_000, len(data) - 1_000_000),
    ]


def test_the_server_can_do_everything_wrong(conda_channel: Channel) -> None:
    file = conda_channel.file("actvars")
    path, data = f"{SUBDIR}/{file.name}", file.read_bytes()
    with ChannelServer(conda_channel) as server:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            _get(server, "noarch/nothing.conda")
        server.faults.wrong.add("actvars")
        assert _get(server, path)[:-1] == data[:-1] != _get(server, path)
        server.faults.status = 503
        with pytest.raises(urllib.error.HTTPError, match="503"):
            _get(server, path)
        server.faults.status, server.faults.token = None, "secret"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _get(server, path)
        assert len(_get(server, path, Authorization="Bearer secret")) == len(data)
        server.faults.token, server.faults.credentials = None, ("me", "pass")
        assert _get(server, path, Authorization="Basic bWU6cGFzcw==")
        server.faults.credentials, server.faults.drop_at, server.faults.drops = None, 500_000, 1
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            _get(server, path)
        assert len(_get(server, path)) == len(data)


def test_a_held_package_goes_on_when_it_is_released(conda_channel: Channel) -> None:
    file = conda_channel.file("actvars")
    got: list[bytes] = []
    with ChannelServer(conda_channel, hold_at=300_000) as server:
        path = f"{SUBDIR}/{file.name}"
        thread = threading.Thread(target=lambda: got.append(_get(server, path)))
        thread.start()
        server.wait_held()
        assert not got
        server.release()
        thread.join(20)
    assert len(got[0]) == file.stat().st_size
