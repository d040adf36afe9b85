"""`Engine`: which packages, and into the prefix with them.

Nothing here imports py-rattler, which the extra ``conda`` installs: it runs in a helper process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from wetlands.environments.conda.cache import PackageCache
from wetlands.environments.conda.channels import Sources, find_sources
from wetlands.environments.conda.condarc import read_condarc
from wetlands.environments.conda.helper_process import Helper
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.disk import make_folder
from wetlands.environments.locks.platforms import find_platform, here
from wetlands.environments.progress import Reporter
from wetlands.errors import ConfigurationError

#: Seconds for which a download may stand still.
PATIENCE = 60.0
#: How often a request that failed for a passing reason is made again, after a pause each.
RETRIES = 3
#: Seconds that reading the channels and solving may take together: nothing tells how far that is.
SOLVING = 900.0
#: What conda-build leaves room for in a binary; a longer prefix can't be written into one.
MAX_PREFIX = 255


@dataclass(frozen=True)
class Solution:
    """What a solver found.

    Attributes:
        packages: The packages, sorted by name.
        channels: The addresses of the channels that were asked, in order of preference.
    """

    packages: tuple[CondaPackage, ...]
    channels: tuple[str, ...]


class Engine:
    """Solves for, and installs, Conda packages.

    Args:
        root: The root of all environments; the package cache and the channels' indexes lie under
            it.
        reporter: Told how far it is; its cancellation ends a call with `CreationCanceledError`.
        pass_fds: Descriptors that helpers keep open, such as locks.
        log: Told what helpers print that is not meant for a program.

    Each call starts a helper of its own; those within a ``with`` block share one. Safe to use from
    any thread, within a block from one at a time, and by any number of processes at once.
    """

    def __init__(
        self,
        root: Path,
        reporter: Reporter,
        *,
        pass_fds: Sequence[int] = (),
        log: Callable[[str], object] | None = None,
    ) -> None:
        self.cache = PackageCache(root)
        self._root = root
        self._reporter = reporter
        self._pass_fds = tuple(pass_fds)
        self._log = log or reporter.line
        self._helper: Helper | None = None

    def __enter__(self) -> Engine:
        self._helper = self._new_helper()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.close()

    def solve(
        self,
        specs: Sequence[str],
        channels: Sequence[str] = (),
        *,
        platform: str | None = None,
        virtual_packages: Mapping[str, str] | None = None,
        alone: Sequence[str] = (),
        constraints: Sequence[str] = (),
        locked: Sequence[CondaPackage] = (),
    ) -> Solution:
        """Return the packages that satisfy all specs.

        Args:
            specs: Match specs, such as ``"numpy >=1.26"`` or ``"nvidia::cuda-toolkit=11.*"``.
            channels: Names, addresses or folders, the one to prefer first; without any those of
                the user's ``.condarc`` or pixi configuration, else conda-forge.
            platform: For which platform; by default this one.
            virtual_packages: What the machine has, for instance ``{"__cuda": "12.2"}``; by
                default what this one has, or for another platform what nearly all have.
            alone: Match specs of packages to take without what they depend on.
            constraints: Match specs that packages have to satisfy if they are chosen at all.
            locked: Packages to keep where that is possible.

        Raises:
            EnvironmentBuildError: They can't be had together, or the channels can't be read.
            ConfigurationError: A spec can't be read, or py-rattler is not installed.
        """
        target = find_platform(platform).subdir if platform else here().subdir
        sources = find_sources(channels, [*specs, *alone], read_condarc())
        make_folder(self._root)
        answer = self._ask(
            {
                "operation": "solve",
                "patience": SOLVING,
                "specs": sources.specs[: len(specs)],
                "alone": sources.specs[len(specs) :],
                "platform": target,
                "virtual_packages": _virtual_packages(target, virtual_packages),
                "constraints": list(constraints),
                "locked": [package.to_json() for package in locked],
            },
            sources,
            "its Conda packages can't be resolved",
        )
        packages = tuple(CondaPackage.from_json(package) for package in answer["packages"])
        return Solution(packages, tuple(answer["channels"]))

    def install(
        self, packages: Sequence[CondaPackage], prefix: Path, channels: Sequence[str] = ()
    ) -> None:
        """Make a prefix consist of exactly these packages; what is there already stays.

        Args:
            packages: As `solve` returned them, or from a lock.
            prefix: The folder; it is made if it is not there.
            channels: As for `solve`, for the credentials that they may carry.

        Raises:
            EnvironmentBuildError: An archive can't be fetched, is not the one that it should be,
                or can't be linked.
            ConfigurationError: The prefix is too long, or py-rattler is not installed.
        """
        check_prefix(prefix)
        sources = find_sources(channels, (), read_condarc())
        request = {
            "operation": "install",
            "patience": PATIENCE,
            "packages": [package.to_json() for package in packages],
            "prefix": str(prefix),
            "cache": str(self.cache.folder),
            "lock": str(self.cache.lock),
            "archives": str(self._root / "archives"),
        }
        self.cache.prepare(packages, self._reporter.cancellation)
        self._ask(request, sources, "its Conda packages can't be installed")

    def _ask(self, request: Mapping[str, Any], sources: Sources, purpose: str) -> dict[str, Any]:
        common = {"repodata": str(self._root / "repodata"), "retries": RETRIES}
        shown = {**dataclasses.asdict(sources), "credentials": {}, "variables": {}}
        whole = {**request, **common, "sources": shown}
        purpose = f"environment {self._reporter.name!r}: {purpose}"
        if self._helper is not None:
            return self._helper.ask(whole, sources, purpose)
        with contextlib.closing(self._new_helper()) as helper:
            return helper.ask(whole, sources, purpose)

    def _new_helper(self) -> Helper:
        return Helper(self._root, self._reporter, self._pass_fds, self._log)


def check_prefix(prefix: Path) -> None:
    """Raise `ConfigurationError` if a prefix is too long to be written into binaries."""
    length = len(os.fsencode(prefix))
    if length > MAX_PREFIX:
        raise ConfigurationError(
            f"the folder {str(prefix)!r} is {length} bytes long, and Conda packages can't be "
            f"installed below more than {MAX_PREFIX}: use a shorter name, or give "
            "EnvironmentManager a root with a shorter path"
        )


# What a machine has at least, for which somebody else makes a lock: the oldest that packages of
# conda-forge are built for.
_USUAL = {
    "linux": {"__unix": "0", "__linux": "4.18", "__glibc": "2.28"},
    "osx": {"__unix": "0", "__osx": "13.0"},
    "win": {"__win": "10"},
}


def _virtual_packages(platform: str, given: Mapping[str, str] | None) -> Mapping[str, str] | None:
    if given is not None or platform == here().subdir:
        return given
    machine = {"64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
    system, _, kind = platform.partition("-")
    return {**_USUAL.get(system, {}), "__archspec": f"1={machine.get(kind, kind)}"}
