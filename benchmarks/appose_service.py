"""Appose (from the package index) and its shared arrays, if it is installed beside us."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

#: The array that arrived goes back as it is: nothing is copied on that side.
_ECHO = "task.outputs['back'] = data"
#: Another array, the same one every time, goes back in a new shared one.
_EXCHANGE = """
from appose import NDArray
if "other" not in globals():
    other = data.ndarray().copy()
    task.export(other=other)
back = NDArray(data.dtype, data.shape)
back.ndarray()[:] = other
task.outputs['back'] = back
"""


class Appose:
    """A service that echoes arrays, or returns others for them."""

    def __enter__(self) -> Appose:
        import appose

        self._array = appose.NDArray
        self._service: Any = appose.system(sys.prefix).python()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._service.close()

    def echo(self, array: Any) -> None:
        """Send an array in a shared one and look at the shared one that comes back."""
        with self._array(str(array.dtype), list(array.shape)) as shared:
            shared.ndarray()[:] = array
            task = self._service.task(_ECHO, {"data": shared})
            task.wait_for()
            back = task.outputs["back"]
            assert back.ndarray()[-1] == array[-1]

    def exchange(self, array: Any) -> None:
        """Send an array in a shared one and look at another shared one that comes back."""
        with self._array(str(array.dtype), list(array.shape)) as shared:
            shared.ndarray()[:] = array
            task = self._service.task(_EXCHANGE, {"data": shared})
            task.wait_for()
            with task.outputs["back"] as back:
                back.shm.unlink_on_dispose(True)
                assert back.ndarray()[-1] == array[-1]


def available() -> bool:
    """Whether it is installed."""
    try:
        import appose  # noqa: F401
    except ImportError:
        return False
    return True
