"""What a Run asks for: finding the function, rebuilding its arguments, calling it.

The first payload frame of a Run, a JSON object, names what to run, by `how`:

-   `file`: `function` of the file `target`
-   `module`: `function` of the importable module `target`
-   `package`: the same, where the module belongs to a package that lies in `folder`
-   `value`: the function is the second payload frame, pickled by value, in one piece
-   `source`: the same, as a bundle (see `rebuild`)
-   `script`: the file `target` as a program, under the name `run_name`
-   `fetch`: nothing is run; the result is the only argument
-   `list`: nothing is run; the result is the names of the functions of `target`, found as a file
    or a module as `function` says

For `value` and `source`, `target` is the folder from which user code is imported meanwhile, or "".

With a true `keep`, the result stays here (see `kept`), and the host learns of its type.

The frames that follow are the arguments, `(args, kwargs)`, as `codec` writes values. With a true
`each`, they are the items of a chunk (see `journal`), and the function is called with each.
"""

from __future__ import annotations

import json
import runpy
import sys
from functools import partial
from types import ModuleType
from typing import Any, Callable

from worker_entry import failure
from worker_entry.codec import Codec, CodecError, type_name
from worker_entry.handle import RemoteTaskHandle
from worker_entry.modules import Modules, TargetError, find_function, list_functions
from worker_entry.named import NamedTuple
from worker_entry.signatures import Signatures

#: What is done that is no call of a function.
_OTHERS = ("list", "script", "fetch")
#: Ways to call a function that is the same for every call.
_BY_NAME = ("file", "module", "package")
# Made here and now: a task may replace functions of the json module in the process we share.
_read_json = json.JSONDecoder().decode
# Without the constructor of the named tuple, which is written in Python.
_new: Any = tuple.__new__


class UnusableError(Exception):
    """A part of the call can't be rebuilt here, or its result not be sent; it has the cause."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Plain(NamedTuple):
    """A function that is called, and nothing else.

    Attributes:
        function: It.
        takes_handle: Whether it has a parameter for that, which arguments may fill.
    """

    function: Any
    takes_handle: bool


class Caller:
    """Makes the calls that Runs ask for. For the main thread."""

    def __init__(self, codec: Codec, started_file: str) -> None:
        self._codec = codec
        self._started_file = started_file
        self._modules = Modules()
        self._modules.install()
        self.wants_handle = Signatures().wants_handle
        self._calls: dict[bytes, dict[str, Any]] = {}
        self._bundles: Any = None  #: made for the first function that comes as source
        self._chunks: Any = None  #: made for the first chunk

    def read(self, frame: bytes) -> dict[str, Any]:
        """Return what the first frame of a payload says."""
        call = self._calls.get(frame)
        if call is None:
            if len(self._calls) > 1000:
                self._calls.clear()
            call = self._calls[frame] = _read_json(frame.decode())
        return call

    def call(
        self, call: dict[str, Any], payload: tuple[bytes, ...], handle: RemoteTaskHandle
    ) -> Any:
        """Do what a Run asks for; return the value.

        Args:
            call: What `read` makes of the first frame.
            payload: All frames.
            handle: What the function gets if it takes one.

        Raises:
            BaseException: What the function raises, or `UnusableError`, or `TargetError`.
        """
        how = call["how"]
        if how in _OTHERS:
            return self._do_other(how, call, payload)
        first = 2 if how in ("value", "source") else 1
        if call.get("each"):
            return self._run_chunk(partial(self._function, how, call, payload), payload, handle)
        # The target comes first: arguments may be of types that its module defines.
        function = self._function(how, call, payload)
        args, kwargs = self.loads_arguments(payload[first:])
        if self.wants_handle(function, args, kwargs):
            kwargs["task"] = handle
        return function(*args, **kwargs)

    def plain_function(self, target: bytes) -> Plain | None:
        """Return a function of which a call is all there is to do; if there is more, None."""
        call = self.read(target)
        if call["how"] not in _BY_NAME or call.get("keep") or call.get("each"):
            return None
        function = self._function(call["how"], call, ())
        return _new(Plain, (function, self.wants_handle(function, (), {})))  # type: ignore[no-any-return]

    def loads_arguments(self, frames: tuple[bytes, ...]) -> Any:
        """Return the arguments of another call: positional ones, and those by name.

        Raises:
            UnusableError: They can't be rebuilt here.
        """
        self._codec.carrier.begin()
        try:
            return self._codec.loads(frames, ("args", "kwargs"))
        except CodecError as error:
            raise _unreadable("arguments", "the arguments", error) from error.__cause__

    def dumps(self, value: Any) -> list[Any]:
        """Return a result as frames.

        Raises:
            UnusableError: It can't be sent.
        """
        try:
            return self._codec.dumps(value, "result", back=True)
        except CodecError as error:
            text = f"the result of type {type_name(value)} can't be sent to the host: {error}"
            raise UnusableError("result", text) from error.__cause__

    def _run_chunk(
        self, find: Callable[[], Any], payload: tuple[bytes, ...], handle: RemoteTaskHandle
    ) -> Any:
        from worker_entry.chunk import Calls, Chunks  # a worker starts faster without it

        if self._chunks is None:
            self._chunks = Chunks(self._started_file)
        calls = Calls(
            find,
            len(payload) > 2,  # by value, or as source
            lambda pickle: self.loads_arguments((pickle,))[0],
            self._codec,
            self.dumps,
            lambda function: self.wants_handle(function, (None,), {}),
        )
        return self._chunks.run(payload[-1], calls, handle)

    def _do_other(self, how: str, call: dict[str, Any], payload: tuple[bytes, ...]) -> Any:
        if how == "list":
            return list_functions(self._module(call["function"], call["target"]))
        if how == "script":
            return self._run_script(call)
        return self.loads_arguments(payload[1:])[0][0]

    def _module(self, how: str, target: str) -> ModuleType:
        if how == "file":
            return self._modules.from_file(target)
        return self._modules.from_name(target)

    def _function(
        self, how: str, call: dict[str, Any], payload: tuple[bytes, ...]
    ) -> Callable[..., Any]:
        if how == "file":
            return find_function(self._modules.from_file(call["target"]), call["function"])
        if how == "value":
            self._modules.enter_folder(call["target"])
            return self._loads_function(payload[1])  # type: ignore[no-any-return]
        if how == "source":
            generation = self._modules.enter_folder(call["target"])
            if self._bundles is None:
                from worker_entry.rebuild import Bundles  # a worker starts faster without it

                self._bundles = Bundles(self._loads_function)
            return self._bundles.load(  # type: ignore[no-any-return]
                payload[1], (call["target"], generation)
            )
        if how == "package":
            module = self._modules.from_folder(call["folder"], call["target"])
            return find_function(module, call["function"])
        return find_function(self._module(how, call["target"]), call["function"])

    def _loads_function(self, frame: bytes) -> Any:
        try:
            return self._codec.loads((frame,))
        except CodecError as error:
            raise _unreadable("target", "the function", error) from error.__cause__

    def _run_script(self, call: dict[str, Any]) -> None:
        path = call["target"]
        self._modules.script_folder(path)
        main, argv = sys.modules["__main__"], sys.argv
        sys.argv = [path, *list(call["args"])]
        try:
            runpy.run_path(path, run_name=call["run_name"])
        except SystemExit as error:
            # For a program, exit status 0 is the way to say that all went well.
            if error.code not in (None, 0):
                raise
        finally:
            sys.argv = argv
            sys.modules["__main__"] = main


def _unreadable(kind: str, what: str, error: CodecError) -> UnusableError:
    return UnusableError(kind, f"{what} can't be rebuilt in this environment: {error}")


def describe(error: BaseException) -> dict[str, Any]:
    """Return the description of what kept a call from returning; see `failure`."""
    # Not isinstance(), which asks the __class__ of exceptions that users wrote.
    if type(error) is TargetError:
        return failure.plain(str(error), "target")
    if type(error) is UnusableError:
        return _retold(error.__cause__, error.kind, str(error))
    return failure.describe(error)


def _retold(cause: BaseException | None, kind: str, text: str) -> dict[str, Any]:
    """Return the description of what went wrong on the border, with the traceback of its cause."""
    retold = failure.plain(text, kind)
    if cause is not None:
        described = failure.describe(cause, kind)
        retold.update({key: described[key] for key in ("type", "traceback", "cause")})
    return retold
