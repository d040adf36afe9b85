"""The loop: owns the socket and the cores of all pools of this host process.

::

    user threads --post()--> inbox --+
                                     +--> one pass --> commands of the cores, executed
    workers -- bell, socket ---------+
    clock -------- deadlines --------+

One pass: what was posted, then what arrived, then what is due, and last the endings of tasks: the
threads that these wake find the interpreter free. Messages come before deadlines, so that a result
which is already here beats the news of its sender's death (exits are posted with a short delay).
Nothing in a pass blocks, unpickles, starts a process or calls code of the user.

**A pass is for whoever holds the role**, a lock. Waking a thread costs more than most passes, so
the loop thread does only what nobody else does:

-   Who posts runs a pass himself if the role is free. If it is not, its holder will see what was
    posted: he looks at the inbox once more after he has given the role back.
-   Who goes on posting while all workers are busy only queues, and runs a pass every `CROWD` times.
    While one of them is only at short tasks he does the same, but the loop thread looks after him.
-   Who waits for the end of the only task under way sleeps on the socket himself, and runs the
    passes that its messages need: he *leads*. The loop thread sees that and *stands by*:
    it sleeps beside the socket for a moment (`PAUSE`), or until the leader leaves unfinished things
    behind. Nothing relies on the leader: he may be interrupted at any moment, or go away.

Whoever sleeps does so without the role, on the descriptors of the socket, of the bell and of a
wake-up pair. ZeroMQ signals a descriptor when there is news, and only once (`ZMQ_FD`); to use the
socket takes that. Hence a pass that has used it ends by asking until it has nothing more, or by
telling the loop thread to go on. A bell stays readable until it is answered.

A pass must not be torn by what a signal handler raises in it: see `wetlands.runtime.shield`.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from wetlands.latch import Latch
from wetlands.runtime.bell import new_mark
from wetlands.runtime.clock import Clock
from wetlands.runtime.shield import Shield
from wetlands.runtime.sleeper import Sleeper
from wetlands.runtime.transport import Transport

logger = logging.getLogger(__name__)

#: What one source may take of a pass, before the others get their turn.
SHARE = 256
#: The same for what is run at the end of a pass: each ends several tasks, or all of a batch.
ENDINGS = 32
#: What a thread may queue before it runs a pass. The loop thread would have to wait for the
#: interpreter, 5 ms each time that it has let go of it for a call of the system.
CROWD = 256
#: How long who leads, or queues, waits for his turn before he looks what else there is to do, in
#: seconds.
PATIENCE = 0.001
#: How long the loop thread leaves the socket to those who lead, in seconds: longer than these wait
#: for the interpreter beside a thread that computes.
PAUSE = 0.02


def _at_once(call: Callable[[], None]) -> None:
    call()


class LoopClient(Protocol):
    """A pool, seen from the loop. All of it is called by the holder of the role."""

    def receive(self, identity: bytes, frames: list[bytes]) -> None:
        """Handle a message from one of the pool's identities."""

    def answer(self, mark: bytes) -> None:
        """Handle that one of the pool's workers has rung (`wetlands.runtime.bell`)."""

    def answer_all(self) -> None:
        """Handle that any of them may have."""

    def next_deadline(self) -> float | None:
        """Return when `advance` should be called at the latest."""

    def advance(self) -> None:
        """Handle that time has passed."""

    def settle(self) -> None:
        """Handle what was posted so far: what was submitted may wait for others like it."""

    def unended(self) -> int:
        """Return how many tasks are under way."""

    def expects(self) -> bool:
        """Say whether something is about to come that is worth looking for; for any thread."""

    def look(self) -> None:
        """Do so, for a moment."""

    def break_down(self, error: BaseException) -> None:
        """Fail all tasks and kill all workers: handling something raised."""


class Posted(Protocol):
    """What is to be done in a pass, on behalf of a client, who breaks down should it raise."""

    @property
    def client(self) -> LoopClient | None: ...

    def __call__(self) -> None: ...


class Post:
    """A call that is."""

    __slots__ = ("_call", "client")

    def __init__(self, client: LoopClient | None, call: Callable[[], None]) -> None:
        self.client = client
        self._call = call

    def __call__(self) -> None:
        self._call()


class Loop:
    """Runs pools. What comes before `add` is for any thread, the rest for who holds the role."""

    def __init__(
        self, transport: Transport, report: Callable[[Callable[[], None]], None] = _at_once
    ) -> None:
        self.transport = transport
        self._report = report  #: runs what logs, whose handlers are code of the user, elsewhere
        self.shield = Shield()
        self.clock = Clock()
        self._role = threading.Lock()
        self._inbox: deque[Posted] = deque()
        self._crowded = CROWD  #: with how much in there who queues runs a pass
        self._clients: list[LoopClient] = []
        self._identities: dict[bytes, LoopClient] = {}
        self._marks: dict[bytes, LoopClient] = {}  #: never looked up by what comes from the socket
        self._timers: list[tuple[float, int, LoopClient, Callable[[], None]]] = []
        self._endings: dict[LoopClient, deque[Callable[[], None]]] = {}
        self._order = itertools.count()
        self._runner: int | None = None  #: the thread that runs a pass
        self._unfinished = False  #: the last pass left something to do
        self._due = math.inf  #: the next deadline of all
        self._seat = threading.Lock()  #: held by who leads
        self._seated: int | None = None  #: who that is
        self._leading = False  #: he has got as far as leading
        self._led = False  #: somebody leads, or did a moment ago
        self._standing_by = False  #: the loop thread sleeps beside the socket
        self._stopping = False
        self._stopped = False  #: the socket is not to be used any more
        self._bell = transport.bell
        news_from = (transport.descriptor, self._bell.descriptor)
        self._sleeper = Sleeper(*news_from)  #: where the loop thread sleeps
        self._leader = Sleeper(*news_from)
        self._thread = threading.Thread(target=self._run, name="wetlands-loop", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def in_pass(self) -> bool:
        """Whether the caller runs in the middle of a pass, as a finalizer may."""
        return self._runner == threading.get_ident()

    def post(self, client: LoopClient | None, call: Callable[[], None]) -> None:
        """Run ``call``, in the order of posting: here and now, or soon on another thread."""
        self._inbox.append(Post(client, call))
        self.run_queued()

    def hand_over(self, client: LoopClient | None, call: Callable[[], None]) -> None:
        """Run ``call``, in the order of posting, on another thread: a finalizer may be under any
        lock, also one that a pass would wait for.
        """
        self._inbox.append(Post(client, call))
        self._sleeper.wake()

    def queue(self, posted: Posted) -> None:
        """Run what is posted, in the order of posting, when there is a reason for a pass."""
        self._inbox.append(posted)
        if len(self._inbox) > SHARE:
            self._sleeper.wake()

    def relieve(self, *, soon: bool) -> None:
        """Run what is queued if it has become much, for a thread that goes on queueing.

        Args:
            soon: Whether another thread must run it soon, in case that nothing else happens.
        """
        waiting = len(self._inbox)
        if waiting >= self._crowded:
            self._crowded = waiting + CROWD
            self._led = True  # the loop thread had better stay away: it would wait for this one
            # Or it is in the middle of a pass, and can't go on: who computes keeps the interpreter
            # for milliseconds (`sys.getswitchinterval`), while workers have nothing to do.
            self.run_queued(PATIENCE)
        elif soon:
            self._sleeper.wake()

    def run_queued(self, patience: float = 0.0) -> None:
        """Run what was posted and queued: here and now, or soon on another thread.

        Args:
            patience: Seconds to wait at most for a pass that another thread runs right now.
        """
        if not self.shield.can_be_had():
            self._sleeper.wake()
            return
        self.shield.up()
        try:
            if self._role.acquire(timeout=patience):
                self._pass_and_give_back()
        finally:
            self.shield.down()

    def wait(self, latch: Latch, timeout: float | None) -> bool:
        """Wait until the latch is set, ``timeout`` seconds at most; say whether it is.

        The caller leads meanwhile, if that saves a change of threads.

        Raises:
            RuntimeError: The caller is a finalizer in the middle of a pass, which would never end.
        """
        if latch.is_set():
            return True
        if self.in_pass():
            raise RuntimeError("a finalizer can't wait for a task in the middle of a pool's work")
        end = math.inf if timeout is None else time.monotonic() + timeout
        if self._unended() <= 1:
            self._try_to_lead(latch, end)
            if latch.is_set():
                return True
        self.attend()
        return latch.wait(None if timeout is None else end - time.monotonic())

    def is_wanted(self) -> bool:
        """Whether somebody has something to do that a pass is needed for."""
        return bool(self._inbox)

    def backlog(self, client: LoopClient) -> int:
        """Return how much is to be run for a client when passes are over."""
        return len(self._endings.get(client, ()))

    def attend(self) -> None:
        """Have the loop thread watch the socket at once: somebody waits who does not lead."""
        self._led = False
        if self._standing_by:
            self._sleeper.wake()

    def stop(self, timeout: float) -> None:
        """End the thread when its inbox is empty; wait ``timeout`` seconds for it."""

        def stop() -> None:
            self._stopping = True

        self.post(None, stop)
        self._sleeper.wake()
        self._thread.join(timeout)
        # For good: no pass will find the socket closed, and nobody sleeps on it. The role itself
        # is given back, as a leader who has not noticed yet that all is over may wait for it.
        taken = self._role.acquire(timeout=timeout)
        self._stopped = True
        if taken:
            self._role.release()
        self._sleeper.close()
        if self._seat.acquire(timeout=1.0):
            self._leader.close()

    # -- for the holder of the role ---------------------------------------------------------------

    def add(self, client: LoopClient) -> None:
        """Have the client's deadlines watched."""
        self._clients.append(client)

    def remove(self, client: LoopClient) -> None:
        """Forget the client and all its identities."""
        if client in self._clients:
            self._clients.remove(client)
        for identity in [i for i, owner in self._identities.items() if owner is client]:
            del self._identities[identity]
        for mark in [mark for mark, owner in self._marks.items() if owner is client]:
            del self._marks[mark]

    def connect(self, client: LoopClient, *identities: bytes) -> None:
        """Give the client what arrives from these identities."""
        for identity in identities:
            self._identities[identity] = client

    def disconnect(self, *identities: bytes) -> None:
        """Drop what still arrives from these identities."""
        for identity in identities:
            self._identities.pop(identity, None)

    def make_mark(self, client: LoopClient) -> bytes:
        """Return a new mark for one of the client's workers to ring with."""
        mark = new_mark()
        while mark in self._marks:
            mark = new_mark()
        self._marks[mark] = client
        return mark

    def forget_mark(self, mark: bytes) -> None:
        """Have nobody ring with it any more."""
        self._marks.pop(mark, None)

    def at_end_of_pass(self, client: LoopClient, call: Callable[[], None]) -> None:
        """Run ``call`` when this pass is over, in order for one client: for what wakes threads."""
        self._endings.setdefault(client, deque()).append(call)

    def call_later(self, client: LoopClient, delay: float, call: Callable[[], None]) -> None:
        """Run ``call`` after ``delay`` seconds."""
        due = time.monotonic() + delay
        heapq.heappush(self._timers, (due, next(self._order), client, call))

    # -- who runs passes --------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopped and (not self._stopping or self._inbox or self._endings):
            news = self._sleep()
            with self._role:
                self._pass(news)

    def _sleep(self) -> Sequence[int]:
        with self._sleeper as sleeper:
            while True:
                self._standing_by, self._led = self._led, False
                # Asked after lying down: who stops the loop later finds somebody to wake.
                if self._inbox or self._unfinished or self._stopping:
                    return ()
                if not self._standing_by:
                    return sleeper.sleep(self._due)
                # Without a pass in between: who leads would have to wait for its end.
                sleeper.sleep(self._due, aside=PAUSE)
                if self._due <= time.monotonic():
                    return ()

    def _pass_and_give_back(self, news: Sequence[int] = ()) -> None:
        try:
            self._pass(news)
        except BaseException:  # no memory, say
            self._unfinished = True
            raise
        finally:
            self._role.release()
            # The loop thread goes on with what is left: a caller has better things to do.
            if self._inbox or self._unfinished or self._due < self._sleeper.until:
                self._sleeper.wake()

    def _try_to_lead(self, latch: Latch, end: float) -> None:
        # An interruption may cost the seat; then it is still there for the thread that lost it.
        # Not so if that thread leads: this is a signal handler or a finalizer, which waits as well.
        if not self._seat.acquire(blocking=False) and (
            self._leading or self._seated != threading.get_ident()
        ):
            return
        self._seated = threading.get_ident()
        try:
            self._leading = True
            latch.add(self._leader)
            self._lead(latch, end)
        finally:
            self._leading = False
            latch.discard(self._leader)
            self._seated = None  # first: the next one has the seat before he says who he is
            self._seat.release()
            if self._unended():
                self.attend()

    def _lead(self, latch: Latch, end: float) -> None:
        """Sleep, run a pass, and so on."""
        while not (latch.is_set() or self._stopped) and time.monotonic() < end:
            # Asked before sleeping, when there is time; it holds for as long as we are here.
            if not self.shield.can_be_had():
                return
            expectant = self._expectant()
            news: Sequence[int] = ()
            if expectant is None:
                with self._leader as sleeper:
                    if not (latch.is_set() or self._unfinished or self._inbox):
                        news = sleeper.sleep(end)
            self.shield.up()
            try:
                self._led = True
                # Not for long: the lock is not fair, and whoever runs pass after pass may have
                # brought about the end meanwhile.
                if not self._role.acquire(timeout=PATIENCE):
                    continue
                if expectant is not None:
                    self._inbox.append(Post(expectant, expectant.look))
                self._pass_and_give_back(news)
            finally:
                self.shield.down()

    def _expectant(self) -> LoopClient | None:
        for client in self._clients:
            if client.expects():
                return client
        return None

    def _unended(self) -> int:
        unended = 0
        for client in self._clients:
            unended += client.unended()
        return unended

    # -- a pass -----------------------------------------------------------------------------------

    def _pass(self, news: Sequence[int] = ()) -> None:
        """Run a pass.

        Args:
            news: The descriptors of which it is known that there are news.
        """
        if self._stopped:
            return
        self._runner = threading.get_ident()
        try:
            if self._due != math.inf:
                self.clock.note(self._due)
            if self._inbox:
                self._run_inbox()
            # Who has but one task to wait for looks for its end, or sleeps until there are news.
            heard = bool(news or self._unfinished or self._unended() > 1)
            if heard:
                self._hear(news)
            self._due = self._next_deadline()
            if self._due != math.inf and self._due <= time.monotonic():
                if not heard:
                    self._hear(news)
                self._run_due()
            if self._endings:
                self._run_endings()
            if self._endings or not self.transport.asked:
                self._unfinished = self.transport.readable() or bool(self._endings)
        finally:
            self._runner = None

    def _run_due(self) -> None:
        self._run_timers()
        self._advance()
        self._due = self._next_deadline()

    def _next_deadline(self) -> float:
        due = self._timers[0][0] if self._timers else math.inf
        for client in self._clients:
            at = client.next_deadline()
            if at is not None and at < due:
                due = at
        return due

    def _run_inbox(self) -> None:
        # A share of it: who submits thousands must not keep idle workers waiting.
        waiting = len(self._inbox)
        self._crowded = max(0, waiting - SHARE) + CROWD
        for _ in range(min(SHARE, waiting)):
            posted = self._inbox.popleft()
            try:
                posted()
            except Exception as error:
                self._report_failure(posted.client, error)
        for client in list(self._clients):
            try:
                client.settle()
            except Exception as error:
                self._break(client, error)

    def _hear(self, news: Sequence[int]) -> None:
        self._answer_the_bell(known=self._bell.descriptor in news)
        self._unfinished = self._receive(self.transport.descriptor in news)

    def _answer_the_bell(self, *, known: bool) -> None:
        """Have workers heard that have rung.

        Args:
            known: Whether somebody has.
        """
        if not (known or self._bell.has_rung()):
            return
        marks = self._bell.answer()
        if marks is None or not marks <= self._marks.keys():
            # Nonsense, or one who has died meanwhile: whoever else has rung may be lost in that.
            calls = [(client, client.answer_all) for client in self._clients]
        else:
            owners = [(self._marks[mark], mark) for mark in marks]
            calls = [(client, partial(client.answer, mark)) for client, mark in owners]
        for client, call in calls:
            try:
                call()
            except Exception as error:
                self._break(client, error)

    def _receive(self, news: bool) -> bool:
        """Handle messages, of which there is one most likely if there is ``news``; say whether
        there may be more.
        """
        transport = self.transport
        for _ in range(SHARE):
            message = transport.receive() if news or transport.readable() else None
            if message is None:
                return False
            news = False
            client = self._identities.get(message[0])
            if client is None:
                continue  # of a worker that is gone
            try:
                client.receive(*message)
            except Exception as error:
                self._break(client, error)
        return True

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            _, _, client, call = heapq.heappop(self._timers)
            try:
                call()
            except Exception as error:
                self._break(client, error)

    def _advance(self) -> None:
        now = time.monotonic()
        for client in list(self._clients):
            due = client.next_deadline()
            if due is not None and due <= now:
                try:
                    client.advance()
                except Exception as error:
                    self._break(client, error)

    def _run_endings(self) -> None:
        # A share of each pool's: the end of a very long queue must not keep others waiting.
        for client, queue in list(self._endings.items()):
            for _ in range(min(ENDINGS, len(queue))):
                try:
                    queue.popleft()()
                except Exception as error:
                    self._report_failure(None, error)
            if not queue:
                del self._endings[client]

    def _report_failure(self, client: LoopClient | None, error: Exception) -> None:
        """A bug in handling one pool must not end the thread that serves all of them."""
        if client is None:
            self._log("A request to the loop failed", error)
        else:
            self._break(client, error)

    def _break(self, client: LoopClient, error: Exception) -> None:
        self._log("A pool broke down, which is a bug in wetlands", error)
        try:
            client.break_down(error)
        except Exception as another:
            self._log("The pool could not even be ended", another)

    def _log(self, text: str, error: Exception) -> None:
        self._report(lambda: logger.critical(text, exc_info=error))
