"""`lock` by ``flock``: whole files, shared or exclusive, held by whoever has it open."""

from __future__ import annotations

import sys

if sys.platform != "win32":
    import fcntl

    def lock(descriptor: int, shared: bool, block: bool) -> bool:
        """Lock an open file; False when it would have to wait and may not."""
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, operation if block else operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give the lock up for everybody who has this descriptor."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
