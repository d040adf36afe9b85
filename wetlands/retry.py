"""What to do when a task fails: try again, how often, and after which pauses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wetlands.core.policy import RetryPlan
from wetlands.errors import ConfigurationError, ExecutionException
from wetlands.options import seconds

logger = logging.getLogger("wetlands.task")

#: The largest factor by which pauses may grow.
MAX_BACKOFF = 1000.0


@dataclass(frozen=True)
class RetryPolicy:
    """How often a task that failed is run again, and when.

    Errors and losses are counted apart: an exception may go away by itself, whereas a function that
    has killed its worker most likely kills the next one. After three workers it gets no other one
    in any case, and fails with `PoisonTaskError`. What is tried again must bear running twice.

    Attributes:
        on_error: Further runs after runs that raised, or ran out of their ``timeout``.
        on_lost: Further runs after runs whose worker died, or fell silent and was killed.
        delay: Seconds from the first failure to the second run. Waiting occupies no worker.
        backoff: What the pause is multiplied with after each further failure; 1 to 1000.
        max_delay: The longest pause, in seconds.
        jitter: The part of a pause, from 0 to 1, that chance adds or takes away, so that tasks
            which failed together don't come back together.
        retry_if: Called with the `ExecutionException` of every failure that would be tried again;
            if it returns something false, or raises, the task fails at once. It runs on the thread
            of listeners.

    Raises:
        ConfigurationError: A number can't be right.
    """

    on_error: int = 0
    on_lost: int = 0
    delay: float = 0.1
    backoff: float = 2.0
    max_delay: float = 60.0
    jitter: float = 0.1
    retry_if: Callable[[ExecutionException], Any] | None = None

    def __post_init__(self) -> None:
        _whole("on_error", self.on_error)
        _whole("on_lost", self.on_lost)
        for name in ("delay", "max_delay"):
            if seconds(name, getattr(self, name)) == float("inf"):
                raise ConfigurationError(f"{name} must be a number of seconds that ends")
        _between("backoff", self.backoff, 1.0, MAX_BACKOFF)
        _between("jitter", self.jitter, 0.0, 1.0)
        if self.retry_if is not None and not callable(self.retry_if):
            raise ConfigurationError("retry_if must be a function of the failure, or None")

    @property
    def plan(self) -> RetryPlan:
        """The same for the core, which calls nobody."""
        return RetryPlan(
            self.on_error,
            self.on_lost,
            float(self.delay),
            float(self.backoff),
            float(self.max_delay),
            float(self.jitter),
            self.retry_if is not None,
        )

    def approves(self, error: ExecutionException) -> bool:
        """Ask the user whether a task is worth another try; runs code of the user."""
        assert self.retry_if is not None
        try:
            return bool(self.retry_if(error))
        except BaseException:
            logger.exception("retry_if raised; task %s is not tried again", error.task_id)
            return False


def policy(retries: int | RetryPolicy) -> RetryPolicy | None:
    """Return what the option ``retries`` means; None for a task that runs once.

    Raises:
        ConfigurationError: It is neither a number nor a policy.
    """
    if not isinstance(retries, RetryPolicy):
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ConfigurationError(
                f"retries must be a whole number from 0 on or a RetryPolicy, not {retries!r}"
            )
        retries = RetryPolicy(on_error=retries, on_lost=retries)
    return retries if retries.on_error or retries.on_lost else None


def _whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name} must be a whole number from 0 on, not {value!r}")


def _between(name: str, value: Any, low: float, high: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise ConfigurationError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
