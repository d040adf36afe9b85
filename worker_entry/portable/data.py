"""Values of a worker that is not trusted: only data is rebuilt, and no code of its choice runs.

Three walls. `opcodes` lets no pickle through that does more than put containers, constants and
calls together. Names are looked up in the closed list of `allowed`, as they are written, dots and
all; nothing is imported for the sake of a name. And what is on the list takes hostile arguments:
sizes are compared with the bytes that are there before memory is reserved, indexes are checked, no
file is opened, no text is evaluated, no parser of a file format is involved.

Memory has two walls more. Nothing is assigned to but containers: a list whose slice is set to
itself doubles with every opcode, and two thin tables that are added make a large one. And since a
few bytes can name a large part once more, what all parts take together is bounded by the size of
the message (`budget`).
"""

from __future__ import annotations

import collections
import pickle as _pickle
from io import BytesIO
from pickle import Unpickler
from typing import Any, Callable, ClassVar, Sequence

from worker_entry.pickling import NotDataError
from worker_entry.portable import nesting, opcodes
from worker_entry.portable.allowed import PREFIX, find, is_constant
from worker_entry.portable.budget import Budget


def loads(pickle: Any, buffers: Sequence[Any]) -> Any:
    """Return the value of a pickle.

    Raises:
        NotDataError: It is more than data.
        Exception: It makes no sense.
    """
    pickle = bytes(pickle)
    try:
        opcodes.check(pickle)
    except opcodes.OpcodeError as error:
        raise NotDataError(f"the bytes that came are no data: {error}") from None
    options: dict[str, Any] = {"buffers": list(map(_own, buffers))} if buffers else {}
    size = len(pickle) + sum(map(len, options.get("buffers", ())))
    try:
        return _Fast(size, BytesIO(pickle), **options).load()
    except _CareNeededError:
        pass
    unpickler = _Careful(size, BytesIO(pickle), **options)
    try:
        return unpickler.load()
    finally:
        nesting.check(unpickler.arrays)


def _own(buffer: Any) -> bytearray:
    # Whoever shares the memory could change it after an index in it has been checked.
    return buffer if type(buffer) is bytearray else bytearray(buffer)


def is_harmless(pickle: Any) -> bool:
    """Whether a pickle can be read without harm as long as nothing that it names is called."""
    try:
        opcodes.check(bytes(pickle), objects=True)
    except opcodes.OpcodeError:
        return False
    return True


def _persistent_load(unpickler: Any, pid: Any) -> Any:
    raise NotDataError("references to outside are no data")


class _CareNeededError(Exception):
    """The pickle names what could be assigned to."""


class _Fast(Unpickler):
    """For constants, containers, and calls that make no more than these."""

    def __init__(self, size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._budget = Budget(size)

    def find_class(self, module: str, name: str) -> Any:
        found = find(module, name)
        if not is_constant(name, found):
            raise _CareNeededError
        return self._budget.counting(found)

    persistent_load = _persistent_load


_Unpickler: Any = vars(_pickle)["_Unpickler"]
_DICTS = (dict, collections.defaultdict, collections.OrderedDict, collections.Counter)


class _Careful(_Unpickler):  # type: ignore[misc]
    """The one that is written in Python, which lets itself be told what may be assigned to."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def __init__(self, size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._budget = Budget(size)
        self.arrays: list[Any] = []  #: those of objects

    def find_class(self, module: str, name: str) -> Any:
        found = self._budget.counting(find(module, name))
        if module != f"{PREFIX}arrays" or name not in ("build_items", "build_structure"):
            return found

        def build(*parts: Any) -> Any:
            self.arrays.append(found(*parts))
            return self.arrays[-1]

        return build

    persistent_load = _persistent_load


def _guard(code: bytes, place: Callable[[Any], Any], kinds: tuple[type, ...]) -> None:
    execute = _Unpickler.dispatch[code[0]]

    def guarded(unpickler: Any) -> None:
        if type(place(unpickler)) not in kinds:
            raise NotDataError("something is assigned or added to what is no container")
        execute(unpickler)

    _Careful.dispatch[code[0]] = guarded


_guard(_pickle.SETITEM, lambda it: it.stack[-3], _DICTS)
_guard(_pickle.SETITEMS, lambda it: it.metastack[-1][-1], _DICTS)
_guard(_pickle.APPEND, lambda it: it.stack[-2], (list, collections.deque))
_guard(_pickle.APPENDS, lambda it: it.metastack[-1][-1], (list, collections.deque))
_guard(_pickle.ADDITEMS, lambda it: it.metastack[-1][-1], (set,))
