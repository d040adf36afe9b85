"""`lock` by ``LockFileEx``: ``msvcrt.locking`` can't share, and gives up waiting after ten seconds.

The kernel frees the lock with the handle, however the process ends; a child does not inherit it.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt
    import time
    from ctypes import wintypes

    _FAIL_IMMEDIATELY = 0x1
    _EXCLUSIVE = 0x2
    _ERROR_LOCK_VIOLATION = 33
    _POLL = 0.05

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("Internal", ctypes.c_void_p),
            ("InternalHigh", ctypes.c_void_p),
            ("Offset", wintypes.DWORD),
            ("OffsetHigh", wintypes.DWORD),
            ("hEvent", wintypes.HANDLE),
        )

    def lock(descriptor: int, shared: bool, block: bool) -> bool:
        """Lock an open file; False when it would have to wait and may not."""
        # A blocking LockFileEx can't be interrupted by Ctrl-C, so waiting is done here.
        while not _try_lock(descriptor, shared):
            if not block:
                return False
            time.sleep(_POLL)
        return True

    def _try_lock(descriptor: int, shared: bool) -> bool:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        flags = _FAIL_IMMEDIATELY | (0 if shared else _EXCLUSIVE)
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(descriptor))
        if kernel.LockFileEx(handle, flags, 0, 1, 0, ctypes.byref(_Overlapped())):
            return True
        error = ctypes.get_last_error()
        if error != _ERROR_LOCK_VIOLATION:
            raise ctypes.WinError(error)
        return False

    def unlock(descriptor: int) -> None:
        """Give the lock up: closing the descriptor does it here, there are no heirs."""
