"""Keeping workers busy until we say so (POSIX: it takes named pipes)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any


class Gate:
    """Closed while the block lasts, or until `open`: what runs `work.hold` waits behind it.

    A pipe for each worker, and not a file that is looked for: who waits is let go at once.
    """

    def __init__(self, workers: int = 2) -> None:
        self._workers = workers
        self._open = False

    def __enter__(self) -> Gate:
        self._folder = tempfile.TemporaryDirectory()
        self._paths = [Path(self._folder.name, str(number)) for number in range(self._workers)]
        for path in self._paths:
            os.mkfifo(path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.open()
        self._folder.cleanup()

    def hold(self, submit: Callable[[str], Any]) -> list[Any]:
        """Submit calls of `work.hold` for all workers; return what ``submit`` gave."""
        return [submit(str(path)) for path in self._paths]

    def open(self) -> None:
        """Let everybody go on; waits for those who have not come to the gate yet."""
        if not self._open:
            self._open = True
            for path in self._paths:
                path.open("wb").close()
