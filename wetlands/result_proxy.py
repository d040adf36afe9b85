"""A result that stays in the worker: what `Environment.submit(..., result="proxy")` gives.

For values that the host lacks the types of, or that are too large to travel: a model that was
loaded, a volume on a GPU. The host has a handle; given to another task of the same environment, it
becomes the value again, in the worker that keeps it. The worker keeps it for as long as the host
has the handle.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wetlands.errors import ConfigurationError, SerializationError
from worker_entry import kept

if TYPE_CHECKING:
    from wetlands.core.events import WorkerId


def keeps_result(option: str) -> bool:
    """Return what the option ``result`` means.

    Raises:
        ConfigurationError: It is neither "value" nor "proxy".
    """
    if option not in ("value", "proxy"):
        raise ConfigurationError(f"result must be 'value' or 'proxy', not {option!r}")
    return option == "proxy"


class Keeper(Protocol):
    """A pool, seen from the values that its workers keep."""

    @property
    def environment(self) -> str:
        """The name of the environment."""

    def keeps(self, worker: WorkerId) -> bool:
        """Whether the worker is still there."""

    def fetch(self, proxy: ResultProxy) -> Any:
        """Return the value."""

    def release(self, worker: WorkerId, number: int) -> None:
        """Have the value forgotten; never waits, not even for a lock."""


class ResultProxy:
    """A value in a worker. Safe to use from any thread.

    Pass it, or a container with it, as an argument to a task of the same environment, which then
    runs in the worker that has the value and gets the value itself: not a copy. Dropping the last
    reference to the proxy, or `release()`, drops the value. A worker that dies takes it along, and
    tasks that need it then fail.

    Attributes:
        type_name: The full name of the value's type.
    """

    __slots__ = ("__weakref__", "_keeper", "_number", "_released", "_worker", "type_name")

    #: Whether there has been one in this process.
    any_made = False

    def __init__(self, keeper: Keeper, worker: WorkerId, number: int, type_name: str) -> None:
        ResultProxy.any_made = True
        self._keeper = keeper
        self._worker = worker
        self._number = number
        self._released = False
        self.type_name = type_name

    def __repr__(self) -> str:
        state = "" if self.alive else ", gone"
        where = f"worker {self._worker.slot} of environment {self._keeper.environment!r}"
        return f"<ResultProxy of a {self.type_name} in {where}{state}>"

    @property
    def alive(self) -> bool:
        """Whether the value is still there: not released, and its worker has not ended."""
        return not self._released and self._keeper.keeps(self._worker)

    def fetch(self) -> Any:
        """Return the value itself, as a task that returns it would.

        Raises:
            ExecutionException: It is gone, can't be sent, or can't be rebuilt in the host.
        """
        return self._keeper.fetch(self)

    def release(self) -> None:
        """Drop the value now. Tasks that were submitted with it and have not begun fail."""
        if not self._released:
            self._released = True
            self._keeper.release(self._worker, self._number)

    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # At the end of the interpreter the modules that this needs are gone, as are the workers.
        if not getattr(self, "_released", True) and not finalizing():
            self.release()

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        passing = _local.passing()
        if passing is None:
            raise TypeError(
                "a ResultProxy can't be pickled or copied: pass it as an argument to a task of "
                f"environment {self._keeper.environment!r}, or fetch() the value"
            )
        passing.proxies.append(self)
        return kept.find, (self._number,)


class Passing:
    """Within such a block, this thread may pickle proxies; gives those that it did."""

    __slots__ = ("__weakref__", "_outer", "proxies")

    def __enter__(self) -> list[ResultProxy]:
        self.proxies: list[ResultProxy] = []
        self._outer = _local.passing
        # Weakly: an interruption on the way into or out of the block must not leave it open.
        _local.passing = weakref.ref(self)
        return self.proxies

    def __exit__(self, *error: object) -> None:
        _local.passing = self._outer


class _Local(threading.local):
    passing: Callable[[], Passing | None] = staticmethod(lambda: None)


_local = _Local()


def home_of(proxies: Sequence[ResultProxy], keeper: Keeper) -> WorkerId | None:
    """Return the worker that has the values of all proxies; None if there are none.

    Raises:
        SerializationError: There is no such worker; the text says why.
    """
    home: ResultProxy | None = None
    for proxy in proxies:
        if proxy._keeper is not keeper:
            place = f"the workers of environment {keeper.environment!r}"
            raise SerializationError(f"{proxy!r} is no value in {place}")
        if not proxy.alive:
            raise SerializationError(f"{proxy!r} was released, or lost with its worker")
        if home is not None and home._worker != proxy._worker:
            raise SerializationError(
                f"{home!r} and {proxy!r} are in different workers: make one of them in a task that "
                "gets the other, fetch() one, or launch with max_workers=1"
            )
        home = proxy
    return None if home is None else home._worker
