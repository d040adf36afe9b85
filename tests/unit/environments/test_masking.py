"""Credentials never reach a message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wetlands.environments import tools
from wetlands.environments.masking import mask, mask_command
from wetlands.errors import EnvironmentBuildError


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:secret@host/simple", "https://****@host/simple"),
        ("https://token@host", "https://****@host"),
        (
            "see https://u:p@ss:w@host/x and http://a:b@c",
            "see https://****@host/x and http://****@c",
        ),
        ("git+ssh://git@host/repo", "git+ssh://git@host/repo"),
        ("https://host/mail@example", "https://host/mail@example"),
        ("numpy @ https://u:p@h/n.whl", "numpy @ https://****@h/n.whl"),
    ],
)
def test_the_user_part_of_an_address_is_hidden(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask_command(["x", text]) == ("x", masked)


def test_a_failed_command_shows_neither_its_secrets_nor_those_it_printed(tmp_path: Path) -> None:
    url = "https://user:secret@host/"
    program = "import sys; print(sys.argv[1], file=sys.stderr); sys.exit(2)"
    with pytest.raises(EnvironmentBuildError) as caught:
        tools.run(
            [sys.executable, "-c", program, url],
            env={},
            cwd=tmp_path,
            on_line=lambda line: None,
            purpose="x",
        )
    assert "secret" not in f"{caught.value} {caught.value.command} {caught.value.log_tail}"
    assert caught.value.returncode == 2
    assert caught.value.log_tail == "https://****@host/"
