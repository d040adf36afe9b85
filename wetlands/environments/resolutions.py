"""What was resolved a short while ago: the same question gets the same answer.

How long the answers of a package index may be used is for the index to say, and many say nothing:
then each resolution fetches the same pages again, which takes longer than all else that a venv
needs. So an answer is kept for as long as the public index lets its own be kept. What comes from
folders or addresses outside of an index is looked at again every time: who just put a new version
there wants it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from wetlands.environments import uv
from wetlands.environments.disk import make_folder, write_atomically
from wetlands.environments.recipe import Recipe

#: For how long an answer holds.
FRESH = timedelta(minutes=10)


class Resolutions:
    """What was resolved in one root; safe to use by any number of threads and processes.

    Args:
        root: The root.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "resolutions"

    def answer(
        self, recipe: Recipe, about: str, resolve: Callable[[], str], told: Callable[[str], object]
    ) -> str:
        """Return what a recipe is resolved to.

        Args:
            recipe: The recipe.
            about: What else the answer depends on, uv's settings aside.
            resolve: Called if there is no answer that still holds.
            told: Called with a line if there is one.
        """
        if not _may_be_kept(recipe):
            return resolve()
        file = self._folder / f"{_digest(recipe, about)}.toml"
        if _is_fresh(file):
            with contextlib.suppress(OSError):
                text = file.read_text(encoding="utf-8")
                told("they were resolved less than ten minutes ago")
                return text
        text = resolve()
        make_folder(self._folder)
        write_atomically(file, text)
        self.sweep()
        return text

    def sweep(self) -> None:
        """Remove the answers that hold no more."""
        for file in self.stale():
            file.unlink(missing_ok=True)

    def stale(self) -> Iterator[Path]:
        """Give the answers that hold no more, and what a crash left of one."""
        yield from (file for file in sorted(self._folder.glob("*")) if not _is_fresh(file))


def _may_be_kept(recipe: Recipe) -> bool:
    if recipe.local or recipe.config or recipe.lock or recipe.empty:
        return False
    if any("@" in line or "/" in line for line in (*recipe.pip, *recipe.no_deps)):
        return False  # a file, a folder or a branch
    sources = uv.sources()
    return bool(sources) and all(each.startswith(("http://", "https://")) for each in sources)


def _digest(recipe: Recipe, about: str) -> str:
    import hashlib

    question = [about, recipe.python, recipe.pip, recipe.no_deps, uv.settings()]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:20]


def _is_fresh(file: Path) -> bool:
    try:
        written = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    except OSError:
        return False
    return timedelta(0) <= datetime.now(timezone.utc) - written < FRESH
