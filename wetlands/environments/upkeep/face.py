"""`Upkeep`: what becomes of the environments of one root after they were made."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from wetlands.environments.disk import explained
from wetlands.environments.layout import Layout
from wetlands.environments.locks.formats import is_lock
from wetlands.environments.locks.lock import Lock
from wetlands.environments.prefix import Prefix
from wetlands.environments.progress import ProgressCallback, Reporter, Stage
from wetlands.environments.records import read_record
from wetlands.environments.upkeep import exporting, inventory, pruning, usage, verification
from wetlands.environments.upkeep.inventory import InstalledPackage
from wetlands.environments.upkeep.pruning import Pruned
from wetlands.environments.upkeep.usage import DiskUsage
from wetlands.environments.upkeep.verification import Verification
from wetlands.errors import ConfigurationError


class Upkeep:
    """Looks at, checks, mends and removes the environments of one root.

    Args:
        root: The root.
        bar: Whether a progress bar may be drawn on a terminal.

    Safe to use from any thread, and by any number of processes at once.
    """

    def __init__(self, root: Path, *, bar: bool = False) -> None:
        self.root = root
        self._bar = bar

    def packages(self, prefix: Prefix) -> list[InstalledPackage]:
        """Return the packages of an environment, sorted by name."""
        return inventory.packages(prefix.path)

    def verify(self, prefix: Prefix) -> Verification:
        """Compare every file of an environment with its record."""
        skeleton = self._layout(prefix).skeleton if prefix.managed else None
        return verification.verify(prefix.path, skeleton)

    def repair(self, prefix: Prefix, on_progress: ProgressCallback | None = None) -> Verification:
        """Build an environment anew from its lock if a file is missing or changed."""
        from wetlands.environments.upkeep.repair import repair

        with Reporter(prefix.name, on_progress, bar=self._bar) as reporter:
            found = repair(prefix, self._layout(prefix), self.root, reporter)
            reporter.stage(Stage.READY, "ready")
        return found

    def export(self, prefix: Prefix, path: str | os.PathLike[str] | None) -> str:
        """Return an environment as the text of a file, and write that if there is a path."""
        file = None if path is None else Path(os.fsdecode(path)).expanduser().absolute()
        if file is not None and is_lock(file):
            return self.lock(prefix).write(file).read_text(encoding="utf-8")
        if file is not None and file.suffix not in (".yml", ".yaml"):
            raise ConfigurationError(
                f"an environment is exported as environment.yml or pylock.toml, not {file.name!r}"
            )
        text = exporting.environment_yml(prefix)
        if file is not None:
            with explained("write", file):
                file.write_text(text, encoding="utf-8")
        return text

    def lock(self, prefix: Prefix) -> Lock:
        """Return the lock that gives an environment."""
        layout = self._layout(prefix) if prefix.managed else None
        record = read_record(layout) if layout else None
        with Reporter(prefix.name) as reporter:
            return exporting.export_lock(prefix, record, layout, reporter)

    def disk_usage(self) -> DiskUsage:
        """Measure the root."""
        return usage.disk_usage(self.root)

    def prune(self, unused_days: float, *, trial: bool) -> Pruned:
        """Remove what nobody has used for some days."""
        return pruning.prune(self.root, _age(unused_days), trial=trial)

    def _layout(self, prefix: Prefix) -> Layout:
        return Layout(self.root / "envs" / prefix.name)


def _age(days: object) -> timedelta:
    if isinstance(days, bool) or not isinstance(days, (int, float)) or not days >= 0:
        raise ConfigurationError(f"unused_days must be a number from 0 on, not {days!r}")
    return timedelta(days=min(days, 1_000_000))
