"""What users told conda and mamba in ``.condarc``, as far as packages are fetched by it.

Sources: conda's documentation, "Using the .condarc conda configuration file": the places in order,
later ones weigh more; maps are merged, lists are joined with the weightier first; ``$VARIABLES`` in
values are replaced; a variable ``CONDA_<KEY>`` weighs more than all files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from wetlands.errors import ConfigurationError

_ALIAS = "https://conda.anaconda.org"
_DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
_PRIORITIES = {"strict": "strict", "flexible": "flexible", "disabled": "disabled",
               "true": "flexible", "false": "disabled"}  # fmt: skip


@dataclass(frozen=True)
class Condarc:
    """What a user's files say.

    Attributes:
        alias: Where channels are that are given by their name.
        channels: Those to use when a recipe names none.
        defaults: What the channel ``defaults`` stands for.
        custom: Where channels of certain names are.
        groups: Names that stand for several channels.
        priority: ``"strict"``, ``"flexible"``, ``"disabled"``, or empty if nothing is said.
        proxies: Proxies by scheme.
        verify: False, or the path of a certificate file, or True.
        mirrors: Other addresses of channels, by their names.
    """

    alias: str = _ALIAS
    channels: tuple[str, ...] = ()
    defaults: tuple[str, ...] = _DEFAULTS
    custom: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    priority: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_condarc(environ: Mapping[str, str] | None = None) -> Condarc:
    """Return what the files and variables of a user say.

    Raises:
        ConfigurationError: A file is no YAML, or something in it is of a wrong kind.
    """
    given = os.environ if environ is None else environ
    merged: dict[str, Any] = {}
    for path in _places(given):
        _merge(merged, _load(path))
    for key in ("channel_alias", "channel_priority", "ssl_verify"):
        if value := given.get(f"CONDA_{key.upper()}"):
            merged[key] = value
    return _condarc(_expanded(merged, given))


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files that there may be, the weightiest last."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = Path("C:/ProgramData/conda" if sys.platform == "win32" else "/etc/conda")
    folders = [system, Path("/var/lib/conda"), config / "conda", home / ".conda"]
    if root := environ.get("CONDA_ROOT") or environ.get("MAMBA_ROOT_PREFIX"):
        folders.insert(2, Path(root))
    for folder in folders:
        yield from (folder / ".condarc", folder / "condarc")
    yield from (home / ".condarc", home / ".mambarc")
    if prefix := environ.get("CONDA_PREFIX"):
        yield Path(prefix) / ".condarc"
    if named := environ.get("CONDARC"):
        yield Path(named)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{str(path)!r} is no valid YAML: {error}") from error
    return content if isinstance(content, Mapping) else {}


def _merge(merged: dict[str, Any], content: Mapping[str, Any]) -> None:
    for key, value in content.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = {**old, **value}
        elif isinstance(old, list) and isinstance(value, list):
            merged[key] = list(dict.fromkeys([*value, *old]))
        else:
            merged[key] = value


def _expanded(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return Template(value).safe_substitute(environ)
    if isinstance(value, Mapping):
        return {key: _expanded(each, environ) for key, each in value.items()}
    return [_expanded(each, environ) for each in value] if isinstance(value, list) else value


def _condarc(content: Mapping[str, Any]) -> Condarc:
    verify = content.get("ssl_verify", True)
    if isinstance(verify, str):
        verify = {"false": False, "true": True, "truststore": True}.get(verify.lower(), verify)
    return Condarc(
        alias=str(content.get("channel_alias") or _ALIAS).rstrip("/"),
        channels=_texts(content, "channels"),
        defaults=_texts(content, "default_channels") or _DEFAULTS,
        custom={str(k): str(v).rstrip("/") for k, v in _map(content, "custom_channels").items()},
        groups=_lists(content, "custom_multichannels"),
        priority=_PRIORITIES.get(str(content.get("channel_priority", "")).lower(), ""),
        proxies={str(k): str(v) for k, v in _map(content, "proxy_servers").items()},
        verify=verify,
        mirrors=_lists(content, "mirrored_channels"),
    )


def _texts(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = content.get(key) or ()
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _map(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f".condarc: {key} must be a map, not {value!r}")
    return value


def _lists(content: Mapping[str, Any], key: str) -> dict[str, tuple[str, ...]]:
    inner = _map(content, key)
    return {str(name): _texts(inner, name) for name in inner}
