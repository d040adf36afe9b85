"""When an environment was last used: the time of change of its lock file.

Setting it costs some microseconds, and nothing has to be read, written, imported or waited for.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from wetlands.environments.layout import Layout

if TYPE_CHECKING:
    from datetime import timedelta


def note_use(layout: Layout) -> None:
    """Note that an environment is used now; on a disk that can't be written to, nothing is."""
    with contextlib.suppress(OSError):
        os.utime(layout.use_lock)


def unused_for(layout: Layout) -> timedelta:
    """Return how long ago it was last used; not at all if it is not there."""
    from datetime import datetime, timedelta, timezone

    for path in (layout.use_lock, layout.folder):
        with contextlib.suppress(OSError):
            used = datetime.fromtimestamp(os.stat(path).st_mtime, timezone.utc)
            return datetime.now(timezone.utc) - used
    return timedelta(0)
