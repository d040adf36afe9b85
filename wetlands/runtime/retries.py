"""What a host does about runs that failed and are not the last one of their task."""

from __future__ import annotations

import logging
from collections.abc import Callable

from wetlands.core.commands import JudgeFailure, RetryTask
from wetlands.retry import RetryPolicy
from wetlands.runtime.delivery import Delivery
from wetlands.runtime.ending import Endings
from wetlands.runtime.texts import harmless
from wetlands.task import Task

logger = logging.getLogger("wetlands.task")


class Retries:
    """Keeps failed attempts, and asks users about them. For the holder of the loop's role."""

    def __init__(self, delivery: Delivery, endings: Endings) -> None:
        self._delivery = delivery
        self._endings = endings

    def note(self, command: RetryTask, task: Task[object], limit: float) -> None:
        """Have the task remember the run that failed, and wait."""
        error = self._endings.error(command, task.id, limit)
        task._fail_attempt(error)
        extra = {"environment": error.environment, "worker": error.worker, "task": error.task_id}
        text = "Task %s failed and runs again in %.3g s: %s"
        args = (error.task_id, command.pause, harmless(error.exception))
        # Handlers are code of the user, which has no place in a pass.
        self._delivery.call(lambda: logger.info(text, *args, extra=extra))

    def ask(
        self,
        command: JudgeFailure,
        task: Task[object],
        limit: float,
        policy: RetryPolicy,
        answer: Callable[[bool], None],
    ) -> None:
        """Ask the user, on the delivery thread, whether the task is worth another try."""
        error = self._endings.error(command, task.id, limit)
        self._delivery.call(lambda: answer(policy.approves(error)))
