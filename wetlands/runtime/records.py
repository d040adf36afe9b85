"""Log records of one pool: of itself, of what its tasks log, and of what its workers print.

All of them are made on the delivery thread: handlers are code of the user.
"""

from __future__ import annotations

import logging
from typing import Any

from wetlands.runtime.delivery import Delivery
from wetlands.runtime.link import WorkerLink
from wetlands.runtime.output import Emit
from wetlands.runtime.texts import harmless
from wetlands.task import Task
from wetlands.task_state import TaskName
from worker_entry import protocol

logger = logging.getLogger("wetlands.pool")
task_logger = logging.getLogger("wetlands.task")
worker_logger = logging.getLogger("wetlands.worker")


class Records:
    """Makes records with the environment, the worker and the task in ``extra``."""

    def __init__(self, environment: str, delivery: Delivery) -> None:
        self._environment = environment
        self._delivery = delivery

    def log(self, level: int, slot: int | None, text: str, *args: object) -> None:
        """Log something of the pool."""
        extra = self._extra(slot, None)
        safe = [harmless(arg) if isinstance(arg, str) else arg for arg in args]
        self._delivery.call(lambda: logger.log(level, text, *safe, extra=extra))

    def log_worn(self, worker: WorkerLink, reason: str) -> None:
        """Log that a worker wants to be replaced."""
        if not worker.worn:
            worker.worn = True
            text = "Worker %d of environment %r is replaced when it is idle: %s"
            slot = worker.id.slot
            self.log(logging.WARNING, slot, text, slot, self._environment, reason)

    def log_task(self, worker: WorkerLink, task: Task[Any], message: protocol.Log) -> None:
        """Log what a task said with its handle, at a bounded rate."""
        if not task_logger.isEnabledFor(message.level) or not worker.records.admit():
            return
        text, extra = harmless(message.text), self._extra(worker.id.slot, task.id)
        left_out = worker.records.take_left_out()
        if left_out:
            text = f"{text} (after {left_out} records that were left out)"
        self._delivery.call(lambda: task_logger.log(message.level, "%s", text, extra=extra))

    def emitter(self, slot: int) -> Emit:
        """Return what logs the lines that a worker prints."""

        def emit(level: int, line: str, stream: str, task: TaskName | None) -> None:
            extra = {**self._extra(slot, str(task) if task else None), "stream": stream}
            text = harmless(line)
            self._delivery.call(lambda: worker_logger.log(level, "%s", text, extra=extra))

        return emit

    def _extra(self, slot: int | None, task_id: str | None) -> dict[str, Any]:
        return {"environment": self._environment, "worker": slot, "task": task_id}
