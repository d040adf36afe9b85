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
-   A sibling never hides the standard library, and a target file whose name is already taken
    (`json.py`) is loaded under a private name. Putting folders on `sys.path` in front would break
    both rules; at its end, it only serves children that the task starts.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
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
from typing import Any, Callable, Sequence, Tuple

_STDLIB = frozenset(getattr(sys, "stdlib_module_names", ())) or frozenset(sys.builtin_module_names)

Stamp = Tuple[int, int, int]


class TargetError(Exception):
    """What a task names does not exist; the text says what does."""


class _SourceLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Folder:
    def __init__(self, path: str) -> None:
        self.path = path
        self.names: set[str] = set()  # of the modules that were found here
        self.parked: dict[str, ModuleType] = {}  # those modules, while another folder is active
        self.stamps: dict[str, Stamp | None] = {}
        self.targets: dict[str, str] = {}

    def changed(self) -> bool:
        return any(_stamp(path) != stamp for path, stamp in self.stamps.items())

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
        folder = self._activate(os.path.dirname(path))
        name = folder.targets.get(path)
        if name is not None and name in sys.modules:
            return sys.modules[name]
        if not os.path.isfile(path):
            raise TargetError(f"there is no file {path}")
        name = folder.targets[path] = self._free_name(path)
        spec = importlib.util.spec_from_file_location(name, path, loader=_SourceLoader(name, path))
        assert spec is not None
        return self._load(folder, spec)

    def from_name(self, name: str) -> ModuleType:
        """Return an importable module.

        Raises:
            TargetError: It is not installed in this environment.
        """
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and (name == error.name or name.startswith(error.name + ".")):
                raise TargetError(f"there is no module {name!r} in this environment") from None
            raise

    def script_folder(self, path: str) -> None:
        """Make the siblings of a script importable.

        Raises:
            TargetError: There is no such file.
        """
        if not os.path.isfile(path):
            raise TargetError(f"there is no script {path}")
        self._activate(os.path.dirname(path))

    # -- folders ----------------------------------------------------------------------------------

    def _activate(self, path: str) -> _Folder:
        folder = self._folders.get(path)
        if folder is None:
            folder = self._folders[path] = _Folder(path)
        if folder is not self._active:
            if self._active is not None:
                self._active.park()
            self._active = folder
            folder.unpark()
        if folder.changed():
            folder.forget()
        return folder

    def _free_name(self, path: str) -> str:
        """Return the plain name of the file if nothing else goes by it."""
        stem = os.path.splitext(os.path.basename(path))[0]
        if stem.isidentifier() and stem not in _STDLIB and stem not in sys.modules:
            elsewhere = [entry for entry in sys.path if entry != os.path.dirname(path)]
            if PathFinder.find_spec(stem, elsewhere) is None:
                return stem
        return "wetlands_file_" + "".join(c if c.isalnum() else "_" for c in stem)

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
        return module

    @staticmethod
    def _own(folder: _Folder, spec: ModuleSpec) -> None:
        if spec.origin:
            # The stamp is taken before the file is read: a change in between is seen next time.
            folder.stamps[spec.origin] = _stamp(spec.origin)
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
        for entry in path:
            loaders = [(ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceLoader, SOURCE_SUFFIXES)]
            spec = FileFinder(entry, *loaders).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                self._own(folder, spec)
                return spec
        return None


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
    return [
        name
        for name, value in sorted(vars(module).items())
        if not name.startswith("_")
        and inspect.isroutine(value)
        and getattr(value, "__module__", None) == module.__name__
    ]


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
