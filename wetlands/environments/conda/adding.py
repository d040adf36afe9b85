"""More Conda packages for a prefix that is there already, in place."""

from __future__ import annotations

from pathlib import Path

from wetlands.environments.conda.engine import Engine
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.disk import read_json
from wetlands.environments.recipe import Recipe
from wetlands.errors import ConfigurationError


def installed(prefix: Path) -> list[CondaPackage]:
    """Return the Conda packages of a prefix, those whose record can't be read left out."""
    records = (read_json(file) for file in sorted((prefix / "conda-meta").glob("*.json")))
    return [CondaPackage.from_json(record) for record in records if record and record.get("url")]


def add(engine: Engine, prefix: Path, recipe: Recipe) -> list[str]:
    """Install what a recipe has of Conda; return a line for each change.

    What is there stays in its version where that is possible. Channels are those of the recipe,
    else those that the packages in the prefix came from.

    Raises:
        ConfigurationError: The prefix is none of Conda's.
        EnvironmentBuildError: They can't be had beside what is there, or can't be installed.
    """
    if not (prefix / "conda-meta").is_dir():
        named = ", ".join([*recipe.conda, *recipe.conda_alone])
        raise ConfigurationError(
            f"{str(prefix)!r} is no Conda environment, so that {named} can't be added: create one "
            "with these under 'conda', or ask for them under 'pip'"
        )
    before = installed(prefix)
    channels = recipe.channels or tuple(dict.fromkeys(each.channel for each in before))
    wanted = [*recipe.conda, *(package.name for package in before)]
    solution = engine.solve(wanted, channels, locked=before, alone=recipe.conda_alone)
    engine.install(solution.packages, prefix, channels)
    old, new = ({each.stem for each in packages} for packages in (before, solution.packages))
    return [f" - {stem}" for stem in sorted(old - new)] + [
        f" + {stem}" for stem in sorted(new - old)
    ]
