"""Values to payload frames and back, on either side of the border.

A value is a list of frames: its pickle, and what a carrier made of the large buffers that were left
out of it.

Pickle, at the protocol of the lower side; what pickles badly between versions has a form of its own
(`worker_entry.portable`). Where host and worker run the same minor version of
Python, what plain pickle can't name (functions and classes of a script, closures, lambdas) goes
by value through the host's cloudpickle. A foreign minor version never gets a code object: loading
one crashes the interpreter or, worse, works by luck.

Unpickling runs code that the sender chose. Host and environment trust each other here as a program
trusts the packages it imports; no frame is unpickled before its sender has proved its token.
"""

from __future__ import annotations

import math
import sys
from pickle import dumps as _pickle
from pickle import loads as _unpickle
from types import FunctionType
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Sequence

from worker_entry.carrier import InlineCarrier
from worker_entry.pickling import NotDataError, Pickling, find, loads, loads_moved, names_moved

if TYPE_CHECKING:
    from worker_entry.carrier import Carrier

# By name, not through the module: a task may replace its functions in the process we share.

#: Types that mean the same to any pickler: cloudpickle, ten times slower, has nothing to add.
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))


_ELSEWHERE = "put its module there, or pass plain data"
_LIBRARY = "install that library there, or pass plain data"
#: For what is not in a module that the other side could import.
_BY_SOURCE = (
    "to another minor version of Python only the submitted function goes as source, with what it "
    "uses: submit functools.partial(function, ...) with this in it, or put this into a module"
)


class CodecError(Exception):
    """A value can't be turned into bytes, or bytes not into a value."""


class Codec:
    """What the two sides of one border can understand. Safe to use from any thread."""

    def __init__(
        self,
        protocol: int,
        by_value: bool,
        carrier: Carrier | None = None,
        data_only: bool = False,
    ) -> None:
        self.protocol = protocol
        self.by_value = by_value  #: may code objects cross? Only within one minor version.
        self.carrier: Carrier = carrier or InlineCarrier()
        self.data_only = data_only  #: nothing else is rebuilt
        self._pickling = Pickling(protocol, by_value)
        #: Where values are rebuilt, for messages.
        self.place = f"this process (Python {sys.version_info[0]}.{sys.version_info[1]})"
        #: Rebuilds values; of what is not trusted, nothing but data.
        self._loads, self._find, self._is_harmless = loads, find, _trust
        if data_only:
            from worker_entry.portable import allowed, data

            self._loads, self._find, self._is_harmless = data.loads, allowed.find, data.is_harmless

    def dumps(self, value: Any, name: str = "value", *, back: bool = False) -> list[Any]:
        """Return the value as frames.

        Args:
            value: The value.
            name: What it is called in messages.
            back: Whether it is the result of a call, so that what came with the arguments of that
                may go back as it is; then `settle` has to follow.

        Raises:
            CodecError: It can't be pickled; the text says why, and which part of ``name`` it is.
        """
        if type(value) in _PLAIN:
            return [_pickle(value, self.protocol)]
        try:
            pickle, buffers = self._pickling.dumps(value, self.carrier.threshold, self.carrier.find)
            if not buffers:
                return [pickle]
            pack = self.carrier.hand_back if back else self.carrier.pack
            return [pickle, *pack(buffers)]
        except Exception as error:  # __reduce__ and __getstate__ of a user may raise anything
            raise CodecError(self._blame(value, name, error) or _say(error)) from error

    def settle(self, frames: Sequence[Any]) -> Sequence[Any]:
        """Return the frames of the result of a call, when nobody here needs it any more."""
        return frames if len(frames) < 2 else [frames[0], *self.carrier.settle(frames[1:])]

    def dumps_whole(self, value: Any) -> bytes:
        """Return the value as one frame, whatever its size.

        Raises:
            CodecError: It can't be pickled; the text says why.
        """
        try:
            return self._pickling.dumps(value, math.inf)[0]
        except Exception as error:
            raise CodecError(_say(error)) from error

    def loads(self, frames: Sequence[Any], name: str | tuple[str, ...] = "value") -> Any:
        """Return the value that the frames are.

        Args:
            frames: What `dumps` returned.
            name: What the value is called in messages, or each item of a tuple.

        Raises:
            CodecError: A type or module is missing here, and the text says where in the value; or
                its own code raised.
        """
        buffers: Sequence[Any] = ()
        try:
            if len(frames) > 1:
                buffers = self.carrier.unpack(frames[1:])
            return self._loads(frames[0], buffers)
        except (Exception, SystemExit) as error:
            text = self._missing(frames[0], name, error) or self._failed(
                frames[0], name, error, buffers
            )
            raise CodecError(text or _say(error)) from error

    def loads_each(self, pickles: Iterable[Any], name: str = "value") -> Iterator[Any]:
        """Give the values of pickles that have nothing beside them; otherwise as `loads`."""
        rebuild, pickle = self._loads, b""
        quick = _unpickle if rebuild is loads else None  # as `loads`, a call less for each of many
        try:
            for pickle in pickles:
                if quick is None:
                    yield rebuild(pickle, ())
                    continue
                try:
                    value = quick(pickle)
                except (ImportError, AttributeError):
                    if not names_moved(pickle):
                        raise
                    value = loads_moved(pickle, ())
                yield value
        except (Exception, SystemExit) as error:
            raise CodecError(self._missing(pickle, name, error) or _say(error)) from error

    def dumps_plain(self, args: tuple[Any, ...]) -> bytes | None:
        """Return the arguments of a call, all positional, as a frame; None if it takes more.

        Most calls of short functions have only such arguments, and no more to do for them.
        """
        if _PLAIN.issuperset(map(type, args)):
            return _pickle((args, {}), self.protocol)
        return None

    def dumps_call(self, args: Sequence[Any], kwargs: Any) -> list[Any]:
        """Return the arguments of a call as frames.

        Raises:
            CodecError: One of them can't be pickled; the text names it.
        """
        kwargs = kwargs or {}
        try:
            return self.dumps((tuple(args), dict(kwargs)))
        except CodecError as error:
            raise CodecError(self._blame_argument(args, kwargs, error)) from error.__cause__

    def _blame_argument(self, args: Sequence[Any], kwargs: Any, error: CodecError) -> str:
        named = [(f"args[{i}]", value) for i, value in enumerate(args)]
        named += [(f"kwargs[{key!r}]", value) for key, value in dict(kwargs).items()]
        for name, value in named:
            reason = self._failure_of(value)
            if reason is not None:
                told = self._blame(value, name, reason)
                return told or self._unpicklable(name, value, reason)
        return f"the arguments can't be pickled together: {error}"

    def _blame(self, value: Any, name: str, error: BaseException) -> str | None:
        """Say which part of a value can't be pickled; None if it is the value as a whole."""
        if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
            return _blame_depth(value, name)
        from worker_entry.culprit import find_unpicklable

        fails = lambda part: self._failure_of(part) is not None  # noqa: E731
        path, part = find_unpicklable(value, name, fails)
        reason = self._failure_of(part)
        if part is value or reason is None:
            return None
        return self._unpicklable(path, part, reason)

    def _unpicklable(self, path: str, part: Any, reason: BaseException) -> str:
        text = f"{path} of type {type_name(part)} can't be pickled: {_say(reason)}"
        foreign = isinstance(part, (FunctionType, type)) and not self.by_value
        return f"{text}: {_BY_SOURCE}" if foreign else text

    def _failure_of(self, value: Any) -> Exception | None:
        try:
            self._pickling.dumps(value, 1)
        except Exception as error:
            return error
        return None

    def _missing(
        self, pickle: Any, roots: str | tuple[str, ...], error: BaseException
    ) -> str | None:
        """Say what part of a value needs a name that is not here, or may not be used."""
        if not isinstance(error, (ImportError, AttributeError, NotDataError)):
            return None
        from worker_entry.ghosts import find_missing

        try:
            found = self._is_harmless(pickle) and find_missing(pickle, roots, self._find)
        except Exception:  # it does not even make a tree
            return None
        if not found:
            return None
        path, name, reason = found
        if isinstance(reason, NotDataError):
            return f"{path}: {reason}"
        if name.startswith("worker_entry."):
            return f"{path}: {_say(reason)}, in {self.place}: {_LIBRARY}"
        advice = _BY_SOURCE if name.startswith("__main__.") else _ELSEWHERE
        return f"{path}: {name} can't be imported in {self.place} ({_say(reason)}): {advice}"

    def _failed(
        self,
        pickle: Any,
        roots: str | tuple[str, ...],
        error: BaseException,
        buffers: Sequence[Any],
    ) -> str | None:
        """Say what part of a value could not be made here of what is portable in it."""
        if self.data_only:  # what was refused is not tried again
            return None
        from worker_entry.ghosts import find_failing

        try:
            path = find_failing(pickle, roots, error, buffers)
        except Exception:
            return None
        return f"{path}: {_say(error)}" if path else None


def carried(frames: Sequence[Any]) -> int:
    """Return how many bytes a value has, those included that do not lie in its frames."""
    return sum(len(frame) + getattr(frame, "carried", 0) for frame in frames)


def type_name(value: Any) -> str:
    """Return the full name of the value's type, without ``builtins.``."""
    cls = type(value)
    if cls.__module__ == "builtins":
        return str(cls.__qualname__)
    return f"{cls.__module__}.{cls.__qualname__}"


def _blame_depth(value: Any, name: str) -> str:
    from worker_entry.ring import find_ring

    found = find_ring(value, name)
    if found is None:
        return f"{name} is nested too deep: pass its parts in a flat list"
    path, kind = found
    return (
        f"{path} is the {kind} that it lies in, which can't be pickled: only lists, dicts and "
        "attributes may refer to what they are in"
    )


def _trust(pickle: Any) -> bool:
    return True


def _say(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # a __str__ that raises
        return type(error).__name__
