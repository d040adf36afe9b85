"""Builds an environment anew that has files missing or changed, from the locks that it has."""

from __future__ import annotations

from pathlib import Path

from wetlands.environments.builder import make
from wetlands.environments.claims import building, unused
from wetlands.environments.disk import explained, read_json
from wetlands.environments.layout import Layout
from wetlands.environments.locks.lock import Lock
from wetlands.environments.makers import maker_again
from wetlands.environments.prefix import Prefix
from wetlands.environments.probing import fingerprint_of
from wetlands.environments.progress import Reporter
from wetlands.environments.recipe import Recipe
from wetlands.environments.records import Record, read_record, write_record
from wetlands.environments.stock import Stock
from wetlands.environments.upkeep.verification import Verification, verify
from wetlands.environments.venv import mend
from wetlands.environments.workspace import Workspace
from wetlands.errors import ConfigurationError, EnvironmentNotFoundError, ProvisioningError


def repair(prefix: Prefix, layout: Layout, root: Path, reporter: Reporter) -> Verification:
    """Bring an environment back to what its locks say, if a file of it is missing or changed.

    Returns:
        What was found before; nothing was done if that is ``ok``.

    Raises:
        ConfigurationError: It was not created here.
        EnvironmentInUseError: Workers run in it.
        EnvironmentNotFoundError: It was deleted meanwhile.
        EnvironmentBuildError: A package can't be fetched.
        ProvisioningError: Its locks are not those that it was built from.
    """
    if not prefix.managed:
        raise ConfigurationError(
            f"environment {prefix.name!r} was loaded from {str(prefix.path)!r}, not created here: "
            "repair it with the tool that made it"
        )
    with building(layout, reporter) as lock, unused(layout) as use:
        record = read_record(layout)
        if record is None:
            raise EnvironmentNotFoundError(
                f"environment {prefix.name!r} is not there any more: create it again"
            )
        found = verify(layout.prefix, layout.skeleton)
        if not found.ok:
            with explained("write to", layout.folder):
                _rebuild(Workspace(layout, reporter, [lock, use]), record, found, root)
    return found


def _rebuild(work: Workspace, record: Record, found: Verification, root: Path) -> None:
    broken = ", ".join(found.broken) or "the venv itself"
    work.reporter.line(f"{found.summary()}; broken: {broken}")
    recipe = _kept(work.layout, record)
    Stock(root).forget(found.broken)
    with maker_again(work, recipe, record.interpreter, root) as maker:
        if maker.digest() != record.lock:
            raise ProvisioningError(
                f"environment {record.name!r} can't be repaired, because its lock was changed: "
                "create it again with replace_existing=True"
            )
        maker.prepare()
        made = make(work, recipe, maker)
    # What was edited may be edited in uv's cache as well, and so well that a glance doesn't tell.
    if work.layout.lock.is_file() and (left := verify(work.layout.prefix).broken):
        mend(work, left)
    base = fingerprint_of(made.base_executable or made.executable)
    write_record(work.layout, record._replace(interpreter=made, base=base, additions=[]))


def _kept(layout: Layout, record: Record) -> Recipe:
    """Return what is known of a recipe without itself: enough to install from the locks."""
    major, minor, _ = record.interpreter.version
    return Recipe(
        python=f"=={major}.{minor}.*",
        channels=tuple((read_json(layout.conda_lock) or {}).get("channels", ())),
        commands=tuple(record.recipe.get("commands", ())),
        lock=Lock.read(layout.lock) if layout.lock.is_file() else None,
    )
