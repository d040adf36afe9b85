"""Whose settings decide where packages come from.

The user's. uv's own variables and its user configuration are passed on untouched. People whose
company has a package index in the place of the public one have often told only pip about it, and
nothing would work for them: so where uv was told nothing about indexes, pip's variables and files
are asked for the index that replaces the public one, and how to reach it.

Pip's *additional* indexes are left out. Pip mixes all indexes and takes the highest version, which
lets a public package take a private one's name; uv by design does not, and asked to treat them its
own way it hides the public index behind whatever an additional one happens to have. Who needs one
says so to uv, by ``UV_INDEX``. A folder of wheels counts when it is all there is (``no-index``).
"""

from __future__ import annotations

import configparser
import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from wetlands.environments.probing import fingerprint_of

# pip's option -> uv's variable.
_TRANSLATED = {
    "index-url": "UV_DEFAULT_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
# uv has no variable for "no index at all"; without the network it comes to the same.
_OFFLINE = {"no-index": "UV_OFFLINE", "find-links": "UV_FIND_LINKS"}

UV_INDEX_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
)  # fmt: skip


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
    offline = options.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t")
    names = {**_TRANSLATED, **(_OFFLINE if offline else {})}
    translated: dict[str, str] = {}
    for option, variable in names.items():
        values = options.get(option, "").split()
        if values and variable not in environ:
            translated[variable] = ("," if option == "find-links" else " ").join(values)
    return translated


def _from_variables(environ: Mapping[str, str]) -> dict[str, str]:
    named = {
        option: "PIP_" + option.upper().replace("-", "_") for option in (*_TRANSLATED, *_OFFLINE)
    }
    return {option: environ[name] for option, name in named.items() if environ.get(name)}


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for path in filter(os.path.isfile, _pip_config_places(environ)):
        with contextlib.suppress(OSError):
            options.update(_options_in(path, tuple(fingerprint_of(path))))
    return options


@functools.lru_cache(maxsize=16)
def _options_in(path: Path, fingerprint: tuple[int, ...]) -> dict[str, str]:
    """Return the options of a file of pip's; asked for several times a creation."""
    del fingerprint  # what the answer depends on
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}  # pip will tell its users; it is not ours to judge
    sections = (section for section in ("global", "install") if parser.has_section(section))
    return {name: value for section in sections for name, value in parser.items(section)}


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
