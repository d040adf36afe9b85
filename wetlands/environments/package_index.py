"""Whose settings decide where packages come from.

The user's. uv's own variables and its user configuration are passed on untouched. People whose
company has a package index have often told only pip about it, so where uv was told nothing about
indexes, what pip was told is translated: first pip's variables, then its configuration files. One
difference stays, on purpose: uv takes a package from the first index that has it, and never mixes,
which is what keeps a public package from taking a private one's name.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

# pip's option -> uv's variable, and whether it may hold several values.
_TRANSLATED = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
_COMMA_SEPARATED = ("find-links",)

UV_INDEX_VARIABLES = (
    *("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    "UV_NO_INDEX",
)


def uv_config_file(environ: Mapping[str, str]) -> Path | None:
    """Return the configuration that the user made for uv, if there is one.

    One of the current folder is none: which packages an environment gets must not depend on where
    the host was started.
    """
    if named := environ.get("UV_CONFIG_FILE"):
        return Path(named).absolute()
    return next((path for path in _uv_config_places(environ) if path.is_file()), None)


def _uv_config_places(environ: Mapping[str, str]) -> Iterator[Path]:
    if os.name == "nt":
        yield Path(environ.get("APPDATA", "~")).expanduser() / "uv" / "uv.toml"
        yield Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "uv" / "uv.toml"
        return
    yield Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "uv" / "uv.toml"
    for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(folder, "uv", "uv.toml")
    yield Path("/etc/uv/uv.toml")


def translate_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what pip was told about package indexes, in uv's words."""
    options = {**_from_files(environ), **_from_variables(environ)}
    translated: dict[str, str] = {}
    for option, variable in _TRANSLATED.items():
        values = options.get(option, "").split()
        if values and variable not in environ:
            translated[variable] = ("," if option in _COMMA_SEPARATED else " ").join(values)
    return translated


def _from_variables(environ: Mapping[str, str]) -> dict[str, str]:
    named = {option: "PIP_" + option.upper().replace("-", "_") for option in _TRANSLATED}
    return {option: environ[name] for option, name in named.items() if environ.get(name)}


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for path in _pip_config_places(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip will tell its users; it is not ours to judge
        for section in ("global", "install"):
            if parser.has_section(section):
                options.update(parser.items(section))
    return options


def _pip_config_places(environ: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files, the strongest last."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    extra = [Path(named)] if named else []
    if os.name == "nt":
        data = Path(environ.get("APPDATA", "~")).expanduser()
        shared = Path(environ.get("PROGRAMDATA", "C:/ProgramData"))
        return [shared / "pip" / "pip.ini", Path.home() / "pip" / "pip.ini",
                data / "pip" / "pip.ini", *extra]  # fmt: skip
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    places = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    if sys.platform == "darwin":
        places.append(home / "Library" / "Application Support" / "pip" / "pip.conf")
    return [*places, home / ".pip" / "pip.conf", config / "pip" / "pip.conf", *extra]
