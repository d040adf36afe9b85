"""From items of `map()` to tasks: what goes in a chunk, and what alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from wetlands.map_task import MapTask
from wetlands.pace import CHUNK_SECONDS, Pace
from wetlands.result_proxy import ResultProxy
from wetlands.target import Target, encode_item
from worker_entry.codec import carried
from worker_entry.journal import join_items

if TYPE_CHECKING:
    from wetlands.retry import RetryPolicy
    from wetlands.runtime.pool import Pool

#: An item, and all items of a chunk, have no more bytes than this.
ITEM_BYTES = 16 * 1024
CHUNK_BYTES = 64 * 1024
#: What a light item has, about.
_LIGHT_BYTES = 32
#: Types of small items of which it does not matter when they are pickled, nor with what; texts
#: only if they are short.
NUMBERS = frozenset((type(None), bool, int, float, complex))
TEXTS = frozenset((str, bytes))
SHORT = 100


def is_light(item: Any) -> bool:
    """Whether an item goes as it is."""
    kind = type(item)
    return kind in NUMBERS or (kind in TEXTS and len(item) <= SHORT)


class Parcel(NamedTuple):
    """An item that was pickled, as the only argument of a call."""

    frames: Sequence[Any]
    proxies: Sequence[ResultProxy]
    size: int


class MapSender:
    """Sends items to the workers of one pool; safe to use from any thread.

    Args:
        pool: The pool.
        target: The function.
        retry: As for `Pool.submit`.
        pace: How long the function takes; None if no two items may share a task.
    """

    def __init__(
        self, pool: Pool, target: Target, retry: RetryPolicy | None, pace: Pace | None
    ) -> None:
        self._pool = pool
        self._target = target
        self._each = target.for_each() if pace is not None else target
        self._retry = retry
        self._pace = pace
        self.rebuild = pool.rebuild  #: gives the values of a task's pickles; see `Endings`

    def fitting(self, most: int) -> int:
        """Return how many items make a task, ``most`` at most."""
        return 1 if self._pace is None else self._pace.fitting(most)

    def is_learning(self) -> bool:
        """Whether nobody knows yet how many items would make a task."""
        return self._pace is not None and not self._pace.is_known()

    def learn(self, items: int, seconds: float, *, large: bool = False) -> None:
        """Take note that items took so long, and whether the last had too large a result."""
        if self._pace is not None:
            self._pace.note(items, seconds + large * CHUNK_SECONDS)

    def prepare(self, item: Any) -> Any:
        """Return what `send` takes for an item: itself, or a `Parcel`.

        Raises:
            SerializationError: It can't be pickled.
        """
        return item if is_light(item) else self._parcel(item)

    def send(
        self, first: int, items: Sequence[Any], most: int, hear: Callable[[MapTask], None]
    ) -> Iterator[MapTask]:
        """Submit items, ``first`` being the number of the first one; give the tasks.

        Args:
            first: That number.
            items: What `prepare` made of them.
            most: How many go in one task at most.
            hear: What the tasks call when there is news; see `MapTask`.

        Raises:
            As `Pool.submit`.
        """
        begin = 0
        while begin < len(items):
            end = self._end_of_task(items, begin, self.fitting(most))
            yield self._submit(first + begin, items[begin:end], hear)
            begin = end

    def _end_of_task(self, items: Sequence[Any], begin: int, most: int) -> int:
        end = min(begin + most, len(items))
        if Parcel not in set(map(type, items[begin:end])):
            return end
        if goes_alone(items[begin]):
            return begin + 1
        room = CHUNK_BYTES
        for place in range(begin, end):
            room -= size_of(items[place])
            if place > begin and (room < 0 or goes_alone(items[place])):
                return place
        return end

    def _submit(self, first: int, items: Sequence[Any], hear: Any) -> MapTask:
        single = self._pace is None or goes_alone(items[0])
        proxies: Sequence[ResultProxy] = ()
        if single:
            frames, proxies, size = self._parcel(items[0])
            payload = (*self._target.frames, *frames)
        else:
            frame = join_items(len(items), list(self._pickles(items)))
            payload, size = (*self._each.frames, frame), len(frame)
        task = self._pool.submit(
            payload,
            math.inf,
            self._target.label,
            start=True,
            proxies=proxies,
            retry=self._retry,
            make=partial(MapTask, first=first, items=items, size=size, chunk=not single, hear=hear),
            ahead=single,  # a chunk is no short task, whatever its function is
        )
        assert isinstance(task, MapTask)
        return task

    def _parcel(self, item: Any) -> Parcel:
        if type(item) is Parcel:
            return item
        frames, proxies = encode_item(self._pool.codec, item, self._target.label)
        return Parcel(frames, proxies, carried(frames))

    def _pickles(self, items: Sequence[Any]) -> Iterator[bytes]:
        """Give the pickles of a chunk: one for all light items that follow each other."""
        for heavy, group in itertools.groupby(items, _is_parcel):
            if heavy:
                yield from (item.frames[0] for item in group)
            else:
                together = self._pool.codec.dumps_plain(tuple(group))
                assert together is not None
                yield together


def _is_parcel(item: Any) -> bool:
    return type(item) is Parcel


def size_of(item: Any) -> int:
    """Return about how many bytes an item has that `MapSender.prepare` made."""
    return item.size if type(item) is Parcel else _LIGHT_BYTES


def goes_alone(item: Any) -> bool:
    """Whether it can't share a task with others."""
    if type(item) is not Parcel:
        return False
    return len(item.frames) > 1 or item.size > ITEM_BYTES or bool(item.proxies)
