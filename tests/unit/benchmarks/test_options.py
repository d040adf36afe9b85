"""What the command line asks for."""

from __future__ import annotations

import pytest

from benchmarks import cli
from benchmarks.part import Options
from benchmarks.peers.adapters import PEERS, STDLIB
from benchmarks.pools import _fitting


@pytest.mark.parametrize(
    ("arguments", "peers"),
    [
        ([], PEERS),
        (["--smoke"], STDLIB),
        (["--peers"], ()),
        (["--smoke", "--peers", "LOKY", "ray"], ("loky", "Ray")),
    ],
)
def test_peers_are_all_or_the_named_ones(arguments: list[str], peers: tuple[str, ...]):
    assert cli._peers(cli._parser().parse_args(arguments)) == peers


def test_a_peer_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["--peers", "celery"])
    assert "'celery' is none of ProcessPoolExecutor, " in capsys.readouterr().err


def test_rounds_are_one_in_a_smoke_run_or_what_is_asked_for():
    assert Options(smoke=True, rounds=7).choose(5) == 1
    assert Options(rounds=7).choose(5) == 7
    assert Options().choose(5) == 5


def test_slow_pools_get_fewer_tasks():
    assert _fitting(20_000, rate=1e6) == 20_000
    assert _fitting(20_000, rate=100) == 200
    assert _fitting(20_000, rate=0.1) == 1
