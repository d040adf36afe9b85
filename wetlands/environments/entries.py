"""The entries of a recipe's lists: pip requirements, local packages, Conda specs.

Each wrong entry is one `ConfigurationError` that shows the entry and says what to write in its
place.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wetlands.environments.local_sources import LocalPackage
from wetlands.errors import ConfigurationError

# A name, and at most one plain version: most requirements are just that, and finding an environment
# that lies ready then does not have to load a whole parser, which takes longer than all the rest.
_SIMPLE = re.compile(
    r"([a-z0-9](?:[\w.-]*[a-z0-9])?)(?:\s*(==|>=|<=|<|>|!=)\s*(\d+(?:\.\d+)*))?",
    re.IGNORECASE | re.ASCII,
)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PYTHON_VERSION = re.compile(r"[\s\d.*,=<>!~]*")
_CONDA_PYTHON = re.compile(r"(?:[\w./:-]+::)?python(?![\w.-])\s*(.*)", re.IGNORECASE)


def items(value: object, label: str) -> Sequence[Any]:
    """Return a list entry by entry; a single text is a frequent slip and an error."""
    if value is None:
        return ()
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{label} must be a list, not {type(value).__name__}: {value!r}")
    return tuple(value)


def strings(value: object, label: str) -> list[str]:
    """Return a list of texts."""
    listed = items(value, label)
    for entry in listed:
        if not isinstance(entry, str):
            raise ConfigurationError(f"{label} has the entry {entry!r}: every entry must be a str")
    return [entry.strip() for entry in listed]


def parse_pip(value: object, platform: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the canonical requirements for a platform, and those to install without
    dependencies."""
    wanted: tuple[set[str], set[str]] = (set(), set())
    for entry in items(value, "dependencies['pip']"):
        text, alone = _with_options(entry, "pip", platform)
        if text is not None:
            wanted[alone].add(canonical_requirement(text))
    return tuple(sorted(wanted[0])), tuple(sorted(wanted[1]))


def _with_options(entry: object, section: str, platform: str) -> tuple[str | None, bool]:
    """Return the text of an entry, or None where it is not wanted, and whether it goes alone."""
    if isinstance(entry, str):
        return entry.strip(), False
    label = f"dependencies[{section!r}] entry {entry!r}"
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"{label} must be a str or a dict with a 'name'")
    allowed = {"name", "platforms", "optional", "dependencies"}
    if unknown := set(entry) - allowed:
        raise ConfigurationError(
            f"{label} has the unknown key {sorted(map(str, unknown))[0]!r}: "
            f"the keys are {', '.join(sorted(allowed))}"
        )
    name = entry.get("name")
    if not isinstance(name, str):
        raise ConfigurationError(f"{label} needs a 'name', for example 'numpy>=1.26'")
    alone = entry.get("dependencies") is False
    return (name.strip() if _wanted_on(platform, entry, label) else None), alone


def _wanted_on(platform: str, entry: Mapping[str, Any], label: str) -> bool:
    platforms = strings(entry.get("platforms"), f"{label}: 'platforms'")
    if not platforms or platform in platforms:
        return True
    if entry.get("optional"):
        return False
    raise ConfigurationError(
        f"{label} is not available on the platform {platform}, only on "
        f"{', '.join(platforms)}; add 'optional': True to leave it out elsewhere"
    )


def this_platform() -> str:
    """Return this machine's platform as recipes name it, for example ``"linux-64"``."""
    system = {"darwin": "osx", "win32": "win"}.get(sys.platform, "linux")
    arm = machine() in ("arm64", "aarch64")
    return f"{system}-{'arm64' if arm else '64'}"


def machine() -> str:
    """Return the kind of this machine's processor, for example ``"x86_64"``."""
    if os.name != "nt":
        return os.uname().machine.lower()
    import platform  # which would ask the same, and takes long to load

    return platform.machine().lower()


def canonical_requirement(text: str) -> str:
    """Return a requirement in the form that all of its spellings share.

    Raises:
        ConfigurationError: It is none; says what to write.
    """
    if simple := _SIMPLE.fullmatch(text):
        name, operator, version = simple.groups(default="")
        return canonical_name(name) + operator + version
    return text if _URL.fullmatch(text) else _parsed(text)


def _parsed(text: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ConfigurationError(
            f"dependencies['pip'] has the entry {text!r}: {_advise(text)}"
        ) from error
    requirement.name = canonical_name(requirement.name)
    return str(requirement)


def canonical_name(name: str) -> str:
    """Return a package's name as all of its spellings are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _advise(text: str) -> str:
    if text.startswith("-"):
        return "options belong in a requirements file, see create_from_config()"
    if "::" in text:
        return "this is a Conda package, and belongs under 'conda'"
    if text.startswith((".", "/", "~")) or os.sep in text:
        return "a folder belongs under 'local': [{'name': ..., 'path': ..., 'editable': ...}]"
    if re.fullmatch(r"[\w.-]+\s*=[^=].*", text):
        return f"write {text.replace('=', '==', 1)!r} (PyPI packages take two equal signs)"
    return "write a requirement such as 'numpy', 'numpy==1.26.4' or 'scipy>=1.11,<2'"


def parse_local(value: object) -> tuple[LocalPackage, ...]:
    """Return the local packages, sorted by name, their paths absolute."""
    parsed = (_local(entry) for entry in items(value, "dependencies['local']"))
    return tuple(sorted(parsed, key=lambda package: package.name))


def _local(entry: object) -> LocalPackage:
    label = f"dependencies['local'] entry {entry!r}"
    how = "write {'name': 'mypackage', 'path': '/folder/of/it', 'editable': False}"
    if not isinstance(entry, Mapping) or not {"name", "path"} <= set(entry):
        raise ConfigurationError(f"{label} must be a dict with 'name' and 'path': {how}")
    if unknown := set(entry) - {"name", "path", "editable"}:
        raise ConfigurationError(f"{label} has the unknown key {sorted(unknown)[0]!r}: {how}")
    name, path, editable = entry["name"], entry["path"], entry.get("editable", True)
    if not isinstance(name, str) or not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(f"{label} has a 'name' or 'path' that is no text: {how}")
    if not isinstance(editable, bool):
        raise ConfigurationError(f"{label} has an 'editable' that is neither True nor False: {how}")
    return LocalPackage.at(name, path, editable=editable)


def parse_conda(
    value: object, label: str, platform: str
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the python request among Conda specs, the other specs in canonical form, and those to
    install without what they depend on.

    pip alone makes no Conda environment: it is left out unless there is something else. A Python
    that only Conda can tell from others, by its build for instance, is one of the other specs.
    """
    if value is None:
        return "", (), ()
    from wetlands.environments.conda.specs import canonical_spec

    python, wanted = "", (set[str](), set[str]())
    for entry in items(value, label):
        text, alone = _with_options(entry, "conda", platform)
        if text is None:
            continue
        found = _CONDA_PYTHON.fullmatch(text)
        if found is None or not _PYTHON_VERSION.fullmatch(found[1]):
            wanted[alone].add(canonical_spec(text))
        else:
            python = found[1].strip()
    rest, without = wanted
    if not without and all(re.match(r"(\S+::)?pip\b", spec) for spec in rest):
        rest = set()
    return python, tuple(sorted(rest)), tuple(sorted(without))
