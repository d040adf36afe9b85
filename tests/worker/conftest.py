"""Workers under every Python that is installed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pythons import SUPPORTED, interpreters
from tests.worker.peer import Peer, host_minor
from wetlands.environments.interpreters import probe
from wetlands.environments.registry import Registry
from wetlands.errors import EnvironmentBuildError

Start = Callable[..., Peer]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("sidecars"))


@pytest.fixture(scope="session", params=SUPPORTED)
def new_peer(request: pytest.FixtureRequest, registry: Registry) -> Callable[..., Peer]:
    """Start workers of one Python, pyzmq beside it."""
    if request.param not in interpreters():
        pytest.skip(f"Python {request.param} is not installed here")
    interpreter = probe(Path(interpreters()[request.param]))
    try:
        sidecar = registry.sidecar(interpreter)
    except EnvironmentBuildError as error:
        pytest.skip(f"pyzmq for Python {request.param} can't be had: {error}")

    def start(**options: Any) -> Peer:
        return Peer(interpreter, sidecar, **options)

    return start


@pytest.fixture(scope="module")
def worker(new_peer: Callable[..., Peer]) -> Iterator[Peer]:
    """One worker for all tests of a file that leave it as it was."""
    peer = new_peer()
    yield peer.greet()
    peer.close()


@pytest.fixture
def start(new_peer: Callable[..., Peer]) -> Iterator[Start]:
    """Start workers that the test may ruin."""
    peers: list[Peer] = []

    def start_one(*, greet: bool = True, **options: Any) -> Peer:
        peer = new_peer(**options)
        peers.append(peer)
        return peer.greet() if greet else peer

    yield start_one
    for peer in peers:
        peer.close()


@pytest.fixture
def same_minor(new_peer: Callable[..., Peer], request: pytest.FixtureRequest) -> bool:
    """Whether host and worker run the same minor version."""
    return bool(request.node.callspec.params["new_peer"] == host_minor())
