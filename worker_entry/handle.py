"""What running code gets as its `task` argument."""

from __future__ import annotations

import operator
import os
import threading
from typing import Any, Callable, Union

from worker_entry import protocol
from worker_entry.codec import Codec
from worker_entry.failure import clean

#: Characters of a progress message or log record that are sent.
MAX_TEXT = 64 * 1024

#: Of `logging`, where it is the same number.
INFO = 20

Number = Union[int, float]


class RemoteTaskHandle:
    """Progress, outputs, log records and cooperative cancellation of the task that is running.

    A function that has a parameter named ``task`` receives one. Every method may be called from
    any thread that the function started; once the function has returned, calls do nothing, so a
    thread that outlives its task can't speak in the name of the next one.
    """

    _open = True
    _cancel_requested = False
    # Made by the first who waits: most tasks never do.
    _cancel_event: threading.Event | None = None
    _acknowledged = False

    def __init__(
        self,
        task: int,
        attempt: int,
        send: Callable[[protocol.Message], None],
        codec: Codec,
        pid: int,
    ) -> None:
        self._task = task
        self._attempt = attempt
        self._send = send
        self._codec = codec
        self._pid = pid  #: of the process that may use the socket
        # Keeps threads off the socket at the same time. Reentrant, because a signal handler or a
        # finalizer may report something while this thread is doing so.
        self._lock = threading.RLock()

    @property
    def cancel_requested(self) -> bool:
        """Whether the host asked for the task to stop."""
        return self._cancel_requested

    def wait_for_cancel(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` seconds for a request to stop; say whether there is one."""
        with self._lock:
            self._cancel_event = self._cancel_event or threading.Event()
        if self._cancel_requested:  # it may have been, just before there was an event to set
            self._cancel_event.set()
        return self._cancel_event.wait(timeout)

    def cancel(self) -> None:
        """Acknowledge the cancellation: when the function ends, the task is CANCELED.

        Whatever the function returns or raises afterwards is dropped. A function may cancel
        itself without having been asked.
        """
        if self._open:
            self._acknowledged = True

    def update(
        self,
        message: str | None = None,
        current: Number | None = None,
        maximum: Number | None = None,
    ) -> None:
        """Report progress; what is left out keeps its last value.

        Args:
            message: A short text for people.
            current: How far the work is, in the unit of ``maximum``.
            maximum: How much work there is.

        Raises:
            TypeError: ``current`` or ``maximum`` is no real number.
        """
        text = None if message is None else clean(str(message), MAX_TEXT)
        update = protocol.Update(
            self._task,
            self._attempt,
            text,
            _number("current", current),
            _number("maximum", maximum),
        )
        self._say(update)

    def set_output(self, key: str, value: Any) -> None:
        """Publish a named intermediate value: ``task.outputs[key]`` in the host.

        Raises:
            CodecError: The value can't be sent.
            LocalProtocolError: The key is far too long.
        """
        frames = tuple(self._codec.dumps(value, f"outputs[{key!r}]"))
        self._say(protocol.Output(self._task, self._attempt, str(key), frames))

    def log(self, message: str, level: int | str = INFO) -> None:
        """Send a record to the host's logging.

        Args:
            message: The text.
            level: A level of `logging`, as a number or by name.

        Raises:
            ValueError: There is no level of that name.
        """
        if isinstance(level, str):
            import logging  # a worker starts faster without it

            number = logging.getLevelName(level.upper())
            if not isinstance(number, int):
                raise ValueError(f"unknown log level {level!r}")
            level = number
        text = clean(str(message), MAX_TEXT)
        self._say(protocol.Log(self._task, self._attempt, int(level), text))

    # -- for the worker ---------------------------------------------------------------------------

    def _request_cancel(self) -> None:
        self._cancel_requested = True
        if self._cancel_event is not None:
            self._cancel_event.set()

    def _close(self) -> None:
        with self._lock:
            self._open = False

    def _say(self, message: protocol.Message) -> None:
        # A forked child (a data loader, say) has a copy of the socket, but must not use it; and of
        # the lock, which some other thread may have held at that moment for ever.
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._open:
                self._send(message)


def _number(name: str, value: Any) -> Number | None:
    """Return ints and floats of any library as those of Python, which can be sent."""
    if value is None or type(value) is float:
        return value
    try:
        # Not every version of index() returns a plain int: bool is an int, and not sent as one.
        number = int(operator.index(value))
        return number if abs(number) < 2**63 else float(number)
    except (TypeError, OverflowError):
        pass
    try:
        if isinstance(value, (str, bytes, bytearray)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a number, not a {type(value).__name__}") from None
