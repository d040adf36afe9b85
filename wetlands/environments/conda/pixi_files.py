"""Recipes from ``pixi.toml``, and from ``pyproject.toml`` with a table ``[tool.pixi]``.

Taken are channels, platforms, the dependencies of both kinds, those for this platform, and those of
features that are asked for, by their own name or by that of an environment. Tasks, activation and
system requirements are pixi's business: this machine's own virtual packages count here.

Source: pixi's documentation, "Pixi manifest".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wetlands.environments.conda.pixi_entries import conda_spec, pip_line
from wetlands.environments.conda.specs import canonical_spec, python_spec
from wetlands.environments.entries import canonical_name, strings
from wetlands.environments.locks.platforms import here
from wetlands.environments.project_files import load_toml
from wetlands.environments.python_request import parse_python
from wetlands.environments.recipe import Recipe
from wetlands.environments.requirement_files import inline_requirements
from wetlands.errors import ConfigurationError

Table = Mapping[str, Any]


def has_pixi(file: Path) -> bool:
    """Tell whether a ``pyproject.toml`` has a table of pixi's."""
    return bool(_table(load_toml(file), "tool", "pixi"))


def read_pixi(file: Path, wanted: Sequence[str], install_project: bool) -> Recipe:
    """Return the recipe of a manifest.

    Args:
        file: The manifest.
        wanted: Features, or environments in place of all their features; in a ``pyproject.toml``
            also extras and dependency groups, which for pixi are features as well.
        install_project: Install the project of a ``pyproject.toml`` too.

    Raises:
        ConfigurationError: Something in it can't be understood, or it is not for this platform.
    """
    content = load_toml(file)
    project = _table(content, "project") if file.name == "pyproject.toml" else {}
    pixi = _table(content, "tool", "pixi") if file.name == "pyproject.toml" else content
    manifest = _Manifest(file, pixi, content, project)
    parts = manifest.parts(wanted)
    conda = manifest.conda(parts)
    if requires := project.get("requires-python"):
        conda.setdefault("python", python_spec(parse_python(requires)))
    lines = [*manifest.pip(parts), *manifest.project_lines(wanted)]
    if install_project:
        lines.append(f"{project['name']} @ {file.parent.as_uri()}" if project else ".")
    return Recipe(
        conda=tuple(sorted(canonical_spec(spec) for spec in conda.values())) or ("python",),
        channels=manifest.channels(parts),
        config=inline_requirements(file, lines),
    )


class _Manifest:
    def __init__(self, file: Path, pixi: Table, content: Table, project: Table) -> None:
        self.file = file
        self.pixi = pixi
        self.content = content
        self.project = project
        self.workspace = _table(pixi, "workspace") or _table(pixi, "project")
        self._check()

    def _check(self) -> None:
        if not self.workspace:
            raise self.wrong("has no [workspace] table")
        names = strings(self.workspace.get("platforms"), f"{self.file.name}: platforms")
        if names and here().subdir not in names:
            raise self.wrong(f"is for {', '.join(names)}, and this is {here().subdir}")
        options = _table(self.pixi, "pypi-options")
        if found := {"index-url", "extra-index-urls", "find-links"} & set(options):
            raise self.wrong(
                f"has {', '.join(sorted(found))} in pypi-options, but where packages come from is "
                "read from uv's settings only: set UV_DEFAULT_INDEX, UV_INDEX or UV_FIND_LINKS"
            )

    def wrong(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"{str(self.file)!r} {why}")

    def parts(self, wanted: Sequence[str]) -> list[Table]:
        """Return the tables that count, the default ones first, a platform's after its own."""
        features = (_table(self.pixi, "feature", name) for name in self._features(wanted))
        found: list[Table] = [self.pixi, *features]
        return [each for part in found for each in (part, *self._targets(part))]

    def _features(self, wanted: Sequence[str]) -> list[str]:
        features = set(_table(self.pixi, "feature")) | self._groups()
        environments = _table(self.pixi, "environments")
        chosen: list[str] = []
        for name in wanted:
            if name in environments:
                described = environments[name]
                listed = described.get("features") if isinstance(described, Mapping) else described
                chosen += strings(listed, f"{self.file.name}: environment {name}")
            elif name in features or canonical_name(name) in features:
                chosen.append(name)
            else:
                known = ", ".join(sorted(features | set(environments))) or "none"
                raise self.wrong(f"has no feature or environment {name!r}: it has {known}")
        return list(dict.fromkeys(chosen))

    def _groups(self) -> set[str]:
        extras = _table(self.project, "optional-dependencies")
        groups = _table(self.content, "dependency-groups") if self.project else {}
        return {canonical_name(name) for name in (*extras, *groups)}

    def _targets(self, part: Table) -> Iterator[Table]:
        system = here().subdir.partition("-")[0]
        selectors = ["unix"] if system in ("linux", "osx") else []
        for selector in (*selectors, system, here().subdir):
            if target := _table(part, "target", selector):
                yield target

    def conda(self, parts: Sequence[Table]) -> dict[str, str]:
        """Return the specs by name; later tables weigh more."""
        return {
            name.lower(): conda_spec(self.file.name, name, value)
            for part in parts
            for name, value in _table(part, "dependencies").items()
        }

    def pip(self, parts: Sequence[Table]) -> list[str]:
        """Return the lines of a requirements file."""
        lines = {
            canonical_name(name): pip_line(self.file, name, value)
            for part in parts
            for name, value in _table(part, "pypi-dependencies").items()
        }
        return sorted(lines.values())

    def project_lines(self, wanted: Sequence[str]) -> list[str]:
        """Return what ``[project]`` needs, with the extras and groups that are wanted."""
        if {"dependencies", "optional-dependencies"} & set(self.project.get("dynamic", ())):
            raise self.wrong("has dynamic dependencies, which only a build knows: list them in it")
        lists = [self.project.get("dependencies", ())]
        tables = (
            _table(self.project, "optional-dependencies"),
            _table(self.content, "dependency-groups") if self.project else {},
        )
        chosen = {canonical_name(name) for name in self._features(wanted)}
        for table in tables:
            lists += [table[name] for name in table if canonical_name(name) in chosen]
        return [line for listed in lists for line in listed if isinstance(line, str)]

    def channels(self, parts: Sequence[Table]) -> tuple[str, ...]:
        """Return the channels, those of features first, by the priorities that they have."""
        found: list[tuple[int, str]] = []
        for table in (*reversed(parts), self.workspace):
            for entry in table.get("channels", ()):
                entry = {"channel": entry} if isinstance(entry, str) else entry
                if not isinstance(entry, Mapping) or "channel" not in entry:
                    raise self.wrong(f"has the channel {entry!r}: write its name or address")
                found.append((-int(entry.get("priority", 0)), str(entry["channel"])))
        return tuple(dict.fromkeys(name for _, name in sorted(found, key=lambda each: each[0])))


def _table(content: Table, *keys: str) -> Table:
    found: Any = content
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
