"""What lets a thread of the user run the loop's work: nothing may break it off half-way.

Two things can raise between any two bytecodes of the main thread, and hence in the middle of a
transition that would then be torn for good:

-   Signal handlers written in Python, the one behind Ctrl-C above all. Masking the signal does
    not help: the handler runs in the main thread whichever thread the kernel chose. So while the
    shield is up, the handler of SIGINT is exchanged for one that takes a note, and the real one is
    called when the shield comes down. Any other handler in Python may raise just as well (an alarm
    as a time limit does), and exchanging them all is not ours to do: with such a handler
    installed, the shield can't be had, and the loop thread does the work.
-   The end of the stack, should the caller be deep in a recursion.

Other threads run no signal handlers; for them only the second point counts.

The functions of the C module are used directly: those of `signal` convert to enums and take ten
times as long, which would be more than the thread switch that all this saves.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import signal
import sys
import threading
from types import FrameType
from typing import Any

#: Frames that must be free; the longest path through a transition takes a third of them.
ROOM = 150

_SIGINT = int(signal.SIGINT)
_NUMBERS = [_SIGINT, *sorted(int(number) for number in signal.valid_signals() - {signal.SIGINT})]


class Shield:
    """Keeps a stretch of code whole in whichever thread runs it.

    `up` and `down` enclose the stretch.
    """

    def __init__(self) -> None:
        self._main = threading.main_thread().ident
        self._up = False
        self._calm: list[Any] = []  #: handlers that were found harmless
        self._handler: Any = None
        self._late = False
        self._note = self._take_note  # each access to a method makes another object

    def can_be_had(self) -> bool:
        """Whether this thread may begin a stretch: nothing that it can't hold off would break it.

        False, too, in the middle of one: a finalizer may run at any moment.
        """
        if not _has_room():
            return False
        if threading.get_ident() != self._main:
            return True
        if self._up:
            return False
        handlers = list(map(_signal.getsignal, _NUMBERS))
        return handlers == self._calm or self._judge(handlers)

    def up(self) -> None:
        """Begin the stretch, after `can_be_had` and before any other code of the user has run."""
        if threading.get_ident() != self._main:
            return
        if callable(self._calm[0]):
            # Nothing raises from here on. Should it just before: nothing has happened yet. What is
            # put back is what was there: a handler that ran since may have made way for another.
            self._handler = _signal.signal(_SIGINT, self._note)
        self._late = False
        self._up = True

    def down(self) -> None:
        """End the stretch, if there is one, and let the handler run if its signal has come.

        Raises:
            KeyboardInterrupt: Or whatever the handler raises.
        """
        if not self._up or threading.get_ident() != self._main:
            return
        self._up = False
        handler, self._handler = self._handler, None
        if handler is not None:
            if _signal.getsignal(_SIGINT) is self._note:  # or a finalizer has set another one
                _signal.signal(_SIGINT, handler)
            if self._late:
                self._late = False
                if callable(handler):
                    handler(_SIGINT, sys._getframe(1))
                else:
                    signal.raise_signal(_SIGINT)

    def forget(self) -> None:
        """Give back the handler, in a forked child: its copy of the stretch never ends."""
        if self._handler is not None:
            _signal.signal(_SIGINT, self._handler)

    def _judge(self, handlers: list[Any]) -> bool:
        if any(map(callable, handlers[1:])):
            return False
        self._calm = handlers
        return True

    def _take_note(self, number: int, frame: FrameType | None) -> None:
        self._late = True


def _has_room() -> bool:
    try:
        # Walks down the stack in C, and fails where that is shorter.
        sys._getframe(sys.getrecursionlimit() - ROOM)
    except ValueError:
        return True
    return False
