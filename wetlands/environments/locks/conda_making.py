"""Conda recipe -> `Lock`, for several platforms at once.

pip's part has to leave alone what Conda gives, which takes the names that Conda's packages have on
a package index. Those are in the packages, and differ too often to be guessed (``pytorch`` is
``torch``). So if there is such a part, the Conda packages of this platform are linked into a
scratch prefix and looked at; other platforms have packages of the same names. What is on another
platform alone is taken to have one name everywhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from wetlands.environments.conda.engine import Engine, Solution
from wetlands.environments.conda.maker import specs_of
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.conda.stubs import leave_alone
from wetlands.environments.disk import make_folder
from wetlands.environments.entries import canonical_name
from wetlands.environments.interpreters import choose
from wetlands.environments.layout import Layout
from wetlands.environments.lock import resolve
from wetlands.environments.locks import conda_lock, pylock
from wetlands.environments.locks.lock import Lock
from wetlands.environments.locks.package import LockedPackage
from wetlands.environments.locks.platforms import Platform, here
from wetlands.environments.progress import Reporter, Stage
from wetlands.environments.recipe import Recipe
from wetlands.environments.scratch import scratch_folder
from wetlands.environments.upkeep.manifests import read_manifests
from wetlands.environments.workspace import Workspace
from wetlands.errors import ConfigurationError, ProvisioningError


def make_conda_lock(
    recipes: Sequence[Recipe], platforms: Sequence[Platform], root: Path, reporter: Reporter
) -> Lock:
    """Resolve a Conda recipe for each platform, as it would be on that platform alone.

    Raises:
        ConfigurationError: py-rattler is missing, or something in it can't be locked.
        EnvironmentBuildError: It can't be resolved; carries all that the resolver said.
    """
    make_folder(root)
    solved, local = [], set[str]()
    with (
        scratch_folder(root) as (folder, held),
        Engine(root, reporter, pass_fds=[held.fileno()]) as engine,
    ):
        work = Workspace(Layout(folder), reporter)
        names: Mapping[str, Sequence[str]] | None = None
        for platform, recipe in zip(platforms, recipes, strict=True):
            reporter.stage(Stage.LOCKING, f"resolving its dependencies for {platform.name}")
            solution = solve(engine, recipe, platform)
            pip: list[LockedPackage] = []
            if not recipe.empty:
                if names is None:
                    names = _names(engine, recipe, folder / "p")
                pip, folders = _pip(work, recipe, platform, solution.packages, names, root)
                local.update(folders)
            solved.append((platform, solution.packages, pip, solution.channels))
    channels = dict.fromkeys(channel for *_, listed in solved for channel in listed)
    return Lock.of("conda", conda_lock.build(
        [(platform, conda, pip) for platform, conda, pip, _ in solved], list(channels),
        {"created-by": "wetlands", "wetlands-local": ",".join(sorted(local))},
    ))  # fmt: skip


def solve(engine: Engine, recipe: Recipe, platform: Platform) -> Solution:
    """Return the Conda packages of a recipe on a platform."""
    return engine.solve(
        specs_of(recipe), recipe.channels, platform=platform.name, alone=recipe.conda_alone
    )


def _names(engine: Engine, recipe: Recipe, prefix: Path) -> dict[str, list[str]]:
    """Return the names that Conda packages have on an index, as far as this platform has them."""
    try:
        engine.install(solve(engine, recipe, here()).packages, prefix, recipe.channels)
    except ConfigurationError:
        raise
    except ProvisioningError:
        return {}  # not for this platform
    return {
        manifest.name: [
            Path(file.path).parent.name.partition("-")[0]
            for file in manifest.files
            if file.path.endswith(".dist-info/METADATA")
        ]
        for manifest in read_manifests(prefix)
        if manifest.kind == "conda"
    }


def _pip(
    work: Workspace,
    recipe: Recipe,
    platform: Platform,
    conda: Sequence[CondaPackage],
    names: Mapping[str, Sequence[str]],
    root: Path,
) -> tuple[list[LockedPackage], list[str]]:
    """Return what pip's part of a recipe needs beside Conda's, and its local packages."""
    python = next(package.version for package in conda if package.name == "python")
    minor = ".".join(python.split(".")[:2])
    with tempfile.TemporaryDirectory(dir=work.layout.folder) as scratch:
        options = ["--python-platform", platform.target, "--python-version", minor]
        options += leave_alone(_distributions(conda, names), Path(scratch))
        interpreter = choose("", cache=root / "interpreters")
        text = resolve(work, recipe, interpreter, Path(scratch), options)
    document, folders = pylock.without_folders(pylock.parse(text, "the resolver's answer"))
    found = pylock.packages(document, platform, python)
    for package in found:
        if not package.sha256:
            raise ConfigurationError(
                f"{package.name} comes from {package.url!r} and is no file with a hash, so that a "
                "conda-lock.yml can't have it: give it as a local package, or as a file"
            )
    return found, folders


def _distributions(
    conda: Sequence[CondaPackage], names: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return name and version, as on an index, of what Conda gives."""
    found = {}
    for package in conda:
        of_python = any(each.partition(" ")[0] == "python" for each in package.depends)
        known = names.get(package.name, [package.name] if of_python else [])
        found.update({canonical_name(name): package.version for name in known})
    return found
