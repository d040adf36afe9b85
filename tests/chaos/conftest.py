"""The fixtures of the integration tests."""

from __future__ import annotations

from tests.integration.conftest import gate, launch, manager, no_pauses

__all__ = ["gate", "launch", "manager", "no_pauses"]
