"""The package cache: extracted packages, from which prefixes are linked.

::

    pkgs/<name>-<version>-<build>/        a package, extracted
    pkgs/<name>-<version>-<build>.lock    py-rattler's lock on it, with the hash of its archive
    pkgs.lock                             shared: held while packages are linked from it;
                                          exclusive: to remove something from it

py-rattler keeps processes apart that want the same package. ``pkgs.lock`` keeps those who remove
something from those who link: a helper holds it while it does, even when its host has died.

The note says which archive a package was extracted from, and py-rattler writes a new hash there
*before* it fetches another archive of the same name. A fetch that fails then leaves the old content
beside the new hash, and the next call would take it for the new one. So what is there with
another hash than the wanted one is removed first.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from wetlands.environments.cancellation import Cancellation
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.disk import make_folder
from wetlands.environments.flock import FileLock

_HASH_AT = 8  # in py-rattler's note: a counter of eight bytes, then the sha256


class PackageCache:
    """The package cache of one root."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "pkgs"
        self.lock = root / "pkgs.lock"

    def prepare(self, packages: Sequence[CondaPackage], cancellation: Cancellation) -> None:
        """Make it ready for packages that are to be fetched and linked.

        Args:
            packages: What else is there under their names is removed.
            cancellation: What ends waiting for those who link others.

        Raises:
            ProvisioningError: The cache can't be made.
        """
        make_folder(self.folder)
        self.sweep()
        self.discard_others(packages, cancellation)

    def discard_others(self, packages: Sequence[CondaPackage], cancellation: Cancellation) -> None:
        """Remove what is there under the names of packages with another hash than theirs."""
        others = [package.stem for package in packages if _has_other(self.folder, package)]
        if not others:
            return
        with FileLock(self.lock) as lock:
            cancellation.acquire(lock)
            for stem in others:
                self.remove(stem)

    @contextlib.contextmanager
    def alone(self, *, block: bool = False) -> Iterator[bool]:
        """Be the only one who uses it; gives False if that is not possible now."""
        with FileLock(self.lock) as lock:
            yield lock.acquire(block=block)

    def sweep(self) -> None:
        """Remove what killed helpers left half extracted, unless somebody is at work here."""
        with self.alone() as alone:
            if not alone:
                return
            for litter in self.folder.glob(".*"):
                if litter.is_dir():
                    shutil.rmtree(litter, ignore_errors=True)

    def remove(self, stem: str) -> None:
        """Remove a package; whoever calls this is `alone`."""
        # The note first: without it what is left is fetched again, whatever it is.
        (self.folder / f"{stem}.lock").unlink(missing_ok=True)
        shutil.rmtree(self.folder / stem, ignore_errors=True)


def _has_other(folder: Path, package: CondaPackage) -> bool:
    """Tell whether there is a package of this name from another archive."""
    try:
        noted = (folder / f"{package.stem}.lock").read_bytes()
    except OSError:
        return False
    found = noted[_HASH_AT : _HASH_AT + 32].hex()
    return bool(package.sha256) and found != package.sha256.lower()
