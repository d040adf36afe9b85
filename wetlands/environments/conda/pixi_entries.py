"""The entries of pixi's dependency tables, as match specs and as lines of a requirements file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wetlands.errors import ConfigurationError


def conda_spec(file: str, name: str, value: Any) -> str:
    """Return an entry of ``[dependencies]`` as a match spec.

    Raises:
        ConfigurationError: It is of a kind that nothing but pixi can install.
    """
    if isinstance(value, str):
        value = {"version": value}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{file}: {name} = {value!r} is no version and no table")
    if unknown := set(value) - {"version", "build", "channel"}:
        raise ConfigurationError(
            f"{file}: {name} has {sorted(unknown)[0]!r}, which is not supported: describe a Conda "
            "package by version, build and channel"
        )
    version = str(value.get("version", "*")).strip()
    build = str(value.get("build", "")).strip()
    spec = " ".join([name, "" if version == "*" and not build else version, build]).strip()
    return f"{value['channel']}::{spec}" if value.get("channel") else spec


def pip_line(file: Path, name: str, value: Any) -> str:
    """Return an entry of ``[pypi-dependencies]`` as a line of a requirements file.

    Raises:
        ConfigurationError: It is of a kind that is not known.
    """
    if isinstance(value, str):
        value = {"version": value}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{file.name}: {name} = {value!r} is no version and no table")
    extras = ",".join(value.get("extras", ()))
    label = f"{name}[{extras}]" if extras else name
    if "path" in value:
        return _path_line(file, label, value)
    if "git" in value:
        return f"{label} @ {_git(value)}"
    if "url" in value:
        return f"{label} @ {value['url']}"
    version = str(value.get("version", "*")).strip()
    marker = f" ; {value['env-markers']}" if value.get("env-markers") else ""
    return label + ("" if version == "*" else _version(version)) + marker


def _path_line(file: Path, label: str, value: Mapping[str, Any]) -> str:
    address = (file.parent / str(value["path"])).resolve().as_uri()
    if not value.get("editable"):
        return f"{label} @ {address}"
    _, bracket, extras = label.partition("[")
    return f"-e {address}{bracket}{extras}"


def _git(value: Mapping[str, Any]) -> str:
    revision = value.get("rev") or value.get("tag") or value.get("branch")
    folder = value.get("subdirectory")
    address = str(value["git"])
    address = address if address.startswith("git+") else f"git+{address}"
    return (
        address
        + (f"@{revision}" if revision else "")
        + (f"#subdirectory={folder}" if folder else "")
    )


def _version(version: str) -> str:
    return version if version[0] in "=<>!~" else f"=={version}"
