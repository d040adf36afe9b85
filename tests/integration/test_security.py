"""What strangers, other users and hostile texts can do: nothing. See `docs/security.md`."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from tests.integration.conftest import WORK, Launch
from tests.support.waiting import wait_until
from wetlands import Environment
from wetlands.errors import WorkerLostError
from wetlands.runtime import folder as host_folder
from wetlands.runtime import transport
from worker_entry import protocol

posix = pytest.mark.skipif(os.name == "nt", reason="about files and users of POSIX")


# -- the socket as a file --------------------------------------------------------------------------


@posix
def test_only_the_user_can_reach_the_socket_and_the_segments(launch: Launch) -> None:
    host = launch()._pool._host  # type: ignore[union-attr]
    for folder in (host.folder, *host.segment_folders):
        found = folder.path.lstat()
        assert stat.S_ISDIR(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o700
        assert found.st_uid == os.getuid()
    assert host.transport.endpoint == f"ipc://{host.folder.path}/socket"
    assert host.transport.curve_key == ""


@posix
def test_a_lax_umask_opens_nothing(launch: Launch) -> None:
    before = os.umask(0)
    try:
        path = launch()._pool._host.folder.path  # type: ignore[union-attr]
        assert stat.S_IMODE(path.lstat().st_mode) == 0o700
    finally:
        os.umask(before)


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="becomes another user")
def test_another_user_cannot_connect(launch: Launch) -> None:
    path = launch()._pool._host.folder.path  # type: ignore[union-attr]
    pid = os.fork()
    if pid == 0:
        import socket

        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            socket.socket(socket.AF_UNIX).connect(str(path / "socket"))
        except PermissionError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@posix
def test_what_lies_in_the_way_is_neither_used_nor_swept(tmp_path: Path) -> None:
    prize = tmp_path / "prize"
    prize.mkdir()
    (prize / "owner").touch()
    parent = tmp_path / "parent"
    parent.mkdir()
    link = parent / f"{host_folder._prefix()}planted"
    link.symlink_to(prize)
    own = host_folder.HostFolder(str(parent))
    try:
        assert own.path.parent == parent
        assert own.path != link
        assert (prize / "owner").exists()  # a link is not followed
        if os.getuid() == 0:
            other = parent / f"{host_folder._prefix()}of-another"
            other.mkdir()
            (other / "owner").touch()
            os.chown(other, 65534, 65534)
            host_folder._sweep(str(parent))
            assert other.exists()
    finally:
        own.remove()
    assert link.is_symlink()


# -- the socket as a port --------------------------------------------------------------------------


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, launch: Launch) -> Iterator[Environment]:
    monkeypatch.setenv(transport.VARIABLE, "tcp")
    env = launch(max_workers=2)
    assert env._pool._host.transport.endpoint.startswith("tcp://127.0.0.1:")  # type: ignore[union-attr]
    yield env
    env.exit()


def answered(env: Environment, public: bytes | None, secret: bytes | None, key: str) -> bool:
    """Say whether a stranger with these keys gets as far as being connected."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    monitor = socket.get_monitor_socket()
    if public is not None:
        socket.setsockopt(zmq.CURVE_SERVERKEY, key.encode())
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    socket.connect(env._pool._host.transport.endpoint)  # type: ignore[union-attr]
    from zmq.utils.monitor import recv_monitor_message

    try:
        while monitor.poll(1000):
            event = recv_monitor_message(monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return True
            if event in (
                zmq.EVENT_HANDSHAKE_FAILED_AUTH,
                zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
                zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
                zmq.EVENT_DISCONNECTED,
            ):
                return False
        return False
    finally:
        socket.disable_monitor()
        monitor.close(0)
        socket.close(0)
        context.term()


def test_over_a_port_everything_works_as_over_a_file(port: Environment) -> None:
    assert list(port.map(WORK, "echo", range(50))) == list(range(50))
    assert isinstance(
        port.submit(WORK, "die", ("SIGKILL",)).wait_for(10).exception, WorkerLostError
    )
    wait_until(lambda: port.worker_count == 2)
    assert port.execute(WORK, "echo", (bytes(5_000_000),)) == bytes(5_000_000)


def test_over_a_port_nobody_is_let_in_without_a_key_of_a_worker(port: Environment) -> None:
    host = port._pool._host  # type: ignore[union-attr]
    key = host.transport.curve_key
    assert not answered(port, None, None, key)
    assert not answered(port, *zmq.curve_keypair(), key)  # knows the public key, and is nobody
    public, secret = host.transport.keys.make()
    assert answered(port, public.encode(), secret.encode(), key)
    wrong = zmq.curve_keypair()[0].decode()
    assert not answered(port, public.encode(), secret.encode(), wrong)
    host.transport.keys.revoke(public)
    assert not answered(port, public.encode(), secret.encode(), key)


def test_the_key_of_a_worker_goes_with_it(port: Environment) -> None:
    keys = port._pool._host.transport.keys  # type: ignore[union-attr]
    before = set(keys._known)
    assert len(before) == 2
    port.submit(WORK, "die", ("SIGKILL",)).wait_for(10)
    wait_until(lambda: port.worker_count == 2)
    assert len(keys._known) == 2
    assert keys._known != before


# -- the token -------------------------------------------------------------------------------------


def test_a_stranger_without_the_token_is_rejected_and_nothing_of_it_is_unpickled(
    launch: Launch, tmp_path: Path
) -> None:
    import pickle

    class Attack:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "attacked"),)

    env = launch()
    task = env.submit(WORK, "silent_for", (0.3,))
    wait_until(lambda: task.started)
    endpoint = env._pool._host.transport.endpoint  # type: ignore[union-attr]
    context = zmq.Context()
    for identity in (None, b"w" + bytes(16)):
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 200)
        if identity:
            socket.setsockopt(zmq.IDENTITY, identity)
        socket.connect(endpoint)
        messages: list[protocol.Message] = [
            protocol.Hello(protocol.VERSION, "0" * 64, os.getpid()),
            protocol.Result(task.number, 1, (pickle.dumps(Attack()),)),
            protocol.Output(task.number, 1, "x", (pickle.dumps(Attack()),)),
        ]
        for message in messages:
            socket.send_multipart(protocol.encode(message))
        assert not socket.poll(100)
        socket.close()
    context.term()
    assert task.wait_for(5).result == "spoke"
    assert task.outputs == {}
    assert not (tmp_path / "attacked").exists()


@posix
def test_secrets_show_in_no_list_of_processes_and_no_text(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3t-of-the-test"
    env = launch(worker_env=lambda number: {"API_KEY": secret})
    driver = env._pool._driver  # type: ignore[union-attr]
    tokens = [link.token for link in driver._workers.values()]
    assert env.execute(WORK, "variable", ("API_KEY",)) == secret
    assert not any(token in " ".join(env.execute(WORK, "variables")) for token in tokens)
    failed = env.submit(WORK, "die", ("SIGKILL", "last words")).wait_for(5)
    wait_until(lambda: env.worker_count == 1)
    texts = [str(failed.exception), repr(failed), repr(env), caplog.text]
    texts += [repr(link) for link in driver._workers.values()]
    texts += [" ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
    for text in texts:
        for hidden in (secret, *tokens):
            assert hidden not in text


# -- logs ------------------------------------------------------------------------------------------


def test_nobody_forges_a_line_of_the_log_or_commands_the_terminal(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def speak(*, task: Any = None) -> None:
        evil = "harmless\r\n2038-01-01 CRITICAL root: all is lost \x1b[2J\x1b]0;owned\x07\x9b1m"
        task.log(evil, level="warning")
        print("printed \x1b[31mred\x1b[0m \x07")
        sys.stderr.write("said \x1b]0;owned\x07\n")
        raise RuntimeError(evil)

    env = launch()
    env.submit(speak).wait_for(5)
    env.exit()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("wetlands")]
    assert any("harmless" in text for text in ours)
    assert any("printed" in text for text in ours)
    for text in ours:
        lines = text.split("\n")
        assert all(line.isprintable() for line in lines), repr(text)
        assert all(line.startswith("  | ") for line in lines[1:]), repr(text)
