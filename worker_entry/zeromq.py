"""What a worker needs of pyzmq, in a third of the time that `import zmq` takes.

pyzmq is a compiled core, `zmq.backend.cython._zmq`, and around it classes, constants as enums, and
support for other ways to compile, which a worker has no use for and which take longer to load than
all of `worker_entry`. So the modules around the core are made, but their code is run only when
somebody imports them: the code of a user, say, to whom `import zmq` is as ever. They are then the
same objects that the core has, and the import system does it all, with its locks.

The core itself imports two of the constants, to learn which options have numbers and which bytes.
It is told so for those that a worker sets, and gets the constants when they are there.

Where a pyzmq is laid out otherwise (before 26), or compiled otherwise (PyPy), or where its package
has to prepare for its libraries (Windows), all of it is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

# As in `zmq.h`: they are part of what libzmq promises to those who were compiled for it.
POLLIN, POLLERR = 1, 4
SNDMORE = 2
DEALER = 5
IDENTITY, LINGER = 5, 17
CURVE_SERVERKEY, CURVE_PUBLICKEY, CURVE_SECRETKEY = 50, 48, 49
RCVMORE = 13
_NUMBERS = (LINGER, RCVMORE)

#: The core, and the modules around it.
CORE = "zmq.backend.cython._zmq"
AROUND = ("zmq", "zmq.constants", "zmq.backend", "zmq.backend.cython")
#: Bytes from which on pyzmq would rather not copy; its own default, which its core looks up.
COPY_THRESHOLD = 65536


class _Kind:
    """In place of `zmq.constants._OptType`: what values an option has."""

    int, int64, bytes, fd = "int", "int64", "bytes", "fd"


class _Option:
    """In place of an option in `zmq.constants.SocketOption`, for those that are used here."""

    def __init__(self, number: int) -> None:
        self._opt_type = _Kind.int if number in _NUMBERS else _Kind.bytes


class _Module(ModuleType):
    """A module whose code has not been run; it is when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if self.__name__ in sys.modules:  # the core is being loaded
            raise AttributeError(f"{self.__name__}.{name} is not there yet")
        importlib.import_module(self.__name__)  # it is an ordinary module then
        return getattr(self, name)


class _Loader(SourceFileLoader):
    """Runs the code of a module in the object that there is."""

    def __init__(self, made: ModuleType, path: str, finder: _Finder) -> None:
        super().__init__(made.__name__, path)
        self._made = made
        self._finder = finder

    def create_module(self, spec: Any) -> ModuleType:
        self._made.__class__ = ModuleType
        return self._made

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self._finder.has_run(module)


class _Finder:
    """Finds the modules that were made, each until its code was run; on `sys.meta_path`."""

    def __init__(self) -> None:
        self.made: dict[str, ModuleType] = {}
        self.core: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        made = self.made.get(name)
        return None if made is None else made.__spec__

    def make(self, name: str) -> bool:
        """Make a module; say whether it is one that can be."""
        spec = importlib.util.find_spec(name)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return False
        made = importlib.util.module_from_spec(spec)
        made.__class__ = _Module
        spec.loader = made.__loader__ = _Loader(made, spec.loader.path, self)
        self.made[name] = sys.modules[name] = made
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(self.made[parent], own, made)
        return True

    def has_run(self, module: ModuleType) -> None:
        """Have the core use what stood in for something until now."""
        self.made.pop(module.__name__, None)
        if module.__name__ == "zmq.constants":
            self.core.SocketOption, self.core._OptType = module.SocketOption, module._OptType


def _load_core() -> Any:
    """Return the core alone; None if it can't be had."""
    finder = _Finder()
    try:
        if all(map(finder.make, AROUND)):
            vars(finder.made["zmq.constants"]).update(SocketOption=_Option, _OptType=_Kind)
            core = finder.core = importlib.import_module(CORE)
            vars(finder.made["zmq"]).update(_looked_up(core))
            sys.meta_path.insert(0, finder)
            return core
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == "zmq"]:
            del sys.modules[name]
    finally:
        for name in finder.made:
            sys.modules.pop(name, None)
    return None


def _looked_up(core: Any) -> dict[str, Any]:
    """Return what the core looks up in its package with each socket and frame."""
    return {
        "COPY_THRESHOLD": COPY_THRESHOLD,
        "RCVMORE": RCVMORE,
        "Frame": core.Frame,
        "_FINISHED_TRACKER": None,  # nobody asks whether a frame has been sent
    }


def _load() -> Any:
    core = None
    special = sys.implementation.name != "cpython" or "PYZMQ_BACKEND" in os.environ
    if not (special or os.name == "nt" or "zmq" in sys.modules):
        core = _load_core()
    return core or importlib.import_module("zmq.backend")


_core = _load()
Context: Any = _core.Context
Socket: Any = _core.Socket
#: Waits for sockets and descriptors, each in a pair with what for: milliseconds, -1 for ever.
poll: Any = _core.zmq_poll

# Now, and not before the core, which decides what is loaded.
ZMQError: Any = importlib.import_module("zmq.error").ZMQError


def make_dealer(context: Any, options: dict[int, Any]) -> Any:
    """Return a DEALER socket with these options: LINGER, and any that have bytes."""
    socket = Socket(context, DEALER)
    try:
        _set(socket, options)
    except (AttributeError, TypeError):  # a core that asks for more than we know of
        importlib.import_module("zmq.constants")
        _set(socket, options)
    return socket


def _set(socket: Any, options: dict[int, Any]) -> None:
    for option, value in options.items():
        socket.set(option, value)
