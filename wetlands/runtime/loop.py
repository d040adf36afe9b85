"""The loop thread: owns the socket and the cores of all pools of this host process.

::

    user threads --post()--> inbox --+
                                     +--> one pass --> commands of the cores, executed
    workers ------ socket -----------+
    clock -------- deadlines --------+

One pass: what was posted, then what arrived, then what is due, and last the endings of tasks: the
threads that these wake find the interpreter free, because the loop then goes to sleep. Messages
come before deadlines, so that a result which is already here beats the news of its sender's death
(exits are posted with a short delay). Nothing in a pass blocks, unpickles, starts a process or
calls code of the user.

`post` appends to a deque and, if the loop sleeps, writes to a socket: safe in any thread and in
signal handlers, and KeyboardInterrupt in the caller can't tear a transition apart, which is why
callers don't run the cores themselves.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import zmq

from wetlands.runtime.transport import Transport

logger = logging.getLogger(__name__)

#: Messages that are handled before the other sources get their turn.
BATCH = 256


class LoopClient(Protocol):
    """A pool, seen from the loop. All of it is called on the loop thread."""

    def receive(self, identity: bytes, frames: list[bytes]) -> None:
        """Handle a message from one of the pool's identities."""

    def next_deadline(self) -> float | None:
        """Return when `advance` should be called at the latest."""

    def advance(self) -> None:
        """Handle that time has passed."""

    def break_down(self, error: BaseException) -> None:
        """Fail all tasks and kill all workers: handling something raised."""


class Loop:
    """Runs pools. `post` is for any thread, the rest for the loop thread."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._inbox: deque[tuple[LoopClient | None, Callable[[], None]]] = deque()
        self._clients: list[LoopClient] = []
        self._identities: dict[bytes, LoopClient] = {}
        self._timers: list[tuple[float, int, LoopClient, Callable[[], None]]] = []
        self._endings: deque[Callable[[], None]] = deque()
        self._order = itertools.count()
        self._asleep = False
        self._stopping = False
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._poller = zmq.Poller()
        self._poller.register(transport.socket, zmq.POLLIN)
        self._poller.register(self._wake_read, zmq.POLLIN)
        self._thread = threading.Thread(target=self._run, name="wetlands-loop", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_current(self) -> bool:
        """Whether the caller runs on the loop thread."""
        return threading.current_thread() is self._thread

    def post(self, client: LoopClient | None, call: Callable[[], None]) -> None:
        """Run ``call`` on the loop thread, in the order of posting."""
        self._inbox.append((client, call))
        if self._asleep:
            # The flag is the loop's alone: were it lowered here, an exception of a signal handler
            # between the two lines would leave the loop asleep for good.
            with contextlib.suppress(BlockingIOError):  # plenty of wake-ups are under way
                self._wake_write.send(b"\0")

    def stop(self, timeout: float) -> None:
        """End the thread when its inbox is empty; wait ``timeout`` seconds for it."""

        def stop() -> None:
            self._stopping = True

        self.post(None, stop)
        self._thread.join(timeout)
        self._wake_read.close()
        self._wake_write.close()

    # -- on the loop thread -----------------------------------------------------------------------

    def add(self, client: LoopClient) -> None:
        """Have the client's deadlines watched."""
        self._clients.append(client)

    def remove(self, client: LoopClient) -> None:
        """Forget the client and all its identities."""
        if client in self._clients:
            self._clients.remove(client)
        for identity in [i for i, owner in self._identities.items() if owner is client]:
            del self._identities[identity]

    def connect(self, client: LoopClient, *identities: bytes) -> None:
        """Give the client what arrives from these identities."""
        for identity in identities:
            self._identities[identity] = client

    def disconnect(self, *identities: bytes) -> None:
        """Drop what still arrives from these identities."""
        for identity in identities:
            self._identities.pop(identity, None)

    def at_end_of_pass(self, call: Callable[[], None]) -> None:
        """Run ``call`` when this pass is over: for what wakes other threads."""
        self._endings.append(call)

    def call_later(self, client: LoopClient, delay: float, call: Callable[[], None]) -> None:
        """Run ``call`` after ``delay`` seconds."""
        due = time.monotonic() + delay
        heapq.heappush(self._timers, (due, next(self._order), client, call))

    def _run(self) -> None:
        while not self._stopping or self._inbox or self._endings:
            readable = self._sleep()
            self._run_inbox()
            if readable:
                self._receive()
            self._run_timers()
            self._advance()
            self._run_endings()

    def _sleep(self) -> bool:
        """Wait for something to do; say whether the socket is it."""
        # The flag goes up before the inbox is looked at: who posts later sees it and wakes us.
        self._asleep = True
        timeout = 0 if self._inbox or self._endings else self._timeout()
        ready = dict(self._poller.poll(timeout))
        self._asleep = False
        if self._wake_read.fileno() in ready:
            self._wake_read.recv(4096)
        return self.transport.socket in ready

    def _timeout(self) -> int | None:
        """Return how long to sleep at most, in milliseconds; None: for ever."""
        deadlines = [client.next_deadline() for client in self._clients]
        due = min((at for at in deadlines if at is not None), default=math.inf)
        if self._timers:
            due = min(due, self._timers[0][0])
        if due == math.inf:
            return None
        return max(0, math.ceil((due - time.monotonic()) * 1000))

    def _run_inbox(self) -> None:
        # What is posted meanwhile waits for the next pass: nobody can keep the loop here.
        for _ in range(len(self._inbox)):
            client, call = self._inbox.popleft()
            self._guard(client, call)

    def _receive(self) -> None:
        for identity, frames in self.transport.drain(BATCH):
            client = self._identities.get(identity)
            if client is None:
                continue  # of a worker that is gone
            try:
                client.receive(identity, frames)
            except Exception as error:
                self._break(client, error)

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            _, _, client, call = heapq.heappop(self._timers)
            self._guard(client, call)

    def _advance(self) -> None:
        now = time.monotonic()
        for client in list(self._clients):
            due = client.next_deadline()
            if due is not None and due <= now:
                self._guard(client, client.advance)

    def _run_endings(self) -> None:
        # A share of them: the end of a very long queue must not keep other pools waiting.
        for _ in range(min(BATCH, len(self._endings))):
            self._guard(None, self._endings.popleft())

    def _guard(self, client: LoopClient | None, call: Callable[[], None]) -> None:
        """A bug in handling one pool must not end the thread that serves all of them."""
        try:
            call()
        except Exception as error:
            if client is None:
                with contextlib.suppress(Exception):  # a log handler that raises
                    logger.exception("A request to the loop failed")
            else:
                self._break(client, error)

    def _break(self, client: LoopClient, error: Exception) -> None:
        with contextlib.suppress(Exception):  # a log handler that raises
            logger.critical("A pool broke down, which is a bug in wetlands", exc_info=error)
        try:
            client.break_down(error)
        except Exception:
            logger.exception("The pool could not even be ended")
