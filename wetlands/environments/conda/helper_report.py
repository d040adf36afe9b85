"""In the helper: py-rattler's callbacks -> lines for the host, not too many of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from rattler.install import InstallerReporter

from wetlands.environments.conda.helper import say

#: Seconds between two lines about one download.
PAUSE = 0.1


class LineReporter(InstallerReporter):  # type: ignore[misc]
    """Tells of downloads by byte, and of links by package.

    Args:
        packages: How many there are.
        on_link: Called with the name of each, when it is in the cache and before it is linked.
    """

    def __init__(self, packages: int, on_link: Callable[[str], None]) -> None:
        self._packages = packages
        self._on_link = on_link
        self._linked = 0
        self._tokens = itertools.count(1)
        self._names: dict[int, str] = {}
        self._told: dict[int, float] = {}
        self._downloads = 0
        self._heard = time.monotonic()

    def silence(self) -> float:
        """Return for how many seconds nothing has come, while something is being fetched."""
        return time.monotonic() - self._heard if self._downloads else 0.0

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        """Give a package a number."""
        return self._token(package_name)

    def on_download_start(self, cache_entry: int) -> int:
        """Give a download a number."""
        name = self._names.get(cache_entry, "")
        self._downloads += 1
        self._heard = time.monotonic()
        tell("download", name)
        return self._token(name)

    def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:
        """Tell of it, unless that was just done."""
        now = self._heard = time.monotonic()
        if progress != total and now - self._told.get(download_idx, 0.0) < PAUSE:
            return
        self._told[download_idx] = now
        tell("download", self._names.get(download_idx, ""), progress, total)

    def on_download_completed(self, download_idx: int) -> None:
        """Note that there is one less to wait for."""
        self._downloads -= 1

    def on_link_start(self, operation: int, package_name: str) -> int:
        """Give a link a number, unless it must not be."""
        self._on_link(package_name)
        return self._token(package_name)

    def on_link_complete(self, index: int) -> None:
        """Tell of it."""
        self._linked += 1
        tell("link", self._names.get(index, ""), self._linked, self._packages)

    def _token(self, name: str) -> int:
        token = next(self._tokens)
        self._names[token] = name
        return token


def tell(step: str, package: str = "", done: int = 0, total: int | None = None) -> None:
    """Tell the host how far it is."""
    say("progress", {"step": step, "package": package, "done": done, "total": total})
