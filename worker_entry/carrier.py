"""How the large buffers of a value travel beside its pickle (PEP 574).

Pickle protocol 5 leaves buffers out of band when asked to. What becomes of them is a carrier's
business: `Codec` gives it those that are worth the trouble and sends the frames that it returns;
on the other side, a carrier of the same kind makes buffers of them again, in order, writeable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Sequence

if TYPE_CHECKING:
    from typing import Protocol

    class Carrier(Protocol):
        """Takes buffers to the other side. Safe to use from any thread.

        Attributes:
            threshold: Smaller buffers, in bytes, stay in the pickle; at least 1.
            find: Returns something else than None for a buffer, as bytes, that must not stay in
                the pickle whatever its size; None if there are none of that kind.
        """

        threshold: int
        find: Callable[[Any], Any] | None

        def pack(self, buffers: Sequence[Any]) -> list[Any]:
            """Return frames, none of them empty, for `pickle.PickleBuffer` objects.

            They hold the bytes of this moment: what happens to the buffers afterwards is not seen.
            """

        def hand_back(self, buffers: Sequence[Any]) -> list[Any]:
            """Do the same for a result: what came with the arguments may go back as it is, and
            `settle` has to follow.
            """

        def settle(self, frames: Sequence[Any]) -> Sequence[Any]:
            """Return the frames of a result that is gone here, with a copy of what is not."""

        def unpack(self, frames: Sequence[Any]) -> list[Any]:
            """Return what holds the bytes of the buffers, in order."""

        def begin(self) -> None:
            """Take note that another call begins, with arguments of its own."""


class InlineCarrier:
    """Sends each buffer as a frame of its own: works everywhere, and copies on either side."""

    #: Below it, a copy into the pickle is cheaper than the handling of one more frame.
    threshold = 64 * 1024
    find: Callable[[Any], Any] | None = None

    def pack(self, buffers: Sequence[Any]) -> list[Any]:
        """See `Carrier`."""
        return [bytes(buffer.raw()) for buffer in buffers]

    hand_back = pack

    def settle(self, frames: Sequence[Any]) -> Sequence[Any]:
        """See `Carrier`."""
        return frames

    def begin(self) -> None:
        """See `Carrier`."""

    def unpack(self, frames: Sequence[Any]) -> list[Any]:
        """See `Carrier`."""
        # What was received can't be written to, and the receiver of an array expects that he may.
        return [bytearray(frame) for frame in frames]
