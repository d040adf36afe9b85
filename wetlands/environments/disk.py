"""Writing files so that a crash leaves the old one or the new one, and removing trees for good."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wetlands.errors import ProvisioningError

# What only writing and removing need is imported there: finding an environment that lies ready
# reads, and has to be quick.


@contextlib.contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a `ProvisioningError` that says what to look at."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProvisioningError(
            f"can't {action} {str(path)!r}: {reason}. Check its permissions and the free space, "
            "or give EnvironmentManager another root"
        ) from error


def make_folder(path: Path) -> None:
    """Make a folder and its parents.

    Raises:
        ProvisioningError: It can't be made, or a file is in the way.
    """
    with explained("make the folder", path):
        path.mkdir(parents=True, exist_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all, also when the power goes.

    Its mode is 0600: locks and records may name private package indexes.
    """
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # The rename itself lives in the folder; Windows can't open one, and orders renames by itself.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object whole or not at all."""
    write_atomically(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or None where there is no file or no object in it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def remove_tree(path: Path) -> None:
    """Remove a tree if it is there.

    It is renamed first: what a crash leaves half removed can't be taken for the whole thing.

    Raises:
        ProvisioningError: Something in it can't be removed.
    """
    if not os.path.lexists(path):
        return
    import shutil
    import tempfile

    with explained("remove", path):
        if path.is_symlink() or path.is_file():
            path.unlink()
            return
        trash = Path(tempfile.mkdtemp(dir=path.parent, prefix=".trash-"))
        os.replace(path, trash / path.name)
        shutil.rmtree(trash)


def sweep_trash(folder: Path) -> None:
    """Remove, as far as possible, what crashes left behind while files were written or removed."""
    import shutil

    for litter in folder.glob(".*"):
        if litter.is_dir():
            shutil.rmtree(litter, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                litter.unlink()
