"""Wheels as they were installed in this root, ready to be linked into the next environment.

uv links files from its cache, and needs as long again to find out what to link and to describe it.
For the same line of a lock and the same Python that has the same outcome every time, in relocatable
venvs down to the scripts. So what it was is kept::

    stock/<key>/             a wheel that was installed once
    stock/<key>/files.json   whose files they are, and how large and old each was
    stock/<key>/tree/        the files, as in a prefix: links, which take hardly any space

Only what is installed a second time is kept: most wheels are not, and to keep one takes as long as
to link it.

As in uv's cache, a file that is edited in one environment is edited here as well. It is then newer
than noted; the wheel is dropped, and uv asked, whose cache is looked at in the same way (`links`).
Scripts and the records of what is installed, of which each venv that uv fills has its own, are
shared by those that are linked.

No lock is needed. A wheel appears whole, by one renaming, and who finds that it goes away while it
is linked has uv do it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wetlands.environments import uv
from wetlands.environments.disk import read_json, remove_tree
from wetlands.environments.entries import canonical_name
from wetlands.environments.locks import pylock
from wetlands.environments.probing import Interpreter, fingerprint_of
from wetlands.environments.scratch import scratch_folder, sweep
from wetlands.environments.upkeep.manifests import (
    Manifest,
    ManifestFile,
    site_folders,
    taking_turns,
)
from wetlands.environments.workspace import Workspace
from wetlands.errors import CreationCanceledError, EnvironmentBuildError, ProvisioningError

LAYOUT = 1

_LISTING, _TREE = "files.json", "tree"
_HEADER = re.compile(r"^(\[.+\])$", re.MULTILINE)
_WHEEL = "[[packages.wheels]]"
_OF_AN_INDEX = {"[packages.sdist]", "[packages.sdist.hashes]",
                _WHEEL, "[packages.wheels.hashes]"}  # fmt: skip
_ELSEWHERE = re.compile(r"^(marker|path) = ", re.MULTILINE)


class Stock:
    """The wheels that are kept in one root; safe to use by any number of threads and processes.

    Args:
        root: The root.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / "stock"

    def has(self, keys: Iterable[str]) -> bool:
        """Whether all of these wheels are here."""
        return all((self._folder / key / _LISTING).is_file() for key in keys)

    def install(self, keys: Iterable[str], work: Workspace) -> bool:
        """Link wheels into a venv; False if one is not whole or not here: then make it anew.

        Args:
            keys: The wheels; see `keys_of`.
            work: The folder of the venv, in which nothing is installed yet.

        Raises:
            CreationCanceledError: It was canceled.
        """
        folders = [self._folder / key for key in keys]
        edited: list[Path] = []

        def look() -> None:
            with taking_turns:
                edited.extend(folder for folder in folders if not _is_whole(folder))

        try:
            _link([folder / _TREE for folder in folders], work, look)
            # Removing one begins with another name for it: what is here now was here all the time.
            whole = all(_has_arrived(folder, work.layout.prefix) for folder in folders)
        except CreationCanceledError:
            raise
        except (OSError, EnvironmentBuildError):
            return False
        for folder in edited:
            self.drop(folder)
            with contextlib.suppress(OSError):
                os.mkdir(folder)  # it is to be kept again
        return whole and not edited

    def keep(self, keys: Mapping[str, str], prefix: Path, manifests: Iterable[Manifest]) -> None:
        """Keep those wheels just installed, and looked at, that are not so for the first time.

        Nothing is kept where uv made copies: who wants them wants them here as well. That it can't
        be done, for want of space say, is no fault of the venv.

        Args:
            keys: Their keys, by name.
            prefix: The venv.
            manifests: What all that is installed there says about itself.
        """
        by_name = {canonical_name(manifest.name): manifest for manifest in manifests}
        files = [file.path for manifest in by_name.values() for file in manifest.files]
        if by_name.keys() != keys.keys() or len(files) != len(set(files)):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            wanted = {name: key for name, key in keys.items() if self._note(key)}
            if not wanted:
                return
            with scratch_folder(self._folder) as (scratch, _):
                for name, key in wanted.items():
                    if _put_away(by_name[name], prefix, scratch / key):
                        with contextlib.suppress(OSError):  # somebody else was faster
                            os.rmdir(self._folder / key)
                            os.rename(scratch / key, self._folder / key)

    def _note(self, key: str) -> bool:
        """Note that a wheel was installed; tell whether it was before, and is not kept."""
        try:
            os.mkdir(self._folder / key)
        except FileExistsError:
            return not (self._folder / key / _LISTING).is_file()
        return False

    def drop(self, folder: Path) -> None:
        """Remove a wheel, unless somebody else just does."""
        with contextlib.suppress(ProvisioningError):
            remove_tree(folder)

    def forget(self, names: Iterable[str]) -> None:
        """Drop the wheels of these names."""
        unwanted = set(names)
        for key in self._keys():
            if (read_json(self._folder / key / _LISTING) or {}).get("name") in unwanted:
                self.drop(self._folder / key)

    def tidy(self) -> None:
        """Forget what was installed once, and remove what killed processes left half made."""
        sweep(self._folder)
        for key in self._keys():
            with contextlib.suppress(OSError):  # there is something in it
                os.rmdir(self._folder / key)
        for litter in self._folder.glob(".trash-*"):
            shutil.rmtree(litter, ignore_errors=True)

    def unused(self) -> Iterator[Path]:
        """Give the folders of wheels that no environment has."""
        used = {
            _identity(note)
            for prefix in self._root.glob("envs/*/prefix")
            for folder in site_folders(prefix)
            for note in folder.glob("*.dist-info/METADATA")
        }
        for key in self._keys():
            wheel = read_json(self._folder / key / _LISTING)
            if wheel is None:
                continue
            note = self._folder / key / _TREE / str(wheel.get("metadata"))
            if _identity(note) not in used:
                yield self._folder / key

    def _keys(self) -> list[str]:
        with contextlib.suppress(OSError):
            return sorted(name for name in os.listdir(self._folder) if not name.startswith("."))
        return []


def keys_of(lock: str, python: Interpreter) -> dict[str, str] | None:
    """Return what identifies each package that a lock installs for a Python, by name.

    None if it lists something whose content its text does not determine, or that depends on the
    machine: folders, repositories, addresses, files beside the lock, markers, what is built here.

    Args:
        lock: The text of a lock.
        python: The Python that venvs are made from.
    """
    base = [str(python.executable), fingerprint_of(python.executable), python.abi]
    about = json.dumps([LAYOUT, *base, uv.settings()])
    keys = {}
    try:
        packages = pylock.packages_in(lock)[1]
    except ValueError:
        return None
    for name, text in packages:
        headers = set(_HEADER.findall(text))
        if _ELSEWHERE.search(text) or headers - _OF_AN_INDEX or _WHEEL not in headers:
            return None
        digest = hashlib.sha256((about + text.strip()).encode()).hexdigest()
        keys[canonical_name(name)] = digest[:32]
    return keys


def _link(trees: Sequence[Path], work: Workspace, meanwhile: Callable[[], None]) -> None:
    """Link trees into a prefix, and call a function meanwhile.

    A process links, where there is one that can: thousands of calls of the system that take
    microseconds each are slow in a thread, which has to ask for the interpreter after each.
    """
    if trees and _has_cp():
        command = ["cp", "-rl", *(f"{tree}/." for tree in trees), str(work.layout.prefix)]
        work.program(command, "its packages can't be linked", meanwhile)
        return
    meanwhile()
    for tree in trees:
        shutil.copytree(tree, work.layout.prefix, copy_function=os.link, dirs_exist_ok=True)


@functools.lru_cache(maxsize=1)
def _has_cp() -> bool:
    return sys.platform == "linux" and shutil.which("cp") is not None


def _has_arrived(folder: Path, prefix: Path) -> bool:
    """Whether a wheel is here, and in a prefix into which it was linked."""
    note = str((read_json(folder / _LISTING) or {}).get("metadata"))
    here = _identity(folder / _TREE / note)
    return here is not None and here == _identity(prefix / note)


def _is_whole(folder: Path) -> bool:
    wheel = read_json(folder / _LISTING) or {}
    tree = str(folder / _TREE)
    try:
        for path, size, modified in wheel["files"]:
            status = os.stat(f"{tree}/{path}")
            if status.st_size != size or status.st_mtime_ns != modified:
                return False
    except (OSError, KeyError, TypeError, ValueError):
        return False
    return True


def _put_away(manifest: Manifest, prefix: Path, folder: Path) -> bool:
    """Link the files of an installed wheel into a new folder; False if that is not possible."""
    inside, tree = os.path.join(prefix, ""), folder / _TREE
    metadata = manifest.place / "METADATA"
    if os.stat(metadata).st_nlink < 2:
        return False
    files: list[tuple[str, int, int]] = []
    for path in (file.path for file in manifest.files if not _is_absent(file)):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or not path.startswith(inside):
            return False
        files.append((path[len(inside) :], status.st_size, status.st_mtime_ns))
    for name in _folders(files):
        os.makedirs(f"{tree}/{name}", exist_ok=True)
    for path, _, _ in files:
        os.link(f"{inside}{path}", f"{tree}/{path}")
    listing = {
        "name": canonical_name(manifest.name),
        "metadata": str(metadata)[len(inside) :],
        "files": files,
    }
    (folder / _LISTING).write_text(json.dumps(listing), encoding="utf-8")
    return True


def _is_absent(file: ManifestFile) -> bool:
    """Whether a file is not there that need not be: bytecode that is on record."""
    return file.path.endswith(".pyc") and not os.path.lexists(file.path)


def _folders(files: Iterable[tuple[str, int, int]]) -> list[str]:
    return sorted({os.path.dirname(path) for path, _, _ in files})


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino
