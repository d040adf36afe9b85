"""Credentials never reach a message."""

from __future__ import annotations

import pytest

from wetlands.environments.masking import mask, mask_command


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
