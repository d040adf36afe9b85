"""A process of its own that creates an environment, or holds one; driven by the tests beside it.

Each progress event is a line on standard output, so that a test can act at exactly that point.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from wetlands.environments.progress import ProvisioningEvent
from wetlands.environments.recipe import parse_recipe
from wetlands.environments.registry import Registry


def tell(event: ProvisioningEvent) -> None:
    """Print an event."""
    print(f"{event.stage} {event.message}", flush=True)


def main(action: str, root: str, name: str, dependencies: str) -> None:
    """Create, replace or hold an environment; it is held until standard input ends."""
    registry = Registry(Path(root))
    recipe = parse_recipe(json.loads(dependencies))
    registry.ensure(name, recipe, replace_existing=action == "replace", on_progress=tell)
    if action == "hold":
        lease = registry.lease(name)
        assert lease is not None
        print("held", flush=True)
        sys.stdin.read()
        lease.close()


if __name__ == "__main__":
    # Tests that run in the background of a shell inherit that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if tool := os.environ.get("INSTEAD_OF_UV"):
        import uv

        uv.find_uv_bin = lambda: tool
    main(*sys.argv[1:])
