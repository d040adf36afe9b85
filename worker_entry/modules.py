"""Finding the code that a task names: a file, an importable module, a script.

A file is imported the way a script would see its surroundings: its siblings are importable by
their plain names. That must hold for two folders at once, both with a `helpers.py`, in one
process; and a file that changed on disk must be seen anew. Both come from one idea: a *folder* owns
the modules that were loaded from it. Only one folder is active at a time (a worker runs one task
at a time); its modules are in `sys.modules`, those of the others are set aside.

-   `activate` swaps folders before a task starts, so imports inside functions work as well.
-   Before a task, every file that the folder's modules came from is compared with what was
    loaded. If one changed, all of the folder's modules go: a mix of old and new is never run.
-   Sources are compiled from the file, never taken from `__pycache__`, whose check is too coarse:
    it misses a change within a second that keeps the size.
-   A module that is named, not a file, is the environment's own: no folder is active meanwhile.
-   A sibling never hides the standard library, and a target file whose name is already taken
    (`json.py`) is loaded under a private name. Putting folders on `sys.path` in front would break
    both rules; at its end, it only serves children that the task starts.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from types import ModuleType
from typing import Any, Callable, Sequence

_now = time.time_ns  # kept: a task may replace functions of the time module

#: How coarse the clock of a file system may be, in nanoseconds.
TICK = 3 * 10**9
#: The largest file that is compared by what is in it.
MAX_COMPARED = 4 * 1024 * 1024


class TargetError(Exception):
    """What a task names does not exist; the text says what does."""


class _SourceLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


_LOADERS: list[Any] = [(ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceLoader, SOURCE_SUFFIXES)]


def _stdlib_names() -> frozenset[str]:
    if hasattr(sys, "stdlib_module_names"):  # since Python 3.10
        return frozenset(sys.stdlib_module_names)
    folder = os.path.dirname(os.__file__)
    found = set(sys.builtin_module_names)
    for place in (folder, os.path.join(folder, "lib-dynload")):
        if os.path.isdir(place):
            found.update(name.partition(".")[0] for name in os.listdir(place))
    return frozenset(found - {"test", "site-packages", "__pycache__"})


_STDLIB = _stdlib_names()


class _Stamp:
    """What a file was when it was read, to see whether it changed since."""

    def __init__(self, path: str) -> None:
        self._state = _state(path)
        # A file may be written twice within one tick of its file system's clock, so while it is
        # that young, its content counts.
        self._content = _read(path) if self._young() else None

    def holds(self, path: str) -> bool:
        if _state(path) != self._state:
            return False
        if self._content is None:
            return True
        same = _read(path) == self._content
        if not self._young():
            self._content = None
        return same

    def _young(self) -> bool:
        state = self._state
        return state is not None and state[1] < MAX_COMPARED and abs(_now() - state[0]) < TICK


class _Folder:
    def __init__(self, path: str) -> None:
        self.path = path
        self.names: set[str] = set()  # of the modules that were found here
        self.parked: dict[str, ModuleType] = {}  # those modules, while another folder is active
        self.stamps: dict[str, _Stamp] = {}  # of the files that they came from
        self.targets: dict[str, str] = {}
        self.generation = 0  # how often its modules were forgotten

    def changed(self) -> bool:
        for path, stamp in self.stamps.items():  # noqa: SIM110 - a generator costs more
            if not stamp.holds(path):
                return True
        return False

    def park(self) -> None:
        self.parked = {name: sys.modules.pop(name) for name in self.names if name in sys.modules}
        if self.path in sys.path:
            sys.path.remove(self.path)

    def unpark(self) -> None:
        sys.modules.update(self.parked)
        self.parked = {}
        sys.path.append(self.path)

    def forget(self) -> None:
        for name in self.names:
            sys.modules.pop(name, None)
        self.names.clear()
        self.stamps.clear()
        self.targets.clear()
        self.generation += 1


class Modules:
    """The modules of one worker; a finder on `sys.meta_path`. For the main thread only."""

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}
        self._active: _Folder | None = None

    def install(self) -> None:
        """Take a place before the finder of `sys.path` and behind those of built-in modules."""
        places = [i for i, finder in enumerate(sys.meta_path) if finder is PathFinder]
        sys.meta_path.insert(places[0] if places else len(sys.meta_path), self)

    # -- what tasks name --------------------------------------------------------------------------

    def from_file(self, path: str) -> ModuleType:
        """Return the module of a file, loaded again if it or a sibling of it changed.

        Raises:
            TargetError: There is no such file.
        """
        folder = self._active
        if folder is None or path not in folder.targets or folder.changed():
            folder = self._activate(os.path.dirname(path))
        name = folder.targets.get(path) or self._sibling_name(folder, path)
        if name is not None and name in sys.modules:
            return sys.modules[name]
        if not os.path.isfile(path):
            raise TargetError(f"there is no file {path}")
        name = folder.targets[path] = self._free_name(path)
        spec = importlib.util.spec_from_file_location(name, path, loader=_SourceLoader(name, path))
        assert spec is not None
        return self._load(folder, spec)

    def from_folder(self, folder: str, name: str) -> ModuleType:
        """Return a module by its full name, as seen by a script that lies in ``folder``.

        Raises:
            TargetError: There is none.
        """
        self._activate(folder)
        return _import(name)

    def from_name(self, name: str) -> ModuleType:
        """Return an importable module.

        Raises:
            TargetError: It is not installed in this environment.
        """
        self.leave_folder()
        return _import(name)

    def script_folder(self, path: str) -> None:
        """Make the siblings of a script importable.

        Raises:
            TargetError: There is no such file.
        """
        if not os.path.isfile(path):
            raise TargetError(f"there is no script {path}")
        self._activate(os.path.dirname(path))

    # -- folders ----------------------------------------------------------------------------------

    def enter_folder(self, path: str) -> int:
        """Make the modules of a folder importable, or of none for an empty path.

        Returns:
            A number that changes when modules of the folder are to be loaded again.
        """
        if path:
            return self._activate(path).generation
        self.leave_folder()
        return 0

    def leave_folder(self) -> None:
        """Have no active folder: what runs next must not depend on which file ran before."""
        if self._active is not None:
            self._active.park()
            self._active = None

    def _activate(self, path: str) -> _Folder:
        folder = self._folders.get(path)
        if folder is None:
            folder = self._folders[path] = _Folder(path)
        if folder is not self._active:
            self.leave_folder()
            self._active = folder
            folder.unpark()
        if folder.changed():
            folder.forget()
        return folder

    def _sibling_name(self, folder: _Folder, path: str) -> str | None:
        """Return the name of the file's module if another file of the folder imported it."""
        stem = _stem(path)
        there = sys.modules.get(stem) if stem in folder.names else None
        return stem if getattr(there, "__file__", None) == path else None

    def _free_name(self, path: str) -> str:
        """Return the plain name of the file if nothing else goes by it."""
        stem = _stem(path)
        if stem.isidentifier() and stem not in _STDLIB and stem not in sys.modules:
            elsewhere = [entry for entry in sys.path if entry != os.path.dirname(path)]
            if PathFinder.find_spec(stem, elsewhere) is None:
                return stem
        name = "wetlands_file_" + "".join(c if c.isalnum() else "_" for c in stem)
        while name in sys.modules:
            name += "_"
        return name

    def _load(self, folder: _Folder, spec: ModuleSpec) -> ModuleType:
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        self._own(folder, spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            folder.forget()  # what failed half-way is tried again as a whole, siblings included
            raise
        return sys.modules.get(spec.name, module)  # a module may replace itself

    @staticmethod
    def _own(folder: _Folder, spec: ModuleSpec) -> None:
        if spec.origin:
            # The stamp is taken before the file is read: a change in between is seen next time.
            folder.stamps[spec.origin] = _Stamp(spec.origin)
        folder.names.add(spec.name)

    # -- the finder -------------------------------------------------------------------------------

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """Find siblings of the active folder, and the submodules of its packages."""
        folder = self._active
        if folder is None:
            return None
        if path is None:
            if fullname in _STDLIB:
                return None
            path = [folder.path]
        elif fullname.rpartition(".")[0] not in folder.names:
            return None
        portions: list[str] = []
        for entry in path:
            spec = FileFinder(entry, *_LOADERS).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                self._own(folder, spec)
                return spec
            if spec is not None:
                portions += spec.submodule_search_locations or []
        return self._namespace(folder, fullname, portions) if portions else None

    def _namespace(self, folder: _Folder, fullname: str, portions: list[str]) -> ModuleSpec | None:
        """Make a package of a folder without `__init__.py`, unless there is a real one."""
        if "." not in fullname:
            elsewhere = [entry for entry in sys.path if entry != folder.path]
            if PathFinder.find_spec(fullname, elsewhere) is not None:
                return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = portions
        self._own(folder, spec)
        return spec


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise TargetError(f"there is no module {name!r} in this environment") from None
        raise


def find_function(module: ModuleType, name: str) -> Callable[..., Any]:
    """Return ``module.name``, where the name may have dots.

    Raises:
        TargetError: There is no such callable; the text lists those that there are.
    """
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    where = getattr(module, "__file__", None) or module.__name__
    there = ", ".join(list_functions(module)) or "none"
    raise TargetError(f"Module {where} has no function {name}. Functions there: {there}.")


def list_functions(module: ModuleType) -> list[str]:
    """Return the names of the public functions that the module itself defines."""
    import inspect  # for people who look around: a worker starts faster without it

    return [
        name
        for name, value in sorted(vars(module).items())
        if not name.startswith("_")
        and inspect.isroutine(value)
        and getattr(value, "__module__", None) == module.__name__
    ]


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _state(path: str) -> Any:
    try:
        found = os.stat(path)
    except OSError:
        return None
    # The time of change as well: that of modification can be set back.
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
