"""What a worker needs of pyzmq, in half the time that `import zmq` takes.

pyzmq is a compiled core, `zmq.backend.cython._zmq`, and around it classes, constants in many places
and support for other ways to compile, which a worker has no use for and which take longer to load
than all of `worker_entry`. So the packages around the core are made, but their code is run only
when somebody imports them: the code of a user, say, to whom `import zmq` is as ever. The package
is then the same object that the core has, and the import system does it all, with its locks.

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

#: The core, and the packages around it.
CORE = "zmq.backend.cython._zmq"
PACKAGES = ("zmq", "zmq.backend", "zmq.backend.cython")
#: Bytes from which on pyzmq would rather not copy; its own default, which its core looks up.
COPY_THRESHOLD = 65536


class _Package(ModuleType):
    """A package whose code has not been run; it is when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        importlib.import_module(self.__name__)  # it is an ordinary module then
        return getattr(self, name)


class _Loader(SourceFileLoader):
    """Runs the code of a package in the module that there is."""

    def __init__(self, made: ModuleType, path: str, waiting: dict[str, ModuleType]) -> None:
        super().__init__(made.__name__, path)
        self._made = made
        self._waiting = waiting

    def create_module(self, spec: Any) -> ModuleType:
        self._made.__class__ = ModuleType
        return self._made

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self._waiting.pop(self._made.__name__, None)


class _Finder:
    """Finds the packages that were made, each until its code was run; on `sys.meta_path`."""

    def __init__(self) -> None:
        self.made: dict[str, ModuleType] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        made = self.made.get(name)
        return None if made is None else made.__spec__

    def make(self, name: str) -> bool:
        """Make a package; say whether it is one that can be."""
        spec = importlib.util.find_spec(name)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return False
        made = importlib.util.module_from_spec(spec)
        made.__class__ = _Package
        spec.loader = made.__loader__ = _Loader(made, spec.loader.path, self.made)
        self.made[name] = sys.modules[name] = made
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(self.made[parent], own, made)
        return True


def _load_core() -> Any:
    """Return the core alone; None if it can't be had."""
    finder = _Finder()
    try:
        if all(map(finder.make, PACKAGES)):
            core = importlib.import_module(CORE)
            # What the core looks up in the package with each socket and frame.
            finder.made["zmq"].__dict__.update(COPY_THRESHOLD=COPY_THRESHOLD, Frame=core.Frame)
            sys.meta_path.insert(0, finder)
            return core
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == "zmq"]:
            del sys.modules[name]
    finally:
        for name in finder.made:
            sys.modules.pop(name, None)
    return None


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

# Now, and not before the core, which decides what is loaded of the package.
_constants: Any = importlib.import_module("zmq.constants")
CURVE_PUBLICKEY = _constants.CURVE_PUBLICKEY
CURVE_SECRETKEY = _constants.CURVE_SECRETKEY
CURVE_SERVERKEY = _constants.CURVE_SERVERKEY
DEALER = _constants.DEALER
IDENTITY = _constants.IDENTITY
LINGER = _constants.LINGER
POLLERR = _constants.POLLERR
POLLIN = _constants.POLLIN
SNDMORE = _constants.SNDMORE
ZMQError: Any = importlib.import_module("zmq.error").ZMQError
