"""Removes an environment for good, unless somebody uses it or builds it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from wetlands.environments.claims import building, unused
from wetlands.environments.disk import explained, remove_tree
from wetlands.environments.layout import Layout


def remove(layout: Layout, still_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Remove an environment with its lock and its log.

    Args:
        layout: The environment.
        still_wanted: Asked once nobody else can use it any more; if false, it stays.

    Returns:
        Whether it was removed.

    Raises:
        EnvironmentInUseError: It is in use, or being built, by any process.
        ProvisioningError: Something in it can't be removed.
    """
    with building(layout, None) as lock, unused(layout) as use:
        if not still_wanted():
            return False
        with explained("remove", layout.folder):
            layout.marker.unlink(missing_ok=True)
            for path in layout.folder.iterdir():
                if path not in (layout.build_lock, layout.use_lock):
                    remove_tree(path)
        use.remove()
        lock.remove()
    with contextlib.suppress(OSError):
        layout.folder.rmdir()  # unless somebody has begun to build it again
    return True
