"""The fixtures of the integration tests."""

from __future__ import annotations

from tests.integration.conftest import gate, launch, manager

__all__ = ["gate", "launch", "manager"]
