"""What is told while an environment is made ready: events, log records and a progress bar.

Three readers want the same story at three levels of detail: a program (the ``on_progress``
callback gets a `ProvisioningEvent` for everything), an operator (the logger
``wetlands.environments``: one INFO record a stage, DEBUG for each line of a tool) and a person in
front of a terminal (one bar that moves from stage to stage). None of them may hurt the build: what
a callback raises is logged, once an event.
"""

from __future__ import annotations

import enum
import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

from wetlands.environments.cancellation import Cancellation

logger = logging.getLogger("wetlands.environments")


class Stage(str, enum.Enum):
    """Where a creation is; members are in the order in which they happen."""

    WAITING = "waiting"
    INTERPRETER = "interpreter"
    LOCKING = "locking"
    CREATING = "creating"
    INSTALLING = "installing"
    READY = "ready"

    def __str__(self) -> str:
        return self.value


STAGES = tuple(Stage)


class ProvisioningEvent(NamedTuple):
    """One step on the way to a usable environment.

    Attributes:
        name: The environment's name.
        stage: Where its creation is.
        message: One line for a person.
        current: How many stages are behind; equal to ``maximum`` in the last event.
        maximum: How many stages there are.
        package: The package that is being fetched, None if it is about no single one.
        done: How many bytes of it are here; None if that is not known.
        total: How many bytes it has; likewise.
    """

    name: str
    stage: Stage
    message: str
    current: int
    maximum: int
    package: str | None = None
    done: int | None = None
    total: int | None = None


ProgressCallback = Callable[[ProvisioningEvent], object]


class Reporter:
    """Tells the story of one environment; belongs to the thread that builds it.

    Args:
        name: The environment's name.
        on_progress: Called with every event, in the building thread.
        bar: Whether a progress bar may be drawn; it is only when stderr is a terminal.
        cancellation: What ends the creation early.
    """

    def __init__(
        self,
        name: str,
        on_progress: ProgressCallback | None = None,
        *,
        bar: bool = False,
        cancellation: Cancellation | None = None,
    ) -> None:
        self.name = name
        self.cancellation = cancellation or Cancellation()
        self._on_progress = on_progress
        self._wants_bar = bar
        self._bar: Any = None
        self._stage = Stage.WAITING

    def stage(self, stage: Stage, message: str) -> None:
        """Enter a stage.

        Raises:
            CreationCanceledError: The creation was canceled.
        """
        if stage is not Stage.READY:  # too late: it is there
            self.cancellation.check()
        self._stage = stage
        self._tell(logging.INFO, message)

    def ready(self, message: str) -> None:
        """Enter the last stage."""
        self.stage(Stage.READY, message)

    def line(self, message: str) -> None:
        """Pass on one line of output of the tool that is running in this stage."""
        if message.strip():
            self._tell(logging.DEBUG, message.rstrip())

    def bytes(self, package: str, done: int, total: int | None) -> None:
        """Tell how much of a package is here; not logged, because there is so much of it."""
        size = f" of {total / 1e6:.1f}" if total else ""
        self._show(f"{package}: {done / 1e6:.1f}{size} MB", package, done, total)

    def _tell(self, level: int, message: str) -> None:
        extra = {"environment": self.name, "stage": self._stage.value}
        logger.log(level, "environment %r: %s", self.name, message, extra=extra)
        self._show(message)

    def _show(
        self,
        message: str,
        package: str | None = None,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        place = STAGES.index(self._stage)
        event = ProvisioningEvent(
            self.name, self._stage, message, place, len(STAGES) - 1, package, done, total
        )
        self._call(event)
        self._draw(event)

    def _call(self, event: ProvisioningEvent) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(event)
        except Exception:
            logger.exception("on_progress raised for environment %r; it goes on", self.name)

    def _draw(self, event: ProvisioningEvent) -> None:
        # A reused environment is READY at once: a bar that only flashes is noise.
        if self._bar is None and (event.stage is Stage.READY or not self._may_draw()):
            return
        if self._bar is None:
            self._bar = _make_bar(self.name, event.maximum)
        self._bar.n = event.current
        # Of one width, and last on the line: the bar does not jump with every message.
        self._bar.set_postfix_str(f"{event.message.strip()[:44]:44}")

    def _may_draw(self) -> bool:
        return self._wants_bar and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _make_bar(name: str, maximum: int) -> Any:
    from tqdm import tqdm

    class _Bar(tqdm):  # type: ignore[type-arg]
        # Neither tqdm's monitor, a thread that outlives the bar, nor its lock among processes,
        # which on some systems starts one to look after it: a library leaves nothing behind.
        monitor_interval = 0
        _lock = threading.RLock()

    return _Bar(
        total=maximum,
        desc=name,
        leave=False,
        file=sys.stderr,
        bar_format="{desc}: |{bar:20}| {n_fmt}/{total_fmt} [{elapsed}]{postfix}",
    )
